"""A challenger in the champion's shadow: it is asked the same, and its answers are only counted.

MIEN_SHADOW names the folder of its package, such as `artifacts/package`. It answers after the
client has been answered, and skips what it has no time for.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from serving import monitoring
from serving.engine import Engine, read_manifest

logger = logging.getLogger("serving")
MOST_WAITING = 4  # batches; further ones are skipped


class Shadow:
    """Compares a challenger's answers with those that were given.

    Args:
        package: Folder of the challenger.
        manifest: Of the model that answers.

    Raises:
        ValueError: If the two take other faces or know other classes.
    """

    def __init__(self, package: Path, manifest: dict[str, Any]) -> None:
        own = read_manifest(package)
        for key in ("classes", "input"):
            if own[key] != manifest[key]:
                raise ValueError(f"{key} of {package} is {own[key]}, of the model {manifest[key]}")
        self.version = own["version"]
        self._classes = own["classes"]
        self._engine = Engine(package, threads=1)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._waiting = 0

    def compare(self, faces: np.ndarray, answers: np.ndarray) -> None:
        """Asks the challenger, beside the event loop and for nobody to wait.

        Args:
            faces: (N, h, w, c) uint8.
            answers: (N, classes) that were given.
        """
        if self._waiting >= MOST_WAITING:
            monitoring.SHADOW_SKIPPED.inc(len(faces))
            return
        self._waiting += 1
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._thread, self._compare, faces, answers).add_done_callback(
            self._done
        )

    def _compare(self, faces: np.ndarray, answers: np.ndarray) -> None:
        others = self._engine.probabilities(faces)
        labels, shadows = answers.argmax(axis=1), others.argmax(axis=1)
        for label, shadow in zip(labels, shadows, strict=True):
            monitoring.SHADOW.labels(self._classes[label], self._classes[shadow]).inc()
        apart = np.abs(answers - others).sum(axis=1) / 2  # total variation
        fields = {"version": self.version, "faces": len(faces)}
        fields |= {"agreed": int((labels == shadows).sum()), "apart": round(float(apart.mean()), 4)}
        logger.info("shadow", extra={"fields": fields})

    def _done(self, task: asyncio.Future) -> None:
        self._waiting -= 1
        if task.exception() is not None:
            logger.error("shadow", exc_info=task.exception())


def open_shadow(folder: str | None, manifest: dict[str, Any]) -> Shadow | None:
    """Loads the challenger that MIEN_SHADOW names; there is none where it does not fit."""
    if not folder:
        return None
    try:
        return Shadow(Path(folder), manifest)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        logger.error("no shadow: %s", error)
        return None
