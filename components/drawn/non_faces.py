"""Draws what a face data set also holds: pictures without a face."""

import numpy as np

from components.drawn.parameters import SIZE, whole


def draw_non_faces(bits: np.random.PCG64, n: int) -> np.ndarray:
    """Pictures without a face: by turns blank, text, gradient, blank, noise, object.

    Returns:
        (n, 48, 48) uint8; the blank ones have a standard deviation below 5.
    """
    kinds = (_blank, _text, _gradient, _blank, _noise, _object)
    drawn = [kinds[i % len(kinds)](bits) for i in range(n)]
    return np.array(drawn, np.int64).reshape(n, SIZE, SIZE).clip(0, 255).astype(np.uint8)


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
