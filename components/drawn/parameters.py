"""Who is drawn, what the face does, how it is seen: random parameters, no pixels.

Sources: P. Ekman and W. V. Friesen, *Facial Action Coding System* (1978), and the emotion
prototypes of its investigator's guide, for the action units (AU).
"""

import numpy as np

SIZE = 48
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt")

ACTION_UNITS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
}

# Strength of each AU at full intensity, and the AUs that only some people add.
PROTOTYPES = {
    "angry": {4: 1.0, 5: 0.5, 7: 0.8, 23: 1.0},
    "disgust": {9: 1.0, 10: 1.0, 15: 0.5, 16: 0.4},
    "fear": {1: 1.0, 2: 0.6, 4: 0.6, 5: 1.0, 20: 1.0, 25: 0.8},
    "happy": {6: 0.9, 12: 1.0},
    "sad": {1: 1.0, 4: 0.5, 15: 1.0},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.8, 26: 1.0},
    "neutral": {},
    "contempt": {12: 0.8, 14: 1.0},  # one side of the face only
}
SOMETIMES = {
    "angry": {10: 0.4, 17: 0.5, 25: 0.5},
    "disgust": {4: 0.5, 17: 0.4, 25: 0.5},
    "fear": {26: 0.5},
    "happy": {25: 1.0, 26: 0.4},
    "sad": {17: 0.7, 7: 0.3},
    "surprise": {25: 0.4},
    "neutral": {},
    "contempt": {23: 0.3},
}

# Identity: name -> (low, high). Lengths are in half head heights, tones in 0 (black) to 1 (white).
IDENTITY = {
    "head_width": (0.72, 0.86),
    "jaw": (0.05, 0.32),
    "skin": (0.42, 0.80),
    "hair": (0.05, 0.45),
    "hairline": (-0.82, -0.58),
    "hair_sides": (0.02, 0.16),
    "hair_length": (-0.1, 1.4),
    "backdrop": (0.05, 0.95),
    "eye_apart": (0.33, 0.40),
    "eye_width": (0.19, 0.24),
    "eye_open": (0.07, 0.10),
    "eye_slant": (-0.03, 0.03),
    "iris": (0.08, 0.10),
    "iris_tone": (0.05, 0.35),
    "brow_thick": (0.05, 0.11),
    "brow_gap": (0.24, 0.31),
    "brow_arch": (0.00, 0.06),
    "nose_width": (0.11, 0.17),
    "nose_tip": (0.18, 0.27),
    "mouth_height": (0.50, 0.58),
    "mouth_width": (0.27, 0.34),
    "lip_thick": (0.05, 0.09),
    "lip_tone": (0.50, 0.82),
    "mouth_rest": (-0.05, 0.03),
    "brow_rest": (-0.03, 0.03),
    "lines": (0.3, 1.0),
}

# How the face is seen; registered to a pixel or two, as FER-2013's faces are.
# `tilt` is the tangent of half the roll angle: a rotation without sin, cos.
VIEW = {
    "scale": (24.3, 27.3),
    "shift_x": (-1.2, 1.2),
    "shift_y": (-2.2, -0.3),
    "tilt": (-0.05, 0.05),
    "yaw": (-0.12, 0.12),
    "gaze": (-0.05, 0.05),
    "light_x": (-0.40, 0.40),
    "light_y": (-0.30, 0.15),
    "gain": (0.75, 1.20),
    "contrast": (0.65, 1.20),
    "blur": (0.0, 0.22),
    "grain": (0.01, 0.04),
}
# Share of people or views that have each thing; `*_at` says where an occluder lies.
WITH = {"beard": 0.10, "moustache": 0.10, "glasses": 0.12, "bald": 0.06, "fringe": 0.15}
OCCLUDED = {"hand": 0.05, "bar": 0.03, "lock": 0.04}


def uniform(
    bits: np.random.PCG64, shape: int | tuple[int, ...], low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Uniform float64 numbers in [low, high), 53 random bits each."""
    return low + (high - low) * ((bits.random_raw(shape) >> np.uint64(11)) / 2**53)


def whole(bits: np.random.PCG64, shape: int | tuple[int, ...], low: int, high: int) -> np.ndarray:
    """Uniform int64 numbers in [low, high)."""
    return low + (uniform(bits, shape) * (high - low)).astype(np.int64)


def bell(bits: np.random.PCG64, shape: int | tuple[int, ...]) -> np.ndarray:
    """Nearly normal float32 numbers (mean 0, deviation 1): four 16-bit uniforms added."""
    raw = bits.random_raw(shape)
    total = np.zeros(raw.shape, np.int64)
    for shift in (0, 16, 32, 48):
        total += ((raw >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
    return ((total - 131070) / 37837.0).astype(np.float32)


def people(bits: np.random.PCG64, n: int) -> dict[str, np.ndarray]:
    """Identity parameters of n different people, each an (n,) float array."""
    who = {name: uniform(bits, n, *span) for name, span in IDENTITY.items()}
    return who | {name: (uniform(bits, n) < share) * 1.0 for name, share in WITH.items()}


def views(bits: np.random.PCG64, n: int) -> dict[str, np.ndarray]:
    """Pose, light, blur, noise and occluders of n pictures, each an (n,) float array."""
    seen = {name: uniform(bits, n, *span) for name, span in VIEW.items()}
    for name, share in OCCLUDED.items():
        seen[name] = (uniform(bits, n) < share) * 1.0
        seen[f"{name}_at"] = uniform(bits, n, -1.0, 1.0)
    return seen


def actions(
    bits: np.random.PCG64, expressions: np.ndarray, intensity: np.ndarray
) -> dict[str, np.ndarray]:
    """The facial action of each picture.

    Args:
        bits: source of personal variation.
        expressions: (N,) int, places in `EXPRESSIONS`.
        intensity: (N,) float, 0 (nothing to see) to 1 (the full prototype).

    Returns:
        `au1` ... `au26`, and `left`, `right`: the share of the one-sided AUs 12 and 14 on each
        side of the mouth. Each (N,) float.
    """
    n = len(expressions)
    act = {}
    for unit in ACTION_UNITS:
        always = np.array([PROTOTYPES[e].get(unit, 0.0) for e in EXPRESSIONS])[expressions]
        extra = np.array([SOMETIMES[e].get(unit, 0.0) for e in EXPRESSIONS])[expressions]
        strength = always * uniform(bits, n, 0.65, 1.2) + extra * (uniform(bits, n) < 0.5)
        # Nobody's face is quite still: a little of every AU, whatever the expression.
        act[f"au{unit}"] = intensity * strength + uniform(bits, n, -0.08, 0.12).clip(0)
    side = uniform(bits, n) < 0.5
    one_sided = expressions == EXPRESSIONS.index("contempt")
    act["left"] = np.where(one_sided & side, 0.0, uniform(bits, n, 0.85, 1.0))
    act["right"] = np.where(one_sided & ~side, 0.0, uniform(bits, n, 0.85, 1.0))
    return act
