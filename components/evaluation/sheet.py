"""Faces beside what a network looked at."""

import cv2
import numpy as np

from components import sheets


def mistakes_sheet(
    images: np.ndarray, heat: np.ndarray, captions: list[str], title: str
) -> np.ndarray:
    """Draws each face beside itself under a heat map.

    Args:
        images: (N, H, W) or (N, H, W, 3) uint8.
        heat: (N, H, W) float in [0, 1].
        captions: N captions.
        title: One line.

    Returns:
        A contact sheet, RGB uint8. The colours grow lighter with the heat, in grey as well.
    """
    if not len(images):
        return sheets.contact_sheet(np.full((1, 48, 96, 3), 255, np.uint8), [""], title)
    colour = images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=3)
    levels = np.round(255 * heat).astype(np.uint8)
    maps = np.stack([cv2.applyColorMap(one, cv2.COLORMAP_INFERNO)[..., ::-1] for one in levels])
    mixed = np.round(0.45 * colour + 0.55 * maps).astype(np.uint8)
    return sheets.contact_sheet(sheets.beside(colour, mixed), captions, title)
