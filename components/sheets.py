"""Contact sheets: many small faces on one page, each with a caption."""

import math
from pathlib import Path

import cv2
import numpy as np

_TILE = 96  # pixels, the height of a face on the sheet
_GAP = 8
_LINE = 14  # height of a caption's line
_TITLE = 40
_WIDTH = _GAP + 10 * (_TILE + _GAP)  # ten square faces, or five pairs


def contact_sheet(images: np.ndarray, captions: list[str], title: str) -> np.ndarray:
    """Draws faces in reading order, each above its caption, under a title.

    Args:
        images: (N, H, W) grey or (N, H, W, 3) RGB uint8.
        captions: N captions; lines are parted by newlines, and cut to the tile's width.
        title: One line.

    Returns:
        (height, width) grey or (height, width, 3) RGB uint8, dark text on white.
    """
    caption_lines = max(caption.count("\n") + 1 for caption in captions)
    pitch = _TILE + caption_lines * _LINE + _GAP
    wide = round(_TILE * images.shape[2] / images.shape[1])
    columns = (_WIDTH - _GAP) // (wide + _GAP)
    rows = math.ceil(len(images) / columns)
    sheet = np.full((_TITLE + rows * pitch, _WIDTH, *images.shape[3:]), 255, np.uint8)
    _write(sheet, title, _GAP, 26, 0.6)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, columns)
        top, left = _TITLE + row * pitch, _GAP + column * (wide + _GAP)
        tile = cv2.resize(image, (wide, _TILE), interpolation=cv2.INTER_NEAREST)
        sheet[top : top + _TILE, left : left + wide] = tile
        for number, line in enumerate(caption.split("\n"), start=1):
            strip = sheet[:, left : left + wide + _GAP // 2]
            _write(strip, line, 0, top + _TILE + number * _LINE - 3, 0.36)
    return sheet


def beside(*faces: np.ndarray) -> np.ndarray:
    """Sets pictures side by side, to be one on a sheet: each (N, H, W) uint8."""
    return np.concatenate(faces, axis=2)


def save(path: Path, sheet: np.ndarray) -> None:
    """Writes a sheet as PNG.

    Raises:
        OSError: If it cannot be written (`cv2.imwrite` would only return False).
    """
    path.write_bytes(png(sheet))


def png(sheet: np.ndarray) -> bytes:
    """Encodes a grey or RGB sheet."""
    return cv2.imencode(".png", sheet[..., ::-1] if sheet.ndim == 3 else sheet)[1].tobytes()


def _write(image: np.ndarray, text: str, x: int, y: int, scale: float) -> None:
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
