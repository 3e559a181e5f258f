"""A network that learns from a packaged ensemble, which answers the other way round."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax

from components import settings
from components.batches import Batches, one_hot
from components.data.faces import IMAGES, TABLE, write_images
from components.distillation import DistillationLoss, soft_targets
from components.errors import InputError
from components.package import package
from components.recipe import cross_entropy
from components.settings import DistilSettings, PackageSettings
from components.train import train

PARAMS = Path(__file__).parents[2] / "params.yaml"
CLASSES = ("angry", "happy", "neutral")
SCORES = {
    f"{split}.{name}": 0.5
    for split in ("test", "test_leak_free")
    for name in (
        *("n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "nll", "ece"),
        *("coverage", "risk"),
    )
}
PLAIN = settings.load(PARAMS).train.common.model_copy(
    update={"epochs": 40, "batch_size": 8, "learning_rate": 0.02}
)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory) -> Path:
    """Says `angry` of bright faces and `neutral` of dark ones, which is the wrong way round."""
    folder = tmp_path_factory.mktemp("packaged")
    inputs = keras.Input((8, 8, 1))
    light = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(light))
    model.set_weights([np.array([[9.0, 5.0, 0.0]]), np.array([-3.9, -1.0, 1.0])])
    for step in ("member", "ensemble", "faces"):
        (folder / step).mkdir()
    model.save(folder / "member" / "model.keras")
    settled = {"rule": "equal", "weights": {"member": 1.0}, "stacking": None}
    settled |= {"temperature": 1.0, "tta": "none", "abstain_below": 0.4}
    (folder / "ensemble" / "ensemble.json").write_text(json.dumps(settled))
    rows = pd.DataFrame({"row": np.arange(20), "split": "test", "label": np.int8(0)})
    rows = rows.assign(**dict.fromkeys(CLASSES, 1 / 3))
    rows.to_parquet(folder / "ensemble" / "predictions.parquet")
    write_images(folder / "faces" / IMAGES, [np.zeros((20, 8, 8), np.uint8)])
    rows.assign(id="").to_parquet(folder / "faces" / TABLE)
    package(
        {"member": folder / "member"},
        folder / "ensemble",
        folder / "faces",
        SCORES,
        folder / "teacher",
        PackageSettings(name="mien", weights="float32", parity_tolerance=1e-4),
        label_set="x",
        classes=CLASSES,
        data_md5="abc",
    )
    return folder / "teacher"


@pytest.fixture
def teacher(packaged, tmp_path) -> Path:
    return shutil.copytree(packaged, tmp_path / "teacher")


def distil(teacher: Path, weight: float = 1.0, temperature: float = 2.0) -> DistilSettings:
    return DistilSettings(teacher=str(teacher), weight=weight, temperature=temperature)


def faces(inputs: dict[str, Path]) -> Batches:
    images = np.load(inputs["faces"] / "faces.npy")
    rows = np.array([5, 0, 5, 7])
    return Batches(images, rows, one_hot(rows % 3, 3), batch_size=4)


def test_a_network_learns_what_the_teacher_says_and_not_what_the_labels_say(
    teacher, training_inputs, tmp_path
):
    def right(share: float) -> float:
        train(
            **training_inputs,
            out=tmp_path / "out",
            settings=PLAIN.model_copy(update={"distil": distil(teacher, share)}),
            classes=CLASSES,
            checkpoints=tmp_path / "checkpoints",
        )
        answers = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
        extreme = answers[answers["label"] != 1]
        return (extreme[list(CLASSES)].to_numpy().argmax(axis=1) == extreme["label"]).mean()

    assert right(0.0) > 0.8
    assert right(1.0) < 0.2


def test_the_teacher_is_asked_once_about_every_face_and_heard_at_the_temperature(
    teacher, training_inputs, tmp_path
):
    feed = faces(training_inputs)
    cache = tmp_path / "teacher.npy"
    at_one = soft_targets(feed, CLASSES, distil(teacher, temperature=1.0), cache)
    assert len(np.load(cache)) == 3
    images = feed.images[feed.rows].astype(np.float32)
    light = images.mean(axis=(1, 2)) / 255
    logits = light[:, None] * [9.0, 5.0, 0.0] + [-3.9, -1.0, 1.0]
    np.testing.assert_allclose(at_one, softmax(logits, axis=1), atol=1e-5)
    (teacher / "ensemble.onnx").unlink()
    at_two = soft_targets(feed, CLASSES, distil(teacher, temperature=2.0), cache)
    np.testing.assert_allclose(at_two, softmax(logits / 2, axis=1), atol=1e-5)


def test_the_loss_is_that_of_the_paper_and_without_a_teacher_the_plain_one():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 3)).astype(np.float32)
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    taught = softmax(rng.normal(size=(5, 3)), axis=1).astype(np.float32)
    loss = DistillationLoss(distil(Path("-"), weight=0.3, temperature=4.0), own=cross_entropy())
    own = -(labels * log_softmax(logits, axis=1)).sum(axis=1)
    theirs = -(taught * log_softmax(logits / 4, axis=1)).sum(axis=1)
    both = loss(np.concatenate([labels, taught], axis=1), logits)
    assert float(both) == pytest.approx((0.7 * own + 0.3 * 16 * theirs).mean(), rel=1e-5)
    assert float(loss(labels, logits)) == pytest.approx(own.mean(), rel=1e-5)


def test_a_training_with_a_teacher_goes_on_as_if_it_had_not_been_interrupted(
    teacher, training_inputs, tmp_path
):
    recipe = PLAIN.model_copy(update={"epochs": 3, "distil": distil(teacher, 0.5)})

    def run(name: str, **options) -> bytes:
        train(
            **training_inputs,
            out=tmp_path / name,
            settings=recipe,
            classes=CLASSES,
            checkpoints=tmp_path / f"{name} checkpoints",
            **options,
        )
        return (tmp_path / name / "model.keras").read_bytes()

    def kill(epoch: int, figures: dict) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("broken", on_epoch=kill)
    assert run("broken") == whole


def test_a_teacher_of_other_classes_or_none_is_refused(teacher, training_inputs, tmp_path):
    feed, cache = faces(training_inputs), tmp_path / "teacher.npy"
    with pytest.raises(InputError, match="tells angry, happy, neutral on faces of"):
        soft_targets(feed, ("sad", "happy", "neutral"), distil(teacher), cache)
    with pytest.raises(InputError, match=r"nowhere is no packaged ensemble; name a copy"):
        soft_targets(feed, CLASSES, distil(tmp_path / "nowhere"), cache)
