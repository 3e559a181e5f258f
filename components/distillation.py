"""Knowledge distillation: a network learns from what a packaged ensemble answers, too.

G. Hinton, O. Vinyals & J. Dean, "Distilling the Knowledge in a Neural Network" (2015),
arXiv:1503.02531, section 2.
"""

import json
from pathlib import Path

import keras
import numpy as np
import onnxruntime
from scipy.special import softmax

from components.batches import Batches, once_a_face
from components.errors import InputError
from components.metrics import SMALLEST
from components.settings import DistilSettings

AT_ONCE = 256  # faces


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, and with a teacher at a temperature.

    Targets are (N, 2 classes): the label's distribution, then the teacher's, which is at the
    temperature already. The teacher's share is multiplied by the squared temperature, which
    keeps its gradient's size. Targets of (N, classes) have no teacher, as in validation.

    Args:
        settings: Share and temperature.
        own: Of the labels, (N, classes), and the logits.
    """

    def __init__(self, settings: DistilSettings, own: keras.losses.Loss) -> None:
        super().__init__(name="distillation")
        self.settings = settings
        self.own = own

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        classes = y_pred.shape[-1]
        own = self.own.call(y_true[:, :classes], y_pred)
        if y_true.shape[-1] == classes:
            return own
        temperature, share = self.settings.temperature, self.settings.weight
        taught = keras.losses.categorical_crossentropy(
            y_true[:, classes:], y_pred / temperature, from_logits=True
        )
        return (1 - share) * own + share * temperature**2 * taught


def soft_targets(
    batches: Batches, classes: tuple[str, ...], settings: DistilSettings, cache: Path
) -> np.ndarray:
    """Asks the teacher about every training face, as it is, once.

    Args:
        batches: N training examples; a face that repeats is asked about once.
        classes: Names of the classes, in label order.
        settings: Names the teacher's folder.
        cache: A `.npy` file with its answers to read, or else to write.

    Returns:
        (N, classes) float32 distributions at the temperature, in the order of `batches.rows`.

    Raises:
        InputError: If the folder is no packaged ensemble, or one of other classes or faces.
    """

    def answers(rows: np.ndarray) -> np.ndarray:
        shape = batches[0][0].shape[1:]
        session = _session(Path(settings.teacher), classes, shape)
        name = session.get_inputs()[0].name
        parts = np.split(rows, range(AT_ONCE, len(rows), AT_ONCE))
        shown = (batches.images[part].reshape(-1, *shape) for part in parts)
        return np.concatenate([session.run(None, {name: faces})[0] for faces in shown])

    logs = np.log(np.maximum(once_a_face(batches, cache, answers), SMALLEST))
    return softmax(logs / settings.temperature, axis=1).astype(np.float32)


def _session(
    teacher: Path, classes: tuple[str, ...], shape: tuple[int, ...]
) -> onnxruntime.InferenceSession:
    try:
        manifest = json.loads((teacher / "manifest.json").read_text(encoding="utf-8"))
        graph = (teacher / "ensemble.onnx").read_bytes()
    except (OSError, ValueError):
        raise InputError(
            f"train.*.distil.teacher: {teacher} is no packaged ensemble; name a copy of a folder "
            "that the package step wrote."
        ) from None
    theirs = (manifest["classes"], manifest["input"]["shape"])
    if theirs != (list(classes), list(shape)):
        raise InputError(
            f"train.*.distil.teacher: {teacher} tells {', '.join(theirs[0])} on faces of "
            f"{theirs[1]} and not {', '.join(classes)} on faces of {list(shape)}; name a teacher "
            "of the same label set and face size."
        )
    return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
