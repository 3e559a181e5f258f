"""Draws grey faces, 48x48 unless told otherwise, from `components.drawn.parameters`' numbers."""

from types import SimpleNamespace

import numpy as np

from components.drawn.parameters import SIZE, bell


def draw_faces(
    parameters: dict[str, np.ndarray], bits: np.random.PCG64, size: int = SIZE
) -> np.ndarray:
    """Pictures of faces.

    Args:
        parameters: what `people`, `actions` and `views` return, joined; (N,) arrays.
        bits: source of the grain, one draw a pixel.
        size: of a picture; another than the data set's is for people to look at.

    Returns:
        (N, size, size) uint8.
    """
    n = len(parameters["scale"])
    larger = {key: parameters[key] * (size / SIZE) for key in ("scale", "shift_x", "shift_y")}
    parameters = parameters | larger
    pictures = np.empty((n, size, size), np.uint8)
    for start in range(0, n, 8):  # small blocks stay in the processor's cache
        block = slice(start, start + 8)
        p = SimpleNamespace(
            **{k: a[block].astype(np.float32)[:, None, None] for k, a in parameters.items()}
        )
        pictures[block] = _draw(p, bits, size)
    return pictures


def _draw(p: SimpleNamespace, bits: np.random.PCG64, size: int) -> np.ndarray:
    """One block of pictures, from the back of the scene to the front."""
    u, v, flat = _coordinates(p, size)
    canvas = np.repeat(np.repeat(p.backdrop, size, 1), size, 2)

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


def _coordinates(p: SimpleNamespace, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head coordinates of each pixel: u (turned with the head), v (down), u before the turn."""
    at = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
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
