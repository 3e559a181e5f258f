"""Draws answers onto the picture that they are about."""

import cv2
import numpy as np

from serving.answers import Picture

_CERTAIN, _UNCERTAIN, _INK = (80, 200, 80), (160, 160, 160), (0, 0, 0)


def annotate(pixels: np.ndarray, answer: Picture) -> np.ndarray:
    """Returns a copy with a box and a label around each face.

    Args:
        pixels: (H, W, 3) uint8 BGR.
        answer: What was said of it. Uncertain faces are grey and have a question mark.
    """
    drawn = pixels.copy()
    for face in answer.faces:
        colour = _UNCERTAIN if face.certain is False else _CERTAIN
        box = face.box
        thick = max(1, round(box.height / 60))
        start = (round(box.left), round(box.top))
        end = (round(box.left + box.width), round(box.top + box.height))
        cv2.rectangle(drawn, start, end, colour, thick)
        share = max(face.probabilities.values())
        doubt = "?" if face.certain is False else ""
        # As large as the face, but to be read in a large picture with small faces, too.
        size = max(box.height / 350, max(drawn.shape) / 2400, 0.4)
        _label(drawn, f"{face.label}{doubt} {share:.0%}", start, size, colour)
    return drawn


def _label(
    drawn: np.ndarray, text: str, corner: tuple[int, int], size: float, colour: tuple
) -> None:
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(size * 2))
    (width, height), below = cv2.getTextSize(text, font, size, thick)
    # Above the box where there is room, else inside it; never beyond the right edge.
    left = max(min(corner[0], drawn.shape[1] - width), 0)
    base = corner[1] - below if corner[1] > height + 2 * below else corner[1] + height + below
    top_left, bottom_right = (left, base - height - below), (left + width, base + below)
    cv2.rectangle(drawn, top_left, bottom_right, colour, cv2.FILLED)
    cv2.putText(drawn, text, (left, base), font, size, _INK, thick, cv2.LINE_AA)
