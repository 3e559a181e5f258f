import numpy as np
import pandas as pd
import pytest

from components.clean import clean, grey_deviation
from tests.components.cleaning.few_faces import ALL, EXACT, OFF, run


def test_clean_faces_are_all_kept_with_their_labels(faces):
    metrics, kept, quarantine = run(faces)
    assert kept.index.tolist() == list(range(21))
    assert kept["label"].tolist() == faces.labels
    assert kept["label"].dtype == np.int8
    assert kept["id"].tolist()[:1] == ["fer0000000"]
    assert kept.attrs["label_set"] == "fer2013"
    assert not kept["leaked"].any()
    assert quarantine.empty
    assert (metrics["kept.train"], metrics["kept.val"], metrics["kept.test"]) == (7, 7, 7)


def test_a_second_copy_in_training_goes(faces):
    copy = faces.add("train", label=2, like=2)
    metrics, kept, quarantine = run(faces)
    assert 2 in kept.index
    assert copy not in kept.index
    row = quarantine.loc[copy]
    assert (row["id"], row["split"], row["label"]) == (f"fer{copy:07d}", "train", "fear")
    assert (row["reason"], row["score"]) == ("duplicate", 1.0)
    assert (row["partner"], row["action"]) == ("fer0000002", "dropped")
    assert metrics["dropped.duplicate"] == 1


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_training_copy_of_a_held_out_face_goes_and_the_held_out_face_stays(faces, split):
    held_out = faces.splits.index(split)
    copy = faces.add("train", label=0, like=held_out)
    metrics, kept, quarantine = run(faces)
    assert copy not in kept.index
    assert quarantine.loc[copy, ["reason", "partner", "action"]].tolist() == [
        "leak",
        f"fer{held_out:07d}",
        "dropped",
    ]
    assert quarantine.loc[held_out, ["reason", "partner", "action"]].tolist() == [
        "leak",
        f"fer{copy:07d}",
        "flagged",
    ]
    assert np.flatnonzero(kept["leaked"]).tolist() == [held_out]
    assert metrics[f"leaked.{split}"] == 1


def test_leaked_is_told_even_where_leaks_may_stay(faces):
    copy = faces.add("train", label=0, like=14)
    metrics, kept, quarantine = run(faces, leaks=False)
    assert copy in kept.index
    assert kept.loc[14, "leaked"]
    assert not kept.loc[copy, "leaked"]
    assert metrics["leaked.test"] == 1
    assert quarantine.empty


def test_copies_with_different_labels_all_go(faces):
    first, second = faces.add("train", label=0), faces.add("train", label=1)
    third = faces.add("train", label=0)
    faces.images[[second, third]] = faces.images[first]
    metrics, kept, quarantine = run(faces)
    assert not kept.index.isin([first, second, third]).any()
    assert quarantine["reason"].tolist() == ["conflict"] * 3
    ids = [f"fer{row:07d}" for row in (second, first, second)]
    assert quarantine["partner"].tolist() == ids
    assert (metrics["dropped.conflict"], metrics["found.conflict_groups"]) == (3, 1)


def test_without_the_conflict_rule_the_first_copy_keeps_its_label(faces):
    copy = faces.add("train", label=1, like=0)
    _, kept, quarantine = run(faces, conflicts=False)
    assert kept.loc[0, "label"] == 0
    assert quarantine["reason"].to_dict() == {copy: "duplicate"}


def test_a_leak_is_no_conflict_once_the_training_copy_is_gone(faces):
    copies = [faces.add("train", label=0, like=7), faces.add("train", label=1, like=7)]
    _, _, quarantine = run(faces)
    assert quarantine.loc[copies, "reason"].tolist() == ["leak", "leak"]


def test_copies_among_held_out_faces_are_flagged_and_stay(faces):
    copy = faces.add("test", label=0, like=7)
    _, kept, quarantine = run(faces)
    assert {7, copy} <= set(kept.index)
    assert quarantine["reason"].to_dict() == {copy: "duplicate"}
    assert quarantine["action"].tolist() == ["flagged"]


def test_a_blank_picture_leaves_training_and_is_flagged_elsewhere(faces):
    rows = [faces.add("train", label=0), faces.add("val", label=0)]
    faces.images[rows[0]] = 128
    faces.images[rows[1]] = 129
    faces.images[rows[1], 0, 0] = 139
    metrics, kept, quarantine = run(faces)
    assert kept.index.isin(rows).tolist().count(True) == 1
    assert quarantine["reason"].tolist() == ["blank", "blank"]
    assert quarantine["action"].tolist() == ["dropped", "flagged"]
    assert quarantine["score"].tolist() == [0.0, pytest.approx(1.2402, abs=1e-4)]
    assert metrics["found.blank"] == 2


def test_the_deviation_is_that_of_numpy():
    images = np.random.default_rng(0).integers(0, 256, (2500, 3, 3), np.uint8)
    expected = images.reshape(2500, -1).std(axis=1)
    np.testing.assert_allclose(grey_deviation(images), expected, rtol=1e-12)


def test_a_face_that_most_taggers_call_none_goes(faces):
    faces.vote(happiness=10)
    faces.labels += [0, 0]
    faces.splits += ["train", "test"]
    nf = [0] * 8 + [3, 7]
    faces.votes += [nf, nf]
    metrics, kept, quarantine = run(faces)
    assert 21 not in kept.index
    assert 22 in kept.index
    assert quarantine["reason"].tolist() == ["non_face", "non_face"]
    assert quarantine["score"].tolist() == [0.7, 0.7]
    assert quarantine["action"].tolist() == ["dropped", "flagged"]
    assert metrics["found.non_face"] == 2


def test_a_face_has_one_reason_the_first_that_holds(faces):
    faces.vote(happiness=10)
    rows = [faces.add("train", label=label) for label in (0, 1)]
    faces.images[rows] = 0  # blank, and copies, and in conflict
    faces.votes += [[0] * 9 + [10], [10] + [0] * 9]
    metrics, _, quarantine = run(faces)
    assert quarantine["reason"].to_dict() == {rows[0]: "non_face", rows[1]: "blank"}
    assert metrics["found.copies"] == 1


@pytest.mark.parametrize("label", [0, 1])
def test_a_copy_that_is_gone_already_takes_no_other_with_it(faces, label):
    faces.vote(happiness=10)
    gone = faces.add("train", label=0)
    copy = faces.add("train", label=label, like=gone)
    faces.votes += [[0] * 9 + [10], [10] + [0] * 9]
    _, kept, quarantine = run(faces)
    assert copy in kept.index
    assert quarantine["reason"].to_dict() == {gone: "non_face"}


def test_what_is_found_does_not_depend_on_the_switches(faces):
    faces.add("train", label=0)
    faces.add("train", label=1, like=0)  # both go, being in conflict
    faces.add("train", label=0, like=7)  # a leak
    faces.images[faces.add("train", label=0)] = 0  # blank
    with_rules, kept, _ = run(faces)
    without, kept_all, quarantine = run(faces, **OFF)
    assert len(kept) == 25 - 4
    assert len(kept_all) == 25
    assert quarantine.empty
    same = [key for key in with_rules if key.startswith(("found.", "leaked."))]
    assert {key: with_rules[key] for key in same} == {key: without[key] for key in same}
    assert with_rules["found.groups"] == 2
    assert with_rules["found.straddling_groups"] == 1


def test_sheets_show_what_was_dropped_and_nothing_else(faces, tmp_path):
    faces.add("train", label=2, like=2)
    faces.images[7] = 0  # a blank validation face is flagged only
    run(faces)
    assert [path.name for path in (tmp_path / "kept" / "sheets").iterdir()] == ["duplicate.png"]


def test_the_same_faces_give_the_same_bytes(faces, tmp_path):
    faces.add("train", label=2, like=2)
    folder = faces.write()
    for name in ("one", "two"):
        clean(folder, tmp_path / name, ALL)
    for path in (tmp_path / "one").rglob("*.*"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()


def test_the_real_data_holds_the_copies_that_its_readme_counts(real_faces, tmp_path):
    metrics = clean(real_faces[0], tmp_path / "kept", ALL.model_copy(update=EXACT))
    assert metrics["found.copies"] == 1_855
    assert metrics["found.groups"] == 1_518
    assert metrics["found.conflict_groups"] == 59
    assert metrics["found.straddling_groups"] == 557
    assert (metrics["leaked.val"], metrics["leaked.test"]) == (280, 288)
    assert metrics["found.blank"] == 14
    assert (metrics["kept.val"], metrics["kept.test"]) == (3_589, 3_589)
    kept = pd.read_parquet(tmp_path / "kept" / "kept.parquet")
    images = np.load(real_faces[0] / "faces.npy", mmap_mode="r")[kept["row"]]
    training = {image.tobytes() for image in images[kept["split"] == "train"]}
    assert len(training) == metrics["kept.train"]
    assert not any(image.tobytes() in training for image in images[kept["split"] != "train"])


@pytest.mark.parametrize("leaks", [True, False])
def test_a_validation_face_with_a_copy_in_the_test_split_is_told(faces, leaks):
    copy = faces.add("val", label=0, like=14)
    _, kept, _ = run(faces, leaks=leaks)
    assert np.flatnonzero(kept["in_test"]).tolist() == [copy]
