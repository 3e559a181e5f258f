"""Decimal pixel text to uint8, on whole blocks of rows at once.

Parsing number by number would take longer than all else in `ingest`: FER-2013 has 83
million. Here, each step is one NumPy operation on all characters of a block.
"""

import math
import re

import numpy as np
import pyarrow as pa

_NUMBER = re.compile(rb"[0-9]{1,3}")
_SPACE = ord(" ")


def decode(texts: pa.Array) -> tuple[np.ndarray, np.ndarray] | None:
    """Reads space-separated integers from 0 to 255.

    Args:
        texts: (n,) binary Arrow array, one row of numbers an element.

    Returns:
        The numbers of all rows in one (total,) uint8 array, and how many each row has,
        (n,) int64; None if anything in any row is not such a number.
    """
    text, bounds = _characters(texts)
    if not len(text):
        return np.empty(0, np.uint8), np.zeros(len(texts), np.int64)
    digit = text - np.uint8(ord("0"))
    is_digit = digit < 10
    digit *= is_digit
    # joined[i]: characters i and i + 1 are digits of one number.
    joined = np.zeros_like(is_digit)
    np.logical_and(is_digit[:-1], is_digit[1:], out=joined[:-1])
    joined[bounds[1:] - 1] = False  # rows follow one another without a space
    # The comparison is several times faster on uint8 than on bool.
    ends = np.flatnonzero(is_digit.view(np.uint8) > joined.view(np.uint8))

    # At the last digit of a number: the value of its last two digits, and its hundreds.
    carried = digit * joined
    tens = digit
    tens[1:] += np.uint8(10) * carried[:-1]
    hundreds = np.zeros_like(digit)
    np.multiply(carried[:-2], joined[1:-1], out=hundreds[2:])
    tens, hundreds = tens.take(ends), hundreds.take(ends)
    values = tens + np.uint8(100) * hundreds

    # 2 hundreds and 56 or more wrap around to less than the 56 or more; 3 hundreds may not.
    four_digits = (joined[:-2] & joined[1:-1] & joined[2:]).any()
    above_255 = (values < tens).any() or hundreds.max(initial=0) > 2
    others = len(text) - np.count_nonzero(is_digit) - np.count_nonzero(text == _SPACE)
    if four_digits or above_255 or others:
        return None
    return values, np.diff(np.searchsorted(ends, bounds))


def common_size(texts: pa.Array) -> int | None:
    """The most frequent count of numbers that makes a square picture; None if none does."""
    counts = [len(text.split()) for text in texts.to_pylist()]
    squares = [count for count in counts if count and math.isqrt(count) ** 2 == count]
    return max(squares, key=squares.count) if squares else None


def fault(text: bytes, size: int | None) -> str | None:
    """Says what is wrong with one row of pixels; None if nothing is.

    Args:
        text: The row.
        size: How many pixels it should have; None if no row so far had a square number.
    """
    tokens = text.split(b" ")
    numbers = [token for token in tokens if token]
    for place, token in enumerate(numbers, start=1):
        if not _NUMBER.fullmatch(token) or int(token) > 255:
            return f"pixel {place} is {_shown(token)}, not an integer from 0 to 255"
    if size is None:
        return f"there are {len(numbers)} pixels, which is not a square number"
    if len(numbers) != size:
        return f"there are {len(numbers)} pixels where the other rows have {size}"
    return None


def _characters(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """All characters of all rows, without a copy, and the (n + 1,) bounds between rows."""
    if not len(texts):
        return np.empty(0, np.uint8), np.zeros(1, np.int32)
    _, offsets, characters = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(characters, np.uint8)[bounds[0] : bounds[-1]]
    return text, bounds - bounds[0]


def _shown(token: bytes) -> str:
    shown = token.decode("ascii", errors="replace")
    return repr(shown if len(shown) <= 20 else shown[:20] + "…")
