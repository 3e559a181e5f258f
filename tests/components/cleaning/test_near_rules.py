import pytest

from components.clean import clean
from tests.components.cleaning.few_faces import ALL, EXACT, Faces, run


def nearly(faces: Faces, row: int, like: int) -> None:
    """Makes one face a darker, softer picture of another."""
    faces.images[row] = 10 + faces.images[like] // 2


def test_a_near_copy_of_a_held_out_face_leaves_training(faces):
    copy = faces.add("train", label=0)
    nearly(faces, copy, like=14)
    metrics, kept, quarantine = run(faces)
    assert copy not in kept.index
    assert 14 in kept.index
    assert quarantine["reason"].to_dict() == {14: "near_leak", copy: "near_leak"}
    assert quarantine["action"].to_dict() == {14: "flagged", copy: "dropped"}
    assert quarantine["partner"].to_dict() == {14: f"fer{copy:07d}", copy: "fer0000014"}
    assert (quarantine["score"] > 0.99).all()
    assert (metrics["dropped.near_leak"], metrics["leaked.test"]) == (1, 0)


def test_the_second_of_two_near_copies_goes(faces):
    copy = faces.add("train", label=0)
    nearly(faces, copy, like=0)
    _, kept, quarantine = run(faces)
    assert 0 in kept.index
    assert quarantine["reason"].to_dict() == {copy: "near_copy"}


def test_near_copies_with_different_labels_both_go(faces):
    rows = [faces.add("train", label=0), faces.add("train", label=1)]
    nearly(faces, rows[1], like=rows[0])
    _, kept, quarantine = run(faces)
    assert not kept.index.isin(rows).any()
    assert quarantine["reason"].tolist() == ["near_conflict"] * 2


def test_near_copies_of_exact_copies_are_seen_too(faces):
    first = faces.add("train", label=0)
    faces.add("train", label=0, like=first)
    nearly(faces, 7, like=first)
    _, _, quarantine = run(faces)
    assert quarantine["reason"].to_dict() == {row: "near_leak" for row in (7, first, first + 1)}


def test_near_copies_may_stay(faces):
    nearly(faces, faces.add("train", label=0), like=14)
    metrics, kept, quarantine = run(faces, **EXACT)
    assert len(kept) == 22
    assert quarantine.empty
    assert "found.near_pairs" not in metrics


def test_the_real_data_has_near_copies_across_its_splits(real_faces, tmp_path):
    metrics = clean(real_faces[0], tmp_path / "kept", ALL)
    assert metrics["found.near_pairs"] == pytest.approx(2_010, abs=5)  # rounding may differ
    assert metrics["dropped.near_leak"] == pytest.approx(694, abs=5)
    assert (metrics["kept.val"], metrics["kept.test"]) == (3_589, 3_589)
