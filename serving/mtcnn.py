"""Face detection that every clone has: MTCNN, on ONNX Runtime.

Three networks of growing size look at fewer and fewer places: P-Net at all of an image
pyramid, R-Net and O-Net at what is left, each correcting the boxes of the one before.

Source: K. Zhang et al., *Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks* (2016), with the thresholds of https://github.com/ipazc/mtcnn.
"""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from serving.crops import cut

_CELL = 12  # pixels a side of the face that P-Net sees
_STRIDE = 2  # pixels between the places that P-Net looks at
_PYRAMID = 0.709  # each level is so many times as large as the one before
_THRESHOLDS = {"pnet": 0.6, "rnet": 0.7, "onet": 0.8}
_MAX_PROPOSALS = 2000  # places that R-Net looks at: a picture of gravel has no end of them


class MTCNN:
    """Finds faces, with five landmarks.

    Args:
        folder: Where `pipelines.mtcnn` wrote `pnet.onnx`, `rnet.onnx` and `onet.onnx`.
        threads: Threads that one picture may use.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._sessions = {
            name: onnxruntime.InferenceSession(
                folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"]
            )
            for name in _THRESHOLDS
        }

    def detect(self, picture: np.ndarray, min_face: int) -> np.ndarray:
        """Finds the faces of one picture.

        Args:
            picture: (H, W, 3) uint8 BGR.
            min_face: Pixels a side of the smallest face to look for, at least 12.

        Returns:
            (N, 15) float32: left, top, right, bottom; x and y of right eye, left eye (the
            person's own), nose, right and left corner of the mouth; score from 0 to 1.
        """
        levels = (cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32) - 127.5) / 128
        boxes = self._propose(levels, min_face)
        for name, side, method in (("rnet", 24, "union"), ("onet", 48, "smaller")):
            if not len(boxes):
                return np.empty((0, 15), np.float32)
            boxes = _square(boxes)
            offsets, scores, *points = self._run(name, _patches(levels, boxes, side))
            landmarks = _place(points[0], boxes) if points else np.empty((len(boxes), 0))
            boxes = _corrected(boxes, offsets)
            boxes[:, 4] = scores[:, 1]
            boxes = np.hstack([boxes, landmarks])[boxes[:, 4] > _THRESHOLDS[name]]
            boxes = suppress(boxes, 0.7, method)
        return np.hstack([boxes[:, :4], boxes[:, 5:], boxes[:, 4:5]]).astype(np.float32)

    def _run(self, name: str, faces: np.ndarray) -> list[np.ndarray]:
        session = self._sessions[name]
        outputs = [output.name for output in session.get_outputs()]
        ordered = sorted(outputs, key=["offsets", "scores", "landmarks"].index)
        return session.run(ordered, {"faces": faces})

    def _propose(self, levels: np.ndarray, min_face: int) -> np.ndarray:
        height, width = levels.shape[:2]
        found = [np.empty((0, 5))]
        scale = _CELL / min_face
        while min(height, width) * scale >= _CELL:
            size = (round(width * scale), round(height * scale))
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            level = cv2.resize(levels, size, interpolation=method)
            offsets, scores = self._run("pnet", level.transpose(2, 0, 1)[None])
            boxes = _cells(offsets[0], scores[0, 1])
            boxes[:, :4] /= scale
            found.append(suppress(boxes, 0.5))
            scale *= _PYRAMID
        return suppress(np.concatenate(found), 0.7)[:_MAX_PROPOSALS]


def suppress(boxes: np.ndarray, overlap: float, method: str = "union") -> np.ndarray:
    """Keeps the best of the boxes that overlap, best first (non-maximum suppression).

    Args:
        boxes: (N, 5 or more): left, top, right, bottom, score.
        overlap: Share of the common area above which the lesser box goes.
        method: Share of the `union` of both areas, or of the `smaller` one.
    """
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    rest = np.arange(len(boxes))
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        inner = np.minimum(boxes[best, 2:4], boxes[rest, 2:4]) - np.maximum(
            boxes[best, :2], boxes[rest, :2]
        )
        common = np.prod(np.maximum(inner, 0), axis=1)
        both = np.minimum(areas[best], areas[rest])
        if method == "union":
            both = areas[best] + areas[rest] - common
        rest = rest[common <= overlap * both]
    return boxes[kept]


def _cells(offsets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(scores > _THRESHOLDS["pnet"])
    corners = np.stack([columns, rows], axis=1) * _STRIDE
    boxes = np.hstack([corners, corners + _CELL]) + offsets[:, rows, columns].T * _CELL
    return np.hstack([boxes, scores[rows, columns, None]]).astype(np.float64)


def _square(boxes: np.ndarray) -> np.ndarray:
    centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centres - half, centres + half, boxes[:, 4:5]])


def _patches(levels: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """(N, 3, side, side) float32; black where a box reaches beyond the picture."""
    patches = np.empty((len(boxes), side, side, 3), np.float32)
    for patch, box in zip(patches, boxes, strict=True):
        part = cut(levels, box, cv2.BORDER_CONSTANT)
        method = cv2.INTER_AREA if part.shape[0] > side else cv2.INTER_LINEAR
        patch[...] = cv2.resize(part, (side, side), interpolation=method)
    return np.ascontiguousarray(patches.transpose(0, 3, 1, 2))


def _corrected(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    sizes = np.tile(boxes[:, 2:4] - boxes[:, :2], 2)
    return np.hstack([boxes[:, :4] + offsets * sizes, boxes[:, 4:5]])


def _place(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N, 10): x and y of each landmark in the picture, from shares of a box, x's before y's."""
    shares = points.reshape(-1, 2, 5).transpose(0, 2, 1)
    sizes = (boxes[:, 2:4] - boxes[:, :2])[:, None]
    return (boxes[:, None, :2] + shares * sizes).reshape(-1, 10)
