"""A video's faces, frame by frame, in constant memory."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import cv2
import numpy as np

from serving.answers import Face, Frame, TrackedFace, VideoOptions
from serving.problems import ProblemError
from serving.recognition import Recogniser

_OVERLAP = 0.3  # intersection over union of the same face in neighbouring frames
_PATIENCE = 1.0  # seconds that a face may be hidden and keep its track


class Video:
    """The frames of a video file, one at a time.

    Args:
        path: The file.
        max_pixels: Of a frame.

    Attributes:
        fps: Frames a second that it says it has.
        complete: Whether all of it was seen, once `frames` is through.

    Raises:
        ProblemError: If it is no video, or its frames are too large.
    """

    def __init__(self, path: Path, max_pixels: int) -> None:
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        width = self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        height = self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not self._capture.isOpened() or width * height <= 0 or not self._capture.grab():
            self._capture.release()
            raise ProblemError("unreadable-video", "the file cannot be read as a video.")
        if width * height > max_pixels:
            self._capture.release()
            detail = f"a frame has {width:.0f} × {height:.0f} pixels, more than {max_pixels:,}."
            raise ProblemError("too-large", detail)
        self.fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._expected = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.complete = True

    def frames(self, fps: float) -> Iterator[tuple[int, float, np.ndarray]]:
        """Yields number, seconds and (H, W, 3) uint8 BGR of `fps` frames a second."""
        number, due = 0, 0.0
        try:
            while True:
                seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if seconds >= due - 1e-6:
                    decoded, pixels = self._capture.retrieve()
                    if decoded:
                        yield number, seconds, pixels
                        due += 1 / fps
                if not self._capture.grab():
                    break
                number += 1
            # A container may round its count; one that was cut short lacks much more.
            self.complete = number + 1 >= 0.98 * self._expected - 1
        finally:
            self._capture.release()


class Tracker:
    """Recognises faces of the frame before by where they are.

    Source: E. Bochinski et al., *High-Speed Tracking-by-Detection Without Using Image
    Information* (2017).
    """

    def __init__(self) -> None:
        self._tracks: dict[int, tuple[float, np.ndarray]] = {}
        self._next = 0

    def assign(self, seconds: float, boxes: np.ndarray) -> list[int]:
        """Gives each face its track.

        Args:
            seconds: Time of the frame.
            boxes: (N, 4) left, top, right, bottom.
        """
        self._tracks = {
            track: seen for track, seen in self._tracks.items() if seconds - seen[0] <= _PATIENCE
        }
        pairs = [
            (overlap(box, seen[1]), index, track)
            for index, box in enumerate(boxes)
            for track, seen in self._tracks.items()
        ]
        given: dict[int, int] = {}
        for share, index, track in sorted(pairs, reverse=True):
            if share >= _OVERLAP and index not in given and track not in given.values():
                given[index] = track
        for index in range(len(boxes)):
            if index not in given:
                given[index], self._next = self._next, self._next + 1
            self._tracks[given[index]] = (seconds, boxes[index])
        return [given[index] for index in range(len(boxes))]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes, each left, top, right, bottom."""
    inner = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(np.maximum(inner, 0)))
    both = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return common / (both - common) if common else 0.0


async def follow(
    video: Video, recogniser: Recogniser, options: VideoOptions
) -> AsyncIterator[tuple[Frame, np.ndarray]]:
    """Yields the answer to each frame when it is ready, and its pixels, (H, W, 3) uint8 BGR."""
    tracker = Tracker()
    frames = video.frames(options.fps)
    for _ in range(recogniser.limits.max_frames):
        frame = await recogniser.in_pool(next, frames, None)
        if frame is None:
            return
        number, seconds, pixels = frame
        answer = await recogniser.frame(pixels, options)
        boxes = np.array([_edges(face) for face in answer.faces]).reshape(-1, 4)
        tracks = tracker.assign(seconds, boxes)
        faces = [
            TrackedFace(**dict(face), track=track)
            for face, track in zip(answer.faces, tracks, strict=True)
        ]
        yield Frame(frame=number, seconds=round(seconds, 3), faces=faces), pixels
    video.complete = False


def _edges(face: Face) -> tuple[float, float, float, float]:
    box = face.box
    return box.left, box.top, box.left + box.width, box.top + box.height
