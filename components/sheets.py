"""Contact sheets: many small faces on one page, each with a caption."""

import math
from pathlib import Path

import cv2
import numpy as np

_COLUMNS = 10
_TILE = 96  # pixels, the side of a face on the sheet
_GAP = 8
_LINE = 14  # height of a caption's line
_TITLE = 40
_WIDTH = _GAP + _COLUMNS * (_TILE + _GAP)


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
    rows = math.ceil(len(images) / _COLUMNS)
    sheet = np.full((_TITLE + rows * pitch, _WIDTH, *images.shape[3:]), 255, np.uint8)
    _write(sheet, title, _GAP, 26, 0.6)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, _COLUMNS)
        top, left = _TITLE + row * pitch, _GAP + column * (_TILE + _GAP)
        tile = cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
        sheet[top : top + _TILE, left : left + _TILE] = tile
        for number, line in enumerate(caption.split("\n"), start=1):
            strip = sheet[:, left : left + _TILE + _GAP // 2]
            _write(strip, line, 0, top + _TILE + number * _LINE - 3, 0.36)
    return sheet


def save(path: Path, sheet: np.ndarray) -> None:
    """Writes a sheet as PNG.

    Raises:
        OSError: If it cannot be written (`cv2.imwrite` would only return False).
    """
    _, png = cv2.imencode(".png", sheet[..., ::-1] if sheet.ndim == 3 else sheet)
    path.write_bytes(png.tobytes())


def _write(image: np.ndarray, text: str, x: int, y: int, scale: float) -> None:
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
