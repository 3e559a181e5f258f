import numpy as np
import pandas as pd
import pytest

from components.data.faces import VOTE_FIELDS
from components.evaluation.slices import slices


@pytest.fixture
def images() -> np.ndarray:
    """90 faces, (90, 8, 8) uint8: dark ones first, then ever brighter."""
    levels = np.linspace(30, 200, 90)[:, None, None]
    return (levels + np.random.default_rng(0).normal(0, 5, (90, 8, 8))).astype(np.uint8)


def about(**columns) -> pd.DataFrame:
    rows = {"id": [f"fer{row:07d}" for row in range(90)], "split": "test", "label": 0}
    return pd.DataFrame(rows | columns)


def test_light_is_cut_into_thirds(images):
    parts = slices(images, about())
    thirds = {name: part.sum() for name, part in parts.items() if name.startswith("brightness")}
    assert list(thirds) == ["brightness.dark", "brightness.medium", "brightness.bright"]
    assert set(thirds.values()) == {30}
    assert parts["brightness.dark"][:25].all()
    assert parts["brightness.bright"][-25:].all()


def test_every_face_is_in_one_slice_of_a_kind(images):
    parts = slices(images, about())
    for kind in ("brightness", "contrast", "sharpness"):
        own = [part for name, part in parts.items() if name.startswith(kind)]
        assert (np.sum(own, axis=0) == 1).all()


def test_what_the_data_say_of_people_makes_slices(images):
    parts = slices(images, about(gender=["f", "m"] * 45, age=np.linspace(5, 80, 90)))
    assert (parts["gender.f"] == (np.arange(90) % 2 == 0)).all()
    assert parts["age.low"][:30].all()
    assert not parts["age.low"][30:].any()


def test_unknown_values_are_in_no_slice(images):
    gender = np.array(["f", "m"] * 45, object)
    gender[:10] = None
    parts = slices(images, about(gender=gender))
    assert parts["gender.f"].sum() == 40
    assert not parts["gender.f"][:10].any()


def test_groups_of_few_faces_tell_nothing(images):
    people = [f"S{row // 5:03d}" for row in range(90)]
    assert not [name for name in slices(images, about(group=people)) if name.startswith("group")]


def test_of_many_groups_the_largest_are_looked_at():
    images = np.zeros((30 * 15 + 1, 8, 8), np.uint8)
    people = pd.Series([f"S{row // 30:03d}" for row in range(len(images) - 1)] + ["S014"])
    parts = slices(images, pd.DataFrame({"group": people}))
    named = [name for name in parts if name.startswith("group")]
    assert len(named) == 12
    assert "group.S014" in named


def test_what_names_a_face_or_is_predicted_makes_no_slice(images):
    parts = slices(
        images, about(path="x", source="y", named=[True, False] * 45, vote_anger=[0, 1] * 45)
    )
    assert {name.partition(".")[0] for name in parts} == {"brightness", "contrast", "sharpness"}


def test_faces_that_most_taggers_agree_on_are_apart(images):
    votes = np.zeros((90, len(VOTE_FIELDS)), int)
    votes[:40, 0] = 10
    votes[40:, :2] = 5
    parts = slices(images, about(**dict(zip(VOTE_FIELDS, votes.T, strict=True))))
    assert parts["taggers.majority"][:40].all()
    assert not parts["taggers.majority"][40:].any()
    assert (parts["taggers.divided"] == ~parts["taggers.majority"]).all()
