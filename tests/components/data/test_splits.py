import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.data.foreign import fold, label_codes, split_name
from components.data.splits import NO_SPLIT, complete, straddling
from components.errors import InputError
from components.settings import SplitSettings

TENTHS = SplitSettings(val=0.1, test=0.1, seed=0)
TRAIN, VAL, TEST = range(3)
RNG = np.random.default_rng(0)


def nothing_given(count: int) -> np.ndarray:
    return np.full(count, NO_SPLIT, np.int8)


def alone(count: int) -> np.ndarray:
    return np.zeros(count, np.uint64)


def test_classes_stand_in_every_split_in_proportion():
    labels = np.repeat([0, 1, 2], [1000, 300, 100])
    split = complete(nothing_given(1400), labels, alone(1400), TENTHS)
    for label, size in ((0, 1000), (1, 300), (2, 100)):
        counts = np.bincount(split[labels == label], minlength=3) / size
        assert counts == pytest.approx([0.8, 0.1, 0.1], abs=0.011)


@pytest.mark.parametrize(("val", "test"), [(0.15, 0.3), (0.01, 0.02), (0.4, 0.4)])
def test_shares_are_those_of_the_settings(val, test):
    chosen = SplitSettings(val=val, test=test, seed=0)
    split = complete(nothing_given(5000), RNG.integers(0, 7, 5000), alone(5000), chosen)
    shares = np.bincount(split, minlength=3) / 5000
    assert shares == pytest.approx([1 - val - test, val, test], abs=0.02)


def test_groups_stay_together_and_classes_nearly_in_proportion():
    groups = RNG.integers(1, 120, 2000).astype(np.uint64)
    labels = RNG.integers(0, 7, 2000)
    split = complete(nothing_given(2000), labels, groups, TENTHS)
    assert straddling(split, groups) == 0
    for label in range(7):
        shares = np.bincount(split[labels == label], minlength=3) / (labels == label).sum()
        assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.05)


def test_what_is_given_stays_and_only_what_is_missing_is_made():
    given = np.repeat([TRAIN, TEST], [900, 100]).astype(np.int8)
    split = complete(given, np.zeros(1000, int), alone(1000), TENTHS)
    assert (split[900:] == TEST).all()
    assert np.bincount(split[:900]).tolist() == [810, 90]


def test_with_all_splits_given_a_face_without_one_trains():
    given = np.array([TRAIN, VAL, TEST, NO_SPLIT], np.int8)
    assert complete(given, np.zeros(4, int), alone(4), TENTHS).tolist() == [0, 1, 2, 0]


def test_a_face_without_split_joins_its_group():
    given = np.array([TRAIN, VAL, TEST, NO_SPLIT, NO_SPLIT], np.int8)
    groups = np.array([1, 2, 3, 3, 4], np.uint64)
    assert complete(given, np.zeros(5, int), groups, TENTHS).tolist() == [0, 1, 2, 2, 0]


def test_the_seed_decides():
    labels = RNG.integers(0, 7, 500)
    splits = [
        complete(nothing_given(500), labels, alone(500), TENTHS.model_copy(update={"seed": seed}))
        for seed in (0, 0, 1)
    ]
    assert (splits[0] == splits[1]).all()
    assert (splits[0] != splits[2]).any()


def test_too_few_groups_are_told():
    with pytest.raises(InputError, match="name no test split, and their 40 training faces"):
        complete(nothing_given(40), np.zeros(40, int), np.ones(40, np.uint64), TENTHS)


@hypothesis_settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-1, 2), st.integers(-1, 16), st.integers(0, 6)), max_size=40
    )
)
def test_any_faces_are_split_or_too_few(rows):
    given_, strata, groups = np.array(rows, int).reshape(-1, 3).T
    groups = groups.astype(np.uint64)
    try:
        split = complete(given_.astype(np.int8), strata, groups, TENTHS)
    except InputError:
        return
    assert (split[given_ > TRAIN] == given_[given_ > TRAIN]).all()
    assert set(split) == {TRAIN, VAL, TEST} or set(given_) >= {VAL, TEST}
    if (given_ == NO_SPLIT).all():
        assert straddling(split, groups) == 0


# --- foreign names -----------------------------------------------------------------------------


def test_labels_are_known_by_name_code_and_map():
    codes = label_codes({"Happiness": "happy", "contempt": "none", "rage": "0"})
    assert [codes[name] for name in ("happy", "3", "happiness", "contempt", "rage")] == [
        3,
        3,
        3,
        -1,
        0,
    ]
    assert "4" not in label_codes({"1": "happy"})
    with pytest.raises(ValueError, match="'joyful' for 'x', not one of angry, disgust"):
        label_codes({"x": "joyful"})


def test_labels_and_splits_are_compared_without_case_spaces_and_points():
    assert [fold(label) for label in (" HAPPY ", "3.0", "03", "3.5")] == ["happy", "3", "3", "3.5"]
    assert [split_name(name) for name in ("Valid", "PublicTest", " TEST ", "dev", "")] == [
        "val",
        "val",
        "test",
        None,
        None,
    ]
