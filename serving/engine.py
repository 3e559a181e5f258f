"""The packaged ensemble, ready to answer, and the manifest beside it."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from serving.monitoring import BATCH

GRAPH = "ensemble.onnx"
MAX_BATCH = 64  # faces that are run together; see benchmarks/serving.py


def read_manifest(package: Path) -> dict[str, Any]:
    """Returns what the `package` step says of its graph: version, classes, input, lineage.

    Args:
        package: Folder that the `package` step wrote.
    """
    return json.loads((package / "manifest.json").read_text(encoding="utf-8"))


class Engine:
    """Turns faces into calibrated probabilities.

    Args:
        package: Folder that the `package` step wrote.
        threads: Threads that a batch may use.
    """

    def __init__(self, package: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Its threads would wait for work by running in circles, on cores that requests need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            package / GRAPH, options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = self._session.get_inputs()

    def warm_up(self) -> None:
        """Runs the smallest and the largest batch, so that no client waits for the first one."""
        shape = self._input.shape[1:]
        for faces in (1, MAX_BATCH):
            self.probabilities(np.zeros((faces, *shape), np.uint8))

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Answers a batch.

        Args:
            faces: (N, H, W, C) uint8.

        Returns:
            (N, classes) float32 probabilities, calibrated.
        """
        (answer,) = self._session.run(None, {self._input.name: faces})
        return answer


class Batcher:
    """Lets requests that come while a batch is running share the next one.

    Nobody waits for a batch to fill: the first request runs at once and alone, and the more
    there are, the larger the batches get.

    Args:
        engine: What answers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[np.ndarray, asyncio.Future]] = []
        self._worker: asyncio.Task | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ensemble")

    async def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Answers (N, H, W, C) uint8 faces, with (N, classes) float32."""
        parts = [faces[start : start + MAX_BATCH] for start in range(0, len(faces), MAX_BATCH)]
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in parts]
        self._waiting += zip(parts, futures, strict=True)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._run())
        return np.concatenate(await asyncio.gather(*futures))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._take()
            faces = np.concatenate([part for part, _ in batch])
            BATCH.observe(len(faces))
            try:
                answers = await loop.run_in_executor(
                    self._thread, self._engine.probabilities, faces
                )
            except Exception as error:
                outcome: list = [error] * len(batch)
            else:
                outcome = np.split(answers, np.cumsum([len(part) for part, _ in batch])[:-1])
            for (_, future), result in zip(batch, outcome, strict=True):
                if future.done():  # its client has gone
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _take(self) -> list[tuple[np.ndarray, asyncio.Future]]:
        total = np.cumsum([len(part) for part, _ in self._waiting])
        count = max(int((total <= MAX_BATCH).sum()), 1)
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
