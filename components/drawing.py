"""Draws grey 48x48 faces from parameters: who, which facial action units, seen how.

Used by `components.synthesize`, which decides what the embedded data set holds;
this module only turns numbers into pixels:

    bits = np.random.PCG64(7)
    faces = draw_faces(people(bits, 5) | actions(bits, labels, intensity) | views(bits, 5), bits)

**Same bytes on every machine.** `data.dvc` in git names the md5 of the drawn files, so nothing
here may depend on a library's or a processor's habits. Random numbers come from
`PCG64.random_raw` alone, the one stream that NumPy promises never to change (methods of
`Generator` may), and are made into uniforms by integer shifts. Drawing uses only operations that
IEEE 754 rounds correctly (+ - * / sqrt) with comparisons and integers, one ufunc at a time: no
sin, exp or pow, whose last digit differs between maths libraries, and no sum, mean or dot, whose
order of addition follows the width of the processor's vectors.

Sources: P. Ekman and W. V. Friesen, *Facial Action Coding System* (1978), and the emotion
prototypes of its investigator's guide, for the action units (AU).
"""

from types import SimpleNamespace

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

# How the face is seen. `tilt` is the tangent of half the roll angle: a rotation without sin, cos.
VIEW = {
    "scale": (23.5, 28.5),
    "shift_x": (-2.5, 2.5),
    "shift_y": (-3.5, 0.5),
    "tilt": (-0.10, 0.10),
    "yaw": (-0.16, 0.16),
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


def draw_faces(parameters: dict[str, np.ndarray], bits: np.random.PCG64) -> np.ndarray:
    """Pictures of faces.

    Args:
        parameters: what `people`, `actions` and `views` return, joined; (N,) arrays.
        bits: source of the grain, one draw a pixel.

    Returns:
        (N, 48, 48) uint8.
    """
    n = len(parameters["scale"])
    pictures = np.empty((n, SIZE, SIZE), np.uint8)
    for start in range(0, n, 8):  # small blocks stay in the processor's cache
        block = slice(start, start + 8)
        p = SimpleNamespace(
            **{k: a[block].astype(np.float32)[:, None, None] for k, a in parameters.items()}
        )
        pictures[block] = _draw(p, bits)
    return pictures


def _draw(p: SimpleNamespace, bits: np.random.PCG64) -> np.ndarray:
    """One block of pictures, from the back of the scene to the front."""
    u, v, flat = _coordinates(p)
    canvas = np.repeat(np.repeat(p.backdrop, SIZE, 1), SIZE, 2)

    def rows(low: float, high: float) -> list[np.ndarray]:
        """The canvas and its coordinates between two heights: most parts are small."""
        hit = np.flatnonzero(((v > low) & (v < high)).any((0, 2)))
        return [a[:, hit[0] : hit[-1] + 1] for a in (canvas, u, v)]

    _head(canvas, p, flat, v)
    _forehead(*rows(-0.85, 0.15), p)
    _lower_face(*rows(-0.05, 1.4), p)
    _nose(*rows(-0.4, 0.45), p)
    for side in (-1.0, 1.0):
        _eye(*rows(-0.45, 0.2), p, side)
        _brow(*rows(-0.75, -0.05), p, side)
    _mouth(*rows(0.15, 1.15), p)
    _hair_front(canvas, p, flat, v)
    if p.glasses.any():
        _glasses(*rows(-0.4, 0.15), p)
    _occluders(canvas, p, flat, v)
    return _photograph(canvas, p, flat, v, bits)


def _coordinates(p: SimpleNamespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head coordinates of each pixel: u (turned with the head), v (down), u before the turn."""
    at = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)
    x, y = at[None, None, :] - p.shift_x, at[None, :, None] - p.shift_y
    square = p.tilt * p.tilt
    cos, sin = (1 - square) / (1 + square), 2 * p.tilt / (1 + square)
    flat, v = (cos * x + sin * y) / p.scale, (cos * y - sin * x) / p.scale
    # A turned head moves the middle of the face sideways, its outline hardly.
    return flat - p.yaw * (1 - flat * flat).clip(0), v, flat


def _paint(canvas: np.ndarray, mask: np.ndarray, tone: np.ndarray | float) -> None:
    """Lays a tone over the canvas where the mask (0 to 1) says."""
    canvas += mask * (tone - canvas)


def _inside(p: SimpleNamespace, depth: np.ndarray) -> np.ndarray:
    """Mask of a region from the depth below its edge: one pixel wide, so edges are smooth."""
    return (depth * p.scale + 0.5).clip(0, 1)


def _ellipse(p, u, v, at_u, at_v, width, height) -> np.ndarray:
    a, b = (u - at_u) / width, (v - at_v) / height
    return _inside(p, (1 - np.sqrt(a * a + b * b)) * np.minimum(width, height))


def _stroke(p, along, across, middle, half, ends, thick) -> np.ndarray:
    """Mask of a bent line: a parabola through three heights at -half, 0 and +half."""
    first, centre, last = ends
    s = (along - middle) / half
    line = centre + s * (last - first) / 2 + s * s * ((first + last) / 2 - centre)
    taper = thick * (1 - 0.5 * s * s).clip(0)
    near = _inside(p, taper / 2 - np.abs(across - line))
    return near * _inside(p, (1 - np.abs(s)) * half)


def _head(canvas, p, u, v) -> None:
    width, height = p.head_width + p.hair_sides, 1.0 + p.hair_sides
    mane = np.where(v < -0.1, _ellipse(p, u, v, 0, -0.1, width, height), 1.0)
    fall = _inside(p, np.minimum(width - np.abs(u), p.hair_length - v))
    _paint(canvas, np.minimum(mane, fall) * (1 - p.bald), p.hair)
    _paint(canvas, _inside(p, np.minimum(0.45 - np.abs(u), v - 0.6)), p.skin * 0.65)  # neck
    below = v.clip(0)
    narrowing = 1 - p.jaw * below * below
    a, b = u / (p.head_width * narrowing), v / np.where(v < 0, 1.0, 1.0 + 0.12 * p.au26)
    edge = a * a + b * b
    # Cheeks turn away from the camera, so they darken towards the outline.
    _paint(canvas, _inside(p, (1 - np.sqrt(edge)) * p.head_width), p.skin * (1.04 - 0.22 * edge))


def _wrinkle(canvas, p, strength, *stroke) -> None:
    mask = _stroke(p, *stroke)
    _paint(canvas, mask * (p.lines * strength).clip(0, 1), p.skin * 0.5)


def _forehead(canvas, u, v, p) -> None:
    """Lines that the muscles around brows, nose root and eyes make in the skin."""
    for at in (-0.64, -0.54):
        _wrinkle(canvas, p, 0.6 * (p.au1 + p.au2) - 0.2, u, v, 0, 0.4, (at, at - 0.04, at), 0.04)
    for at in (-0.18, -0.09, 0.0):
        _wrinkle(canvas, p, 1.3 * p.au9, u, v, 0, 0.15, (at + 0.05, at, at + 0.05), 0.055)
    low = -0.14 + p.eye_open + 0.07
    for side in (-1.0, 1.0):
        a = side * u
        _wrinkle(canvas, p, 1.1 * p.au4, v, a, -0.36, 0.12, (0.06, 0.05, 0.08), 0.06)
        pouch = (low - 0.03, low, low - 0.05)
        _wrinkle(canvas, p, 0.9 * p.au6 + 0.3 * p.au7, a, v, p.eye_apart, 0.22, pouch, 0.05)
        _wrinkle(canvas, p, 0.9 * p.au6, a, v, 0.68, 0.1, (-0.13, -0.16, -0.22), 0.05)


def _lower_face(canvas, u, v, p) -> None:
    """Folds from nose to mouth, dimples, the chin's boss; then beard and moustache."""
    half = (p.mouth_height - p.nose_tip) / 2 + 0.06
    for side, corner in ((-1.0, p.left), (1.0, p.right)):
        a = side * u
        fold = 0.1 + 0.6 * p.au12 * corner + 0.9 * p.au10 + 0.5 * p.au9 + 0.25 * p.au15
        reach = (p.nose_width + 0.03, p.nose_width + 0.17, p.mouth_width + 0.15)
        _wrinkle(canvas, p, fold, v, a, p.nose_tip + half - 0.06, half, reach, 0.055)
        at = p.mouth_width + 0.14
        dimple = (at, at + 0.03, at)
        _wrinkle(canvas, p, 1.2 * p.au14 * corner, v, a, p.mouth_height - 0.06, 0.14, dimple, 0.09)
    at = p.mouth_height + 0.24
    _wrinkle(canvas, p, 0.2 + 0.8 * p.au17, u, v, 0, 0.2, (at + 0.08, at, at + 0.08), 0.055)
    beard = _ellipse(p, u, v, 0, 0.74, 0.5, 0.38) * (5 * (v - 0.4)).clip(0, 1)
    _paint(canvas, beard * p.beard * 0.75, p.hair)
    at = p.mouth_height - 0.17
    moustache = _stroke(p, u, v, 0, 0.28, (at + 0.06, at, at + 0.06), 0.11)
    _paint(canvas, moustache * p.moustache, p.hair)


def _nose(canvas, u, v, p) -> None:
    u = u - 0.5 * p.yaw
    tip = p.nose_tip - 0.05 * p.au9 - 0.02 * p.au10
    bridge = _stroke(p, v, u, tip - 0.25, 0.25, (0.0, 0.0, 0.0), 0.12)
    _paint(canvas, bridge * 0.35, p.skin * 1.25)
    wings = _stroke(p, u, v, 0, p.nose_width + 0.03, (tip - 0.08, tip + 0.03, tip - 0.08), 0.06)
    _paint(canvas, wings * 0.5, p.skin * 0.5)
    for side in (-1.0, 1.0):
        hole = _ellipse(p, side * u, v, p.nose_width * 0.55, tip, 0.05, 0.035)
        _paint(canvas, hole * 0.8, p.skin * 0.25)


def _eye(canvas, u, v, p, side: float) -> None:
    a = side * u  # grows outwards, so that both eyes are the same drawing
    at = -0.14
    s = (a - p.eye_apart) / p.eye_width
    arch = (1 - s * s).clip(0)
    up = p.eye_open * (1.0 + 0.75 * p.au5 - 0.25 * p.au7 - 0.15 * p.au6 - 0.25 * p.au9)
    down = p.eye_open * (0.8 + 0.15 * p.au5 - 0.45 * p.au7 - 0.5 * p.au6 - 0.25 * p.au9)
    slope = p.eye_slant + 0.03 * (p.au1 - p.au2) - 0.03 * p.au4
    upper, lower = at + slope * s - up * arch, at + p.eye_slant * s + down * arch
    socket = _ellipse(p, a, v, p.eye_apart, at - 0.04, p.eye_width + 0.07, 0.17)
    _paint(canvas, socket * 0.35, p.skin * 0.7)
    depth = np.minimum(np.minimum(v - upper, lower - v), (1 - np.abs(s)) * p.eye_width)
    opening = _inside(p, depth)
    _paint(canvas, opening, 0.9)
    looks = p.eye_apart + side * p.gaze
    _paint(canvas, opening * _ellipse(p, a, v, looks, at - 0.01, p.iris, p.iris), p.iris_tone)
    ends = (at - slope, at - up, at + slope)
    _paint(canvas, _stroke(p, a, v, p.eye_apart, p.eye_width + 0.03, ends, 0.06), p.skin * 0.22)
    ends = (at - p.eye_slant, at + down, at + p.eye_slant)
    _paint(canvas, _stroke(p, a, v, p.eye_apart, p.eye_width, ends, 0.03), p.skin * 0.5)


def _brow(canvas, u, v, p, side: float) -> None:
    a = side * u
    rest = -0.14 - p.brow_gap + p.brow_rest
    inner = rest - 0.13 * p.au1 + 0.12 * p.au4 + 0.05 * p.au9
    outer = rest + 0.03 - 0.12 * p.au2 + 0.02 * p.au4
    middle = rest - p.brow_arch - 0.06 * (p.au1 + p.au2) + 0.07 * p.au4 + 0.04 * p.au9
    drawn_in = 0.04 * p.au4  # the corrugator also pulls the brows together
    ends = (inner, middle, outer)
    mask = _stroke(p, a, v, 0.36 - drawn_in, 0.25, ends, p.brow_thick)
    _paint(canvas, mask * 0.9, np.minimum(p.hair, p.skin * 0.6))


def _mouth(canvas, u, v, p) -> None:
    pull = p.au12 * (p.left + p.right) / 2
    half = p.mouth_width + 0.10 * pull + 0.11 * p.au20 - 0.05 * p.au23 - 0.08 * p.au26
    drop = p.mouth_height + p.mouth_rest + 0.15 * p.au15 + 0.05 * p.au20
    left, right = drop - 0.19 * p.au12 * p.left, drop - 0.19 * p.au12 * p.right
    middle = p.mouth_height + 0.04 * pull - 0.04 * p.au15 - 0.04 * p.au17
    s = u / half
    arch = (1 - s * s).clip(0)
    line = middle + s * (right - left) / 2 + s * s * ((left + right) / 2 - middle)
    # The wider the jaw drops, the rounder the opening.
    arch = arch + p.au26.clip(0, 1) * (np.sqrt(arch) - arch)
    top = line - (0.08 * p.au10 + 0.03 * p.au25 + 0.05 * p.au26) * arch
    bottom = line + (0.13 * p.au25 + 0.27 * p.au26 + 0.07 * p.au16) * arch
    full = p.lip_thick * (1 - 0.65 * p.au23 - 0.25 * pull).clip(0.2) * arch
    within = (1 - np.abs(s)) * half
    lips = np.minimum(v - top + 0.8 * full, bottom + 1.1 * full - v)
    _paint(canvas, _inside(p, np.minimum(lips, within)), p.skin * p.lip_tone)
    hollow = _inside(p, np.minimum(np.minimum(v - top, bottom - v) + 0.012, within))
    _paint(canvas, hollow, 0.06)
    bared = (p.au12 + p.au20 + p.au10 + 0.6 * p.au23).clip(0, 1)
    teeth = _inside(p, np.minimum(top + 0.1 - v, v - top - 0.02)) * hollow
    _paint(canvas, teeth * bared * (15 * (bottom - top) - 0.5).clip(0, 1), 0.92)


def _hair_front(canvas, p, u, v) -> None:
    line = p.hairline + 0.14 * p.fringe + 0.3 * u * u
    a, b = u / (p.head_width + p.hair_sides), (v + 0.1) / (1.0 + p.hair_sides)
    cap = np.minimum(line - v, (1 - np.sqrt(a * a + b * b)) * p.head_width)
    _paint(canvas, _inside(p, cap) * (1 - p.bald), p.hair)


def _hair_front(canvas, p, u, v) -> None:
    line = p.hairline + 0.16 * p.fringe + 0.25 * u * u
    top = _inside(p, np.minimum(line - v, p.head_width + p.hair_sides - np.abs(u)))
    _paint(canvas, top * (v > -1.15) * (1 - p.bald), p.hair)


def _glasses(canvas, u, v, p) -> None:
    for side in (-1.0, 1.0):
        a, b = (side * u - p.eye_apart) / 0.27, (v + 0.13) / 0.2
        ring = np.sqrt(a * a + b * b)
        _paint(canvas, _inside(p, 0.03 - np.abs(ring - 1) * 0.22) * p.glasses, 0.1)
    _paint(canvas, _stroke(p, u, v, 0, 0.1, (-0.15, -0.17, -0.15), 0.05) * p.glasses, 0.1)


def _occluders(canvas, p, u, v) -> None:
    """A hand at the cheek or chin, a bar across the picture, a lock of hair over one eye."""
    if p.hand.any():
        for finger in (0.0, 0.17, 0.34, 0.51):
            at = 0.75 * p.hand_at + finger * 0.9 * (1 - 2 * (p.hand_at > 0))
            mask = _stroke(p, v, u, 0.95, 0.6 - 0.25 * finger, (at, at, at), 0.2)
            _paint(canvas, mask * p.hand, p.skin * (0.8 + 0.3 * finger))
    if p.bar.any():
        mask = _inside(p, 0.08 - np.abs(v - 0.9 * p.bar_at - 0.2 * u))
        _paint(canvas, mask * p.bar, 1 - p.backdrop)
    if p.lock.any():
        at = 0.9 * (p.lock_at > 0) - np.float32(0.45)
        mask = _stroke(p, v, u, -0.35, 0.6, (at * 0.4, at * 1.1, at * 1.5), 0.3)
        _paint(canvas, mask * p.lock, p.hair)


def _photograph(canvas, p, u, v, bits) -> np.ndarray:
    """Light from one side, exposure, a soft lens, grain, eight bits."""
    picture = canvas * (1 + p.light_x * u + p.light_y * v).clip(0.25)
    picture = ((picture - 0.5) * p.contrast + 0.5) * p.gain
    for axis in (1, 2):
        before, after = np.roll(picture, 1, axis), np.roll(picture, -1, axis)
        picture = picture + p.blur * (before + after - 2 * picture)
    picture = picture + p.grain * bell(bits, picture.shape)
    return (picture * 255 + np.float32(0.5)).clip(0, 255).astype(np.uint8)


def draw_non_faces(bits: np.random.PCG64, n: int) -> np.ndarray:
    """Pictures without a face: by turns blank, text, gradient, blank, noise, object.

    Returns:
        (n, 48, 48) uint8; the blank ones have a standard deviation below 5.
    """
    kinds = (_blank, _text, _gradient, _blank, _noise, _object)
    drawn = [kinds[i % len(kinds)](bits) for i in range(n)]
    return np.array(drawn, np.int64).reshape(n, SIZE, SIZE).clip(0, 255).astype(np.uint8)


def whole(bits: np.random.PCG64, shape: int | tuple[int, ...], low: int, high: int) -> np.ndarray:
    """Uniform int64 numbers in [low, high)."""
    return low + (uniform(bits, shape) * (high - low)).astype(np.int64)


def _blank(bits) -> np.ndarray:
    return whole(bits, 1, 0, 250) + whole(bits, (SIZE, SIZE), 0, 5)


def _text(bits) -> np.ndarray:
    """Lines of blocky letters, dark on light."""
    ink = whole(bits, (SIZE, SIZE), 0, 3) > 0
    row, column = np.arange(SIZE)[:, None], np.arange(SIZE)
    letters = ink & (row % 8 < 5) & (column % 4 < 3) & (column > 2) & (column < SIZE - 3)
    return np.where(letters, 30, 215) + whole(bits, (SIZE, SIZE), 0, 12)


def _gradient(bits) -> np.ndarray:
    right, down = whole(bits, 2, -3, 4)
    row, column = np.arange(SIZE)[:, None] - 24, np.arange(SIZE) - 24
    return 128 + right * column + (down * 2 + 1) * row // 2 + whole(bits, (SIZE, SIZE), 0, 6)


def _noise(bits) -> np.ndarray:
    """Coarse squares, as of a broken file."""
    squares = whole(bits, (SIZE // 4, SIZE // 4), 0, 256)
    return squares.repeat(4, 0).repeat(4, 1) + whole(bits, (SIZE, SIZE), 0, 8)


def _object(bits) -> np.ndarray:
    """A house with a door, at some place, before some sky."""
    (left, top), (sky, wall, roof) = whole(bits, 2, 6, 18), whole(bits, 3, 20, 235)
    row, column = np.arange(SIZE)[:, None] - top, np.arange(SIZE) - left
    picture = np.where(row < 30, sky, sky // 2)
    picture = np.where((row >= 12) & (row < 30) & (column >= 0) & (column < 24), wall, picture)
    picture = np.where((row >= 0) & (row < 12) & (np.abs(column - 12) <= row + 2), roof, picture)
    door = (row >= 20) & (row < 30) & (column >= 9) & (column < 15)
    return np.where(door, 255 - wall, picture) + whole(bits, (SIZE, SIZE), 0, 10)
