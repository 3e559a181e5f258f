from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.balance import balance
from components.data.synthetic import training_images
from components.errors import InputError
from components.interpolation import recipes
from components.settings import AugmentSettings, BalanceSettings

LABELS = [0] * 9 + [1] * 4 + [2] * 5 + [3, 4, 5, 6] * 4  # of the training faces
HELD_OUT = [1, 1, 1]
SETTINGS = BalanceSettings(
    method="none",
    neighbours=3,
    minority_times=3,
    augment=AugmentSettings(
        flip=True, shift=0.1, rotate=5.0, zoom=0.1, contrast=0.1, brightness=5.0, erase=0.0
    ),
    seed=0,
)


@pytest.fixture
def faces(make_faces) -> Path:
    """Training faces, then some of validation and test: bright, so that mixing up shows."""
    labels = LABELS + HELD_OUT
    splits = ["train"] * len(LABELS) + ["val", "val", "test"]
    images = np.random.default_rng(0).integers(0, 200, (len(labels), 8, 8), np.uint8)
    images[len(LABELS) :] = 255
    return make_faces(labels, splits, images)


@pytest.fixture
def kept(faces) -> Path:
    """What `clean` leaves: all but the second training face."""
    folder = faces.parent / "kept"
    folder.mkdir()
    table = pd.read_parquet(faces / "faces.parquet").assign(leaked=False)
    table = table.rename_axis("row").reset_index().drop(index=1)
    table.attrs["label_set"] = "fer2013"
    table.to_parquet(folder / "kept.parquet", index=False)
    return folder


KEPT = [0, *range(2, len(LABELS))]  # rows


def run(kept: Path, *method: str, **changes) -> tuple[dict[str, float], pd.DataFrame]:
    out = kept.parent / "balanced"
    changed = SETTINGS.model_dump() | {"method": list(method)} | changes
    settings = BalanceSettings.model_validate(changed)
    metrics = balance(kept.parent / "faces", kept, out, settings)
    return metrics, pd.read_parquet(out / "training.parquet")


def made(kept: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """The synthetic faces and what they were made of."""
    out = kept.parent / "balanced"
    return np.load(out / "synthetic.npy"), pd.read_parquet(out / "synthetic.parquet")


@pytest.mark.parametrize("method", ["none", "random", "class_weight"])
def test_every_method_keeps_faces_with_their_labels_and_to_training(kept, method):
    _, training = run(kept, method)
    assert training.columns.tolist() == ["row", "label", "weight"]
    assert training.dtypes.astype(str).tolist() == ["int64", "int8", "float32"]
    assert set(training["row"]) == set(KEPT)
    assert training["label"].tolist() == [LABELS[row] for row in training["row"]]
    assert training["weight"].mean() == pytest.approx(1, abs=1e-6)


def test_none_changes_nothing(kept):
    metrics, training = run(kept, "none")
    assert training["row"].tolist() == KEPT
    assert (training["weight"] == 1).all()
    assert (metrics["before.angry"], metrics["after.angry"], metrics["weight.angry"]) == (8, 8, 1)
    assert metrics["synthetic"] == 0


def test_random_oversampling_fills_every_class_up_to_the_largest(kept):
    metrics, training = run(kept, "random")
    assert training["label"].value_counts().to_dict() == dict.fromkeys(range(7), 8)
    assert (training["weight"] == 1).all()
    assert (metrics["before.disgust"], metrics["after.disgust"]) == (4, 8)
    assert not (kept.parent / "balanced" / "synthetic.npy").exists()


def test_random_oversampling_follows_its_seed(kept):
    repeated = [run(kept, "random", seed=seed)[1]["row"].tolist() for seed in (1, 1, 2)]
    assert repeated[0] == repeated[1]
    assert repeated[0] != repeated[2]


def test_class_weights_give_every_class_the_same_sum(kept):
    metrics, training = run(kept, "class_weight")
    sums = training.groupby("label")["weight"].sum()
    np.testing.assert_allclose(sums, len(KEPT) / 7, rtol=1e-6)
    assert metrics["weight.angry"] == pytest.approx(len(KEPT) / 7 / 8)


# --- faces that are made -----------------------------------------------------------------


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_a_synthetic_face_lies_between_two_training_faces_of_its_class(kept, method):
    metrics, training = run(kept, method)
    faces, table = made(kept)
    images = np.load(kept.parent / "faces" / "faces.npy")
    assert metrics["synthetic"] == len(faces) == len(table) > 0
    assert set(table["one"]) | set(table["other"]) <= set(KEPT)
    for column in ("one", "other"):
        assert [LABELS[row] for row in table[column]] == table["label"].tolist()
    one, other = images[table["one"]].astype(float), images[table["other"]].astype(float)
    expected = one + table["share"].to_numpy()[:, None, None] * (other - one)
    np.testing.assert_allclose(faces, expected, atol=0.501)
    for label, own in table.groupby("label"):
        real = images[[row for row in KEPT if LABELS[row] == label]]
        assert (faces[own.index] >= real.min(axis=0)).all()
        assert (faces[own.index] <= real.max(axis=0)).all()
    new = training[training["row"] >= len(images)]
    assert new["row"].tolist() == [len(images) + place for place in range(len(faces))]
    assert new["label"].tolist() == table["label"].tolist()


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_the_faces_are_those_of_imbalanced_learn_on_the_pixels(kept, method):
    from imblearn.over_sampling import ADASYN, SMOTE

    run(kept, method, seed=4)
    faces, table = made(kept)
    images = np.load(kept.parent / "faces" / "faces.npy")[KEPT].reshape(len(KEPT), -1)
    sampler = {
        "smote": SMOTE(k_neighbors=3, random_state=4),
        "adasyn": ADASYN(n_neighbors=3, random_state=4),
    }[method]
    pixels, labels = sampler.fit_resample(images.astype(float), [LABELS[row] for row in KEPT])
    np.testing.assert_allclose(faces.reshape(len(faces), -1), pixels[len(KEPT) :], atol=0.501)
    assert table["label"].tolist() == list(labels[len(KEPT) :])


def test_smote_fills_every_class_up_to_the_largest(kept):
    _, training = run(kept, "smote")
    assert training["label"].value_counts().to_dict() == dict.fromkeys(range(7), 8)


def test_the_rarest_class_is_multiplied_by_changed_copies_of_its_own(kept):
    metrics, training = run(kept, "augment_minority", minority_times=3)
    faces, table = made(kept)
    assert (metrics["before.disgust"], metrics["after.disgust"]) == (4, 12)
    assert metrics["after.angry"] == 8
    assert set(table["one"]) == {row for row in KEPT if LABELS[row] == 1}
    originals = np.load(kept.parent / "faces" / "faces.npy")[table["one"]]
    assert (faces != originals).any(axis=(1, 2)).all()
    assert training["label"].tail(8).tolist() == [1] * 8


def test_methods_follow_one_another(kept):
    metrics, training = run(kept, "augment_minority", "class_weight", minority_times=3)
    assert metrics["after.disgust"] == 12
    sums = training.groupby("label")["weight"].sum()
    np.testing.assert_allclose(sums, len(training) / 7, rtol=1e-6)
    _, training = run(kept, "augment_minority", "smote", minority_times=2)
    assert training["label"].value_counts().to_dict() == dict.fromkeys(range(7), 8)
    _, table = made(kept)
    assert table["method"].unique().tolist() == ["augment_minority", "smote"]


@pytest.mark.parametrize("last", ["random", "smote", "adasyn", "class_weight"])
def test_every_method_evens_out_what_more_of_the_rarest_class_leaves(kept, last):
    alone, _ = run(kept, last)
    metrics, training = run(kept, "augment_minority", last, minority_times=2)
    before = {"disgust": 4 * 2}
    assert metrics["after.disgust"] >= before["disgust"]
    rows = training.loc[training["label"] == 1, "row"]
    assert rows.nunique() >= before["disgust"]
    assert metrics["synthetic"] >= alone["synthetic"] or last == "smote"
    sums = training.groupby("label")["weight"].sum()
    assert sums.max() / sums.min() < 1.3


# --- soft targets ------------------------------------------------------------------------


@pytest.fixture
def soft(kept) -> np.ndarray:
    """Targets of all faces by row, added to what `clean` leaves."""
    shares = np.random.default_rng(2).dirichlet(np.ones(2), len(LABELS) + len(HELD_OUT))
    shares = shares.astype(np.float32)
    table = pd.read_parquet(kept / "kept.parquet")
    for place, name in enumerate(("target_happiness", "target_anger")):
        table[name] = shares[table["row"], place]
    table.to_parquet(kept / "kept.parquet", index=False)
    return shares


@pytest.mark.parametrize("method", ["none", "random", "class_weight"])
def test_soft_targets_go_with_their_faces(kept, soft, method):
    _, training = run(kept, method)
    targets = training[["target_happiness", "target_anger"]]
    np.testing.assert_array_equal(targets, soft[training["row"]])


@pytest.mark.parametrize("method", ["smote", "adasyn", "augment_minority"])
def test_the_target_of_a_made_face_is_mixed_as_the_face_is(kept, soft, method):
    _, training = run(kept, method)
    _, table = made(kept)
    new = training.tail(len(table))[["target_happiness", "target_anger"]]
    share = table["share"].to_numpy()[:, None]
    expected = (1 - share) * soft[table["one"]] + share * soft[table["other"]]
    np.testing.assert_allclose(new, expected, atol=1e-6)


def test_training_rows_are_read_from_both_arrays(kept):
    run(kept, "smote")
    faces, _ = made(kept)
    images = np.load(kept.parent / "faces" / "faces.npy")
    joined = training_images(images, kept.parent / "balanced")
    rows = np.array([len(images) + 2, 0, len(images), 5])
    np.testing.assert_array_equal(joined[rows], [faces[2], images[0], faces[0], images[5]])
    run(kept, "none")
    assert training_images(images, kept.parent / "balanced") is images


def test_a_sheet_shows_the_made_faces(kept):
    run(kept, "augment_minority", "smote")
    sheets = (kept.parent / "balanced" / "sheets").iterdir()
    assert sorted(path.name for path in sheets) == ["augment_minority.png", "smote.png"]


def test_adasyn_leaves_a_class_that_is_nearly_as_large_as_the_largest_and_grows_the_others():
    labels = np.repeat([0, 1, 2], [40, 38, 15]).astype(np.int8)
    images = np.random.default_rng(0).integers(0, 256, (93, 4, 4), np.uint8)
    images[labels == 1] //= 2  # few of another class among the nearest, and two faces to make
    made = recipes("adasyn", labels, images.__getitem__, 5, 0)
    assert set(made["label"]) == {2}
    assert len(made) == pytest.approx(25, abs=8)


# --- what cannot be balanced -------------------------------------------------------------


def test_a_class_with_too_few_faces_to_mix_is_refused(kept):
    with pytest.raises(InputError, match=r"smote needs more faces of each class .* but one has 4"):
        run(kept, "smote", neighbours=4)


def test_adasyn_says_when_the_classes_are_too_far_apart(kept):
    path = kept.parent / "faces" / "faces.npy"
    images = np.load(path) // 50
    images += (np.array(LABELS + HELD_OUT) * 30).astype(np.uint8)[:, None, None]
    np.save(path, images)
    with pytest.raises(InputError, match=r"balance\.method adasyn cannot be used on these faces"):
        run(kept, "adasyn")


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["none", "random"], "has none beside other methods; leave it out"),
        (["class_weight", "random"], "has class_weight before another; put it last"),
    ],
)
def test_methods_that_contradict_each_other_are_refused(kept, methods, said):
    with pytest.raises(ValueError, match=said):
        run(kept, *methods)


def test_a_missing_table_is_named(kept):
    (kept / "kept.parquet").unlink()
    with pytest.raises(InputError, match=r"kept\.parquet is missing; run the clean step first\.$"):
        run(kept, "none")


def test_a_table_that_is_cut_short_is_named_and_the_earlier_output_stays(kept):
    run(kept, "none")
    before = (kept.parent / "balanced" / "training.parquet").read_bytes()
    path = kept / "kept.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError) as caught:
        run(kept, "random")
    assert str(caught.value).startswith(f"{path} cannot be read to its end (")
    assert (kept.parent / "balanced" / "training.parquet").read_bytes() == before
