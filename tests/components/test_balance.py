from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.balance import balance
from components.errors import InputError
from components.settings import BalanceSettings

LABELS = [0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6]  # of the training faces
HELD_OUT = [1, 1, 1]


@pytest.fixture
def kept(tmp_path) -> Path:
    """What `clean` leaves: training faces, then some of validation and test."""
    folder = tmp_path / "kept"
    folder.mkdir()
    labels = LABELS + HELD_OUT
    table = pd.DataFrame(
        {
            "row": np.arange(len(labels)) * 10,
            "id": [f"fer{row:07d}" for row in range(len(labels))],
            "split": ["train"] * len(LABELS) + ["val", "val", "test"],
            "label": np.array(labels, np.int8),
            "leaked": False,
        }
    )
    table.attrs["label_set"] = "fer2013"
    table.to_parquet(folder / "kept.parquet", index=False)
    return folder


def run(kept: Path, method: str, seed: int = 0) -> tuple[dict[str, float], pd.DataFrame]:
    out = kept.parent / "balanced"
    metrics = balance(kept, out, BalanceSettings(method=method, seed=seed))
    return metrics, pd.read_parquet(out / "training.parquet")


@pytest.mark.parametrize("method", ["none", "random", "class_weight"])
def test_every_method_keeps_faces_with_their_labels_and_to_training(kept, method):
    _, training = run(kept, method)
    assert training.columns.tolist() == ["row", "label", "weight"]
    assert training.dtypes.astype(str).tolist() == ["int64", "int8", "float32"]
    assert set(training["row"]) == {10 * place for place in range(len(LABELS))}
    assert training["label"].tolist() == [LABELS[row // 10] for row in training["row"]]
    assert training["weight"].mean() == pytest.approx(1, abs=1e-6)


def test_none_changes_nothing(kept):
    metrics, training = run(kept, "none")
    assert training["row"].tolist() == [10 * place for place in range(len(LABELS))]
    assert (training["weight"] == 1).all()
    assert (metrics["before.angry"], metrics["after.angry"], metrics["weight.angry"]) == (4, 4, 1)


def test_random_oversampling_fills_every_class_up_to_the_largest(kept):
    metrics, training = run(kept, "random")
    assert training["label"].value_counts().to_dict() == dict.fromkeys(range(7), 4)
    assert (training["weight"] == 1).all()
    assert (metrics["before.disgust"], metrics["after.disgust"]) == (2, 4)


def test_random_oversampling_follows_its_seed(kept):
    repeated = [run(kept, "random", seed)[1]["row"].tolist() for seed in (1, 1, 2)]
    assert repeated[0] == repeated[1]
    assert repeated[0] != repeated[2]


def test_class_weights_give_every_class_the_same_sum(kept):
    metrics, training = run(kept, "class_weight")
    sums = training.groupby("label")["weight"].sum()
    np.testing.assert_allclose(sums, len(LABELS) / 7, rtol=1e-6)
    assert metrics["weight.angry"] == pytest.approx(12 / 7 / 4)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"kept\.parquet is missing; run the clean step first\.$"):
        run(tmp_path / "kept", "none")


def test_a_table_that_is_cut_short_is_named_and_the_earlier_output_stays(kept):
    run(kept, "none")
    before = (kept.parent / "balanced" / "training.parquet").read_bytes()
    path = kept / "kept.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError) as caught:
        run(kept, "random")
    assert str(caught.value).startswith(f"{path} cannot be read to its end (")
    assert (kept.parent / "balanced" / "training.parquet").read_bytes() == before
