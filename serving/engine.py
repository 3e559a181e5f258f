"""The packaged ensemble, ready to answer, and the manifest beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

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
        self._session = onnxruntime.InferenceSession(
            package / "ensemble.onnx", options, providers=["CPUExecutionProvider"]
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
