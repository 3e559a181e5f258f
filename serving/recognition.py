"""From uploaded bytes to answers: decode, detect, crop, ask the ensemble."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from opentelemetry import trace

from components.preprocess import to_face
from serving import monitoring
from serving.answers import (
    Box,
    CropOptions,
    Expression,
    Heat,
    Options,
    Picture,
    PictureFace,
    PictureOptions,
)
from serving.crops import FRAMINGS, LANDMARKS, aligned, cut, framed
from serving.detection import Faces, find, load
from serving.heat import evidence, hidden
from serving.label_sets import among, places
from serving.limits import Limits
from serving.pictures import decode
from serving.prediction_log import PredictionLog
from serving.problems import ProblemError
from serving.shadow import Shadow

Classify = Callable[[np.ndarray], Awaitable[np.ndarray]]


@dataclass(frozen=True)
class Look:
    """What was seen in a picture before the ensemble is asked.

    Attributes:
        picture: (H, W, 3) uint8 BGR.
        faces: What the detector found.
        crops: (N, h, w, c) uint8, ready for the ensemble.
        frames: (N, 4) left, top, right, bottom of each crop; meaningless where it was turned.
        detector: The one that was used.
        seconds: Spent in each stage.
    """

    picture: np.ndarray
    faces: Faces
    crops: np.ndarray
    frames: np.ndarray
    detector: str
    seconds: dict[str, float]


class Recogniser:
    """Answers pictures.

    Args:
        package: Folder of the packaged ensemble.
        detectors: Folder of the detectors' networks.
        manifest: What `read_manifest` says of it.
        classify: Asks the ensemble: (N, h, w, c) uint8 to (N, classes) probabilities.
        limits: What is accepted.
        log: Where answers are written down, if they are.
        shadow: Whose answers are compared, if there is one.
    """

    def __init__(
        self,
        package: Path,
        detectors: Path,
        manifest: dict[str, Any],
        classify: Classify,
        limits: Limits,
        log: PredictionLog | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        cores = len(os.sched_getaffinity(0))
        cv2.setNumThreads(1)  # pictures run side by side instead
        self.manifest = manifest
        self.card = (package / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.limits = limits
        self.detectors = load(detectors, threads=1)
        self._classify = classify
        self._log = log
        self._shadow = shadow
        self._shape = tuple(manifest["input"]["shape"])
        # As many pictures at a time as there are cores: more would only need memory.
        self._pool = ThreadPoolExecutor(cores, thread_name_prefix="look")
        for name, detector in self.detectors.items():
            # The first run allocates; it should not be a client's.
            find(detector, np.zeros((480, 640, 3), np.uint8), 32, 1)
            assert name in FRAMINGS

    async def picture(self, encoded: bytes, options: PictureOptions) -> tuple[Picture, np.ndarray]:
        """Answers one picture; returns its pixels, (H, W, 3) uint8 BGR, too.

        Raises:
            ProblemError: If it cannot be read, or the model does not have the labels.
        """
        chosen = self.labels(options)
        look = await self.in_pool(self._decode_and_look, encoded, options)
        answer, rows = await self._answer(look, options)
        if options.heat:
            started = time.perf_counter()
            seen = zip(answer.faces, rows, look.crops, look.frames, strict=True)
            for face, row, crop, frame in seen:
                face.heat = await self._heat(row, chosen[face.label], crop, frame)
            answer.seconds["heat"] = round(time.perf_counter() - started, 4)
        return answer, look.picture

    async def frame(self, pixels: np.ndarray, options: Options) -> Picture:
        """Answers one frame of a video, (H, W, 3) uint8 BGR."""
        look = await self.in_pool(self.look, pixels, options)
        answer, _ = await self._answer(look, options)
        return answer

    async def crops(self, faces: np.ndarray, options: CropOptions) -> list[Expression]:
        """Answers ready crops, (N, h, w, c) uint8.

        Raises:
            ProblemError: If the model does not have the labels that are asked for.
        """
        chosen = self.labels(options)
        return [self._expression(row, chosen, options.top_k) for row in await self._ask(faces)]

    async def ready_crops(self, files: list[bytes]) -> np.ndarray:
        """Decodes pictures that hold nothing but a face; returns (N, h, w, c) uint8.

        Raises:
            ProblemError: If one of them cannot be read.
        """
        return await self.in_pool(self._decode_crops, files)

    def detector(self, options: Options) -> str:
        """Returns the name of the detector that is asked for.

        Raises:
            ProblemError: If it was not packaged.
        """
        name = next(iter(self.detectors)) if options.detector == "auto" else options.detector
        if name not in self.detectors:
            detail = f"detector: {name} was not packaged; there is {', '.join(self.detectors)}."
            raise ProblemError("invalid-option", detail)
        return name

    def labels(self, options: CropOptions) -> dict[str, int]:
        """Returns the labels that are asked for, with their places in the model's answers.

        Raises:
            ProblemError: If the model does not have one of them.
        """
        return places(self.manifest["classes"], options.label_set)

    def look(self, pixels: np.ndarray, options: Options) -> Look:
        """Finds and cuts out the faces of one picture, (H, W, 3) uint8 BGR."""
        name = self.detector(options)
        started = time.perf_counter()
        faces = find(
            self.detectors[name], pixels, options.min_face, options.max_faces, options.turned
        )
        frames = np.array([framed(box, FRAMINGS[name]) for box in faces.boxes]).reshape(-1, 4)
        crops = np.empty((len(frames), *self._shape), np.uint8)
        for crop, frame, landmarks in zip(crops, frames, faces.landmarks, strict=True):
            turned = options.align == "landmarks"
            part = aligned(pixels, landmarks) if turned else cut(pixels, frame)
            crop[...] = to_face(part, self._shape)
        return Look(pixels, faces, crops, frames, name, {"detect": time.perf_counter() - started})

    async def in_pool(self, work: Callable, *arguments: object) -> Any:
        """Runs `work` beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _decode_and_look(self, encoded: bytes, options: Options) -> Look:
        started = time.perf_counter()
        pixels = decode(encoded, self.limits.max_pixels)
        spent = time.perf_counter() - started
        look = self.look(pixels, options)
        return replace(look, seconds={"decode": spent} | look.seconds)

    def _decode_crops(self, files: list[bytes]) -> np.ndarray:
        faces = [to_face(decode(file, self.limits.max_pixels), self._shape) for file in files]
        return np.stack(faces)

    async def _answer(self, look: Look, options: Options) -> tuple[Picture, np.ndarray]:
        """Asks the ensemble about a picture's faces; returns their probabilities, too."""
        started = time.perf_counter()
        rows = await self._ask(look.crops, look.faces.scores, look.faces.boxes)
        chosen = self.labels(options)
        expressions = [self._expression(row, chosen, options.top_k) for row in rows]
        seconds = look.seconds | {"classify": time.perf_counter() - started}
        span = trace.get_current_span()
        span.set_attribute("mien.faces", len(expressions))
        for stage, spent in seconds.items():
            monitoring.SECONDS.labels(stage).observe(spent)
            span.set_attribute(f"mien.{stage}_seconds", spent)
        monitoring.PICTURES.inc()
        monitoring.PER_PICTURE.observe(len(expressions))
        height, width = look.picture.shape[:2]
        found = zip(
            expressions, look.faces.boxes, look.faces.landmarks, look.faces.scores, strict=True
        )
        answer = Picture(
            faces=[_face(*one) for one in found],
            width=width,
            height=height,
            detector=look.detector,
            seconds={stage: round(spent, 4) for stage, spent in seconds.items()},
        )
        return answer, rows

    async def _ask(self, crops: np.ndarray, *detected: np.ndarray) -> np.ndarray:
        if not len(crops):
            return np.empty((0, len(self.manifest["classes"])), np.float32)
        answers = await self._classify(crops)
        if self._shadow:
            self._shadow.compare(crops, answers)
        if self._log:
            self._pool.submit(self._log.write, crops, answers, *detected)  # nobody waits for it
        return answers

    async def _heat(
        self, whole: np.ndarray, label: int, crop: np.ndarray, frame: np.ndarray
    ) -> Heat:
        """Asks about a face, answered with `whole`, with each of its parts hidden."""
        parts = await self._classify(hidden(crop))
        grid = evidence(whole, parts, label)
        return Heat(frame=_box(frame), grid=grid.round(3).tolist())

    def _expression(
        self, probabilities: np.ndarray, chosen: dict[str, int], top_k: int | None
    ) -> Expression:
        shares = among(probabilities, chosen)
        classes = list(chosen)
        order = range(len(classes)) if top_k is None else np.argsort(-shares)[:top_k]
        label = classes[int(shares.argmax())]
        threshold = self.manifest.get("abstain_below")
        best = int(probabilities.argmax())  # of all that the model knows
        sure = threshold is not None and float(probabilities[best]) >= threshold
        certain = None if threshold is None else sure and chosen[label] == best
        monitoring.FACES.labels(label).inc()
        if certain is False:
            monitoring.UNCERTAIN.inc()
        return Expression(
            label=label,
            probabilities={classes[i]: float(shares[i]) for i in order},
            certain=certain,
        )


def _box(edges: np.ndarray) -> Box:
    left, top, right, bottom = (round(float(edge), 1) for edge in edges)
    return Box(left=left, top=top, width=round(right - left, 1), height=round(bottom - top, 1))


def _face(
    expression: Expression, box: np.ndarray, landmarks: np.ndarray, score: float
) -> PictureFace:
    points = ((round(float(x), 1), round(float(y), 1)) for x, y in landmarks)
    return PictureFace(
        **dict(expression),
        box=_box(box),
        landmarks=dict(zip(LANDMARKS, points, strict=True)),
        detection_score=round(float(score), 4),
    )
