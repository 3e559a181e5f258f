"""Votes as a second task: three classes by brightness, and taggers who see other things."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax

from components import models, settings
from components.batches import Batches, one_hot
from components.data.faces import TABLE, VOTE_FIELDS, FaceSet
from components.distillation import DistillationLoss
from components.errors import InputError
from components.recipe import compile_model, cross_entropy, predict
from components.second_task import COLUMNS, WithVotes, vote_targets, with_head
from components.settings import DistilSettings
from components.train import train

PARAMS = Path(__file__).parents[2] / "params.yaml"
CLASSES = ("angry", "happy", "neutral")
PLAIN = settings.load(PARAMS).train.common.model_copy(
    update={"epochs": 3, "batch_size": 8, "learning_rate": 0.02}
)
RNG = np.random.default_rng(0)
LABELS = one_hot(np.array([0, 1, 2, 0]), 3)
VOTES = softmax(RNG.normal(size=(4, COLUMNS)), axis=1).astype(np.float32)
LOGITS = RNG.normal(size=(4, 3 + COLUMNS)).astype(np.float32)


@pytest.fixture
def voted(training_inputs) -> dict[str, Path]:
    """The training inputs; of the taggers all but one see column 9 in dark faces, else 0."""
    add_votes(training_inputs["faces"])
    return training_inputs


def add_votes(faces: Path) -> None:
    table = pd.read_parquet(faces / TABLE)
    votes = np.zeros((len(table), COLUMNS), np.int8)
    votes[:, 4] = 1
    votes[np.arange(len(table)), np.where(table["label"] == 0, 9, 0)] = 9
    table.assign(**dict(zip(VOTE_FIELDS, votes.T, strict=True))).to_parquet(faces / TABLE)


def run(inputs: dict[str, Path], out: Path, **changes) -> list[np.ndarray]:
    train(
        **inputs,
        out=out,
        settings=PLAIN.model_copy(update=changes),
        classes=CLASSES,
        checkpoints=out.with_name(f"{out.name} checkpoints"),
    )
    return keras.models.load_model(out / "model.keras").get_weights()


def test_the_votes_share_in_the_loss_and_not_in_that_of_validation():
    own = -(LABELS * log_softmax(LOGITS[:, :3], axis=1)).sum(axis=1)
    seen = -(VOTES * log_softmax(LOGITS[:, 3:], axis=1)).sum(axis=1)
    loss = WithVotes(cross_entropy(), 0.5)
    both = loss(np.concatenate([LABELS, VOTES], axis=1), LOGITS)
    assert float(both) == pytest.approx((own + 0.5 * seen).mean(), rel=1e-5)
    assert float(loss(LABELS, LOGITS)) == pytest.approx(own.mean(), rel=1e-5)


def test_a_teacher_is_heard_beside_the_votes():
    taught = softmax(RNG.normal(size=(4, 3)), axis=1).astype(np.float32)
    settings = DistilSettings(teacher="-", weight=0.3, temperature=2.0)
    own = DistillationLoss(settings, cross_entropy())
    alone = own(np.concatenate([LABELS, taught], axis=1), LOGITS[:, :3])
    seen = -(VOTES * log_softmax(LOGITS[:, 3:], axis=1)).sum(axis=1).mean()
    both = WithVotes(own, 2.0)(np.concatenate([LABELS, taught, VOTES], axis=1), LOGITS)
    assert float(both) == pytest.approx(float(alone) + 2 * seen, rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.25])  # half of a pair that mixup made has none: 0.5
def test_a_face_teaches_as_much_as_it_has_votes(share):
    head = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3 + COLUMNS, use_bias=False)])
    head.set_weights([LOGITS[:1]])
    targets = np.concatenate([LABELS[:1], share * VOTES[:1]], axis=1)
    head.compile(keras.optimizers.SGD(1.0), WithVotes(cross_entropy(), 1.0), jit_compile=False)
    head.train_on_batch(np.ones((1, 1)), targets)
    step = (head.get_weights()[0] - LOGITS[:1])[0, 3:]
    slope = softmax(LOGITS[0, 3:]) - VOTES[0]
    np.testing.assert_allclose(step, -share * slope, atol=1e-6)


@pytest.mark.parametrize("name", ["mien", "mini_xception", "detect_emotion", "attention_cnn"])
def test_every_kind_of_network_takes_a_second_head(name):
    model = models.build(name, (48, 48, 1), 7, 48)
    faces = RNG.integers(0, 256, (2, 48, 48, 1)).astype(np.float32)
    both = predict(with_head(model), faces)
    assert both.shape == (2, 7 + COLUMNS)
    np.testing.assert_array_equal(both[:, :7], predict(model, faces))


def test_the_second_head_learns_what_the_taggers_see(voted):
    face_set = FaceSet.open(voted["faces"])
    rows = np.arange(41)
    feed = Batches(face_set.images, rows, one_hot(rows % 3, 3), batch_size=8, augmentation=STILL)
    feed.further = vote_targets(face_set, rows)
    faces = keras.Input((8, 8, 1))
    light = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(faces))
    model = with_head(keras.Model(faces, keras.layers.Dense(3)(light)))
    loss = WithVotes(cross_entropy(), 1.0)
    compile_model(model, optimizer="adamw", learning_rate=0.1, steps=None, loss=loss, classes=3)
    history = model.fit(feed, epochs=40, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    told = predict(model, feed.images[:41, ..., None].astype(np.float32))[:, 3:]
    assert (told.argmax(axis=1) == np.where(rows % 3 == 0, 9, 0)).mean() > 0.9


STILL = PLAIN.augment.model_copy(
    update={"shift": 0, "rotate": 0, "zoom": 0, "contrast": 0, "brightness": 0, "erase": 0}
)


def test_it_moves_the_body_and_is_not_kept(voted, tmp_path):
    alone, both = run(voted, tmp_path / "alone"), run(voted, tmp_path / "both", votes=1.0)
    assert [values.shape for values in both] == [values.shape for values in alone]
    assert np.abs(alone[0] - both[0]).max() > 1e-3


def test_it_leaves_the_first_head_alone(voted, tmp_path):
    faces = keras.Input((8, 8, 1))
    light = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(faces))
    bodiless = keras.Model(faces, keras.layers.Dense(3)(light))
    voted["architecture"].write_text(bodiless.to_json())
    assert_equal(run(voted, tmp_path / "alone"), run(voted, tmp_path / "both", votes=1.0))


def test_with_smaller_faces_in_bfloat16_and_mixed_it_ends_as_if_not_interrupted(voted, tmp_path):
    changes = {
        "votes": 0.5,
        "ema": 0.9,
        "precision": "mixed_bfloat16",
        "mix": settings.MixSettings(method="mixup", alpha=0.2),
        "sizes": [settings.SizeSettings(until=0.5, size=6)],
    }

    def stop(epoch: int, figures: dict) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    whole = run(voted, tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        train(
            **voted,
            out=tmp_path / "broken",
            settings=PLAIN.model_copy(update=changes),
            classes=CLASSES,
            checkpoints=tmp_path / "broken checkpoints",
            on_epoch=stop,
        )
    assert_equal(whole, run(voted, tmp_path / "broken", **changes))


def test_synthetic_faces_have_no_votes(voted):
    targets = vote_targets(FaceSet.open(voted["faces"]), np.array([1, 60, 0, 99]))
    np.testing.assert_allclose(targets.sum(axis=1), [1, 0, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(targets[:3:2, 9], [0, 0.9], rtol=1e-6)


def test_faces_without_votes_are_refused(training_inputs, tmp_path):
    with pytest.raises(InputError, match=r"no FER\+ votes; put fer2013new.csv beside"):
        run(training_inputs, tmp_path / "out", votes=0.5)


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
