"""Draws answers onto the picture that they are about."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from serving.answers import Face, Heat, PictureFace, TrackedFace
from serving.problems import ProblemError

_CERTAIN, _UNCERTAIN, _INK = (80, 200, 80), (160, 160, 160), (0, 0, 0)
_GLOW = 0.65  # opacity of a heat map's peak


def annotate(pixels: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Returns a copy with a box, a label and, where there is one, a heat map on each face.

    Args:
        pixels: (H, W, 3) uint8 BGR.
        faces: What was said of them. Uncertain ones are grey and have a question mark; those of
            a video have the number of their track.
    """
    drawn = pixels.copy()
    for face in faces:
        if isinstance(face, PictureFace) and face.heat is not None:
            _glow(drawn, face.heat)
        colour = _UNCERTAIN if face.certain is False else _CERTAIN
        box = face.box
        thick = max(1, round(box.height / 60))
        start = (round(box.left), round(box.top))
        end = (round(box.left + box.width), round(box.top + box.height))
        cv2.rectangle(drawn, start, end, colour, thick)
        share = max(face.probabilities.values())
        doubt = "?" if face.certain is False else ""
        number = f"{face.track}: " if isinstance(face, TrackedFace) else ""
        # As large as the face, but to be read in a large picture with small faces, too.
        size = max(box.height / 350, max(drawn.shape) / 2400, 0.4)
        _label(drawn, f"{number}{face.label}{doubt} {share:.0%}", start, size, colour)
    return drawn


class Recording:
    """An MP4 file (MPEG-4 part 2, without sound) of annotated frames, added one by one.

    Args:
        path: The file to write.
        fps: Frames a second that it plays.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None

    def add(self, pixels: np.ndarray, faces: Sequence[Face]) -> None:
        """Annotates and appends a frame, (H, W, 3) uint8 BGR, of the size of the first one.

        Raises:
            ProblemError: If there is no MP4 of that size, such as one pixel.
        """
        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*"mp4v")
            size = pixels.shape[1], pixels.shape[0]
            self._writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, code, self._fps, size)
            if not self._writer.isOpened():
                detail = f"frames of {size[0]} × {size[1]} pixels do not make an MP4."
                raise ProblemError("unreadable-video", detail)
        self._writer.write(annotate(pixels, faces))

    def close(self) -> None:
        """Finishes the file."""
        if self._writer is not None:
            self._writer.release()


def _glow(drawn: np.ndarray, heat: Heat) -> None:
    """Lets shine what the answer rests on; what speaks against it stays as it is."""
    frame = heat.frame
    left, top, side = round(frame.left), round(frame.top), max(round(frame.width), 1)
    grid = np.maximum(np.array(heat.grid, np.float32), 0)
    grid /= max(grid.max(), 1e-6)
    glow = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    rows = slice(max(-top, 0), max(drawn.shape[0] - top, 0))
    columns = slice(max(-left, 0), max(drawn.shape[1] - left, 0))
    glow = glow[rows, columns]
    seen = drawn[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    colours = cv2.applyColorMap((255 * glow).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = _GLOW * glow[..., None]
    seen[...] = (1 - share) * seen + share * colours


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
