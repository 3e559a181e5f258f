"""The prediction log: a line of JSON a face, for `python -m pipelines.drift`. Never a pixel.

Off unless MIEN_PREDICTION_LOG names a folder. A line has the time, the model's version, what was
answered, how sure the detector was, how large the face is, its light and sharpness, and 16 numbers
for what it looks like (components/measures.py).
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from components.measures import embed, measures

NAME = "predictions.jsonl"
FILES = 5  # the newest and, as predictions.jsonl.1 to .4, older ones
logger = logging.getLogger("serving")


class Logging(BaseModel):
    """Each is set by an environment variable of its name, as in `MIEN_PREDICTION_LOG`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prediction_log: Path | None = None  # folder; without it nothing is logged
    prediction_log_bytes: PositiveInt = 100 * 2**20  # of all files; the oldest goes first


def from_environment() -> Logging:
    """Reads what `MIEN_...` variables say.

    Raises:
        pydantic.ValidationError: If one is of the wrong kind.
    """
    names = {name: f"MIEN_{name.upper()}" for name in Logging.model_fields}
    return Logging(**{name: os.environ[key] for name, key in names.items() if key in os.environ})


class PredictionLog:
    """Writes down what was answered.

    Args:
        folder: To write `predictions.jsonl` to.
        manifest: Of the model that answers.
        most: Bytes of all files.

    Raises:
        OSError: If the folder cannot be written to.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], most: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handler = _Lines(
            folder / NAME, maxBytes=max(most // FILES, 1), backupCount=FILES - 1, encoding="utf-8"
        )
        self._version = manifest["version"]
        self._classes = manifest["classes"]

    def write(
        self,
        crops: np.ndarray,
        probabilities: np.ndarray,
        scores: np.ndarray | None = None,
        boxes: np.ndarray | None = None,
    ) -> None:
        """Writes a line a face; what goes wrong is said in the service's log, once.

        Args:
            crops: (N, h, w, c) uint8, as the ensemble got them.
            probabilities: (N, classes), as it answered.
            scores: (N,) of the detector; None where the client cut the faces out.
            boxes: (N, 4) left, top, right, bottom in the picture; None as above.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        numbers = {name: values.round(4) for name, values in measures(crops).items()}
        embeddings = embed(crops).astype(float).round(4)
        for row, answer in enumerate(probabilities.astype(float).round(6)):
            line = {
                "time": now,
                "model_version": self._version,
                "label": self._classes[int(answer.argmax())],
                "probabilities": dict(zip(self._classes, answer.tolist(), strict=True)),
                "confidence": float(answer.max()),
                "detection_score": None if scores is None else round(float(scores[row]), 4),
                "face_size": None if boxes is None else _size(boxes[row]),
                **{name: float(values[row]) for name, values in numbers.items()},
                "embedding": embeddings[row].tolist(),
            }
            self._handler.handle(logging.makeLogRecord({"msg": json.dumps(line)}))


class _Lines(RotatingFileHandler):
    failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, logging's name
        if not self.failed:
            logger.error("prediction log: %s; faces go unlogged", sys.exception())
        self.failed = True


def _size(box: np.ndarray) -> float:
    """The longer side, in pixels."""
    return round(float(max(box[2] - box[0], box[3] - box[1])), 1)


def open_log(settings: Logging, manifest: dict[str, Any]) -> PredictionLog | None:
    """Opens the log, if there is to be one.

    Raises:
        OSError: If its folder cannot be written to.
    """
    if settings.prediction_log is None:
        return None
    return PredictionLog(settings.prediction_log, manifest, settings.prediction_log_bytes)
