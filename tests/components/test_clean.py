import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.clean import clean, grey_deviation
from components.data.labels import LABEL_SETS, VOTE_COLUMNS
from components.errors import InputError
from components.settings import CleanSettings

ALL = CleanSettings(
    label_set="fer2013",
    rule="report",
    targets="hard",
    non_faces=True,
    blank_std=5.0,
    duplicates=True,
    leaks=True,
    conflicts=True,
    near_copies=True,
    hash_radius=16,
    similarity=0.95,
    mislabels=False,
    folds=2,
    seed=0,
    detector=None,
    detector_confidence=0.3,
    decisions=None,
)
OFF = {"non_faces": False, "duplicates": False, "leaks": False, "conflicts": False}
EXACT = {"near_copies": False}


class Faces:
    """One face of each class in training, validation and test; tests add and change some."""

    def __init__(self, make):
        self.make = make
        self.labels = list(range(7)) * 3
        self.splits = ["train"] * 7 + ["val"] * 7 + ["test"] * 7
        self.images = np.random.default_rng(3).integers(0, 256, (40, 8, 8), np.uint8)
        self.votes = None

    def add(self, split: str, label: int, like: int | None = None) -> int:
        """Adds a face, a copy of another if `like` says so, and returns its row."""
        row = len(self.labels)
        self.labels.append(label)
        self.splits.append(split)
        if like is not None:
            self.images[row] = self.images[like]
        return row

    def vote(self, **of_all: int) -> None:
        """Gives every face the same votes."""
        row = [of_all.get(column, 0) for column in VOTE_COLUMNS]
        self.votes = [list(row) for _ in self.labels]

    def write(self) -> Path:
        return self.make(self.labels, self.splits, self.images[: len(self.labels)], self.votes)


@pytest.fixture
def faces(make_faces) -> Faces:
    return Faces(make_faces)


def run(faces: Faces, **changes) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """The metrics, the kept rows, and the quarantine by row."""
    folder = faces.write()
    out = folder.parent / "kept"
    metrics = clean(folder, out, ALL.model_copy(update=changes))
    quarantine = pd.read_csv(out / "quarantine.csv", index_col="row", keep_default_na=False)
    kept = pd.read_parquet(out / "kept.parquet").set_index("row")
    shutil.rmtree(folder)
    return metrics, kept, quarantine


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


@pytest.fixture
def voted(faces) -> Faces:
    """Each FER+ class in every split, voted by all; the FER-2013 labels say otherwise."""
    faces.labels = [0] * 24
    faces.splits = ["train"] * 8 + ["val"] * 8 + ["test"] * 8
    faces.votes = [[10 * (column == row % 8) for column in range(10)] for row in range(24)]
    return faces


def test_ferplus_labels_come_from_the_votes_which_stay_in_the_table(voted):
    _, kept, _ = run(voted, label_set="ferplus")
    assert kept["label"].tolist() == [row % 8 for row in range(24)]
    assert kept.attrs["label_set"] == "ferplus"
    assert kept["vote_contempt"].tolist() == [10 * (row % 8 == 7) for row in range(24)]


def test_hard_targets_add_no_column(voted):
    _, kept, _ = run(voted, label_set="ferplus")
    assert not [name for name in kept if name.startswith("target_")]


def test_soft_targets_are_the_shares_of_the_votes(voted):
    row = voted.add("train", label=0)
    voted.votes.append([0, 6, 2, 0, 0, 0, 0, 0, 1, 1])
    _, kept, _ = run(voted, label_set="ferplus", targets="soft")
    targets = kept[[f"target_{name}" for name in LABEL_SETS["ferplus"]]]
    assert targets.loc[row].tolist() == [0, 0.75, 0.25, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(targets.sum(axis=1), 1)


def test_a_reviewers_label_outdoes_the_votes(voted, tmp_path):
    voted.add("train", label=0)
    voted.votes.append([0, 6, 2, 0, 0, 0, 0, 0, 1, 1])
    path = tmp_path / "decisions.csv"
    path.write_text("id,decision,label,comment\nfer0000024,relabel,contempt,\n")
    _, kept, _ = run(voted, label_set="ferplus", targets="soft", decisions=str(path))
    assert kept.loc[24, "target_contempt"] == 1
    assert kept.loc[24, "target_happiness"] == 0


def test_the_ferplus_rule_decides_which_faces_exist_in_every_split(voted):
    rows = [voted.add(split, label=0) for split in ("train", "val", "test")]
    voted.votes += [[0] * 8 + [10, 0]] * 3
    metrics, kept, quarantine = run(voted, label_set="ferplus")
    assert not kept.index.isin(rows).any()
    assert quarantine["reason"].tolist() == ["unlabelled"] * 3
    assert quarantine["action"].tolist() == ["dropped"] * 3
    assert quarantine["label"].tolist() == [""] * 3
    assert (metrics["kept.val"], metrics["dropped.unlabelled"]) == (8, 3)


def test_a_copy_of_a_test_face_that_the_rule_drops_stays_in_training(voted):
    gone = voted.add("test", label=0)
    copy = voted.add("train", label=0, like=gone)
    voted.votes += [[0] * 8 + [10, 0], [10] + [0] * 9]
    _, kept, _ = run(voted, label_set="ferplus")
    assert copy in kept.index


@pytest.mark.parametrize(("rule", "label"), [("report", None), ("named", 1), ("majority", None)])
def test_the_rule_is_the_one_that_was_asked_for(voted, rule, label):
    row = voted.add("test", label=0)
    voted.votes.append([0, 4, 0, 0, 0, 0, 0, 0, 6, 0])
    _, kept, _ = run(voted, label_set="ferplus", rule=rule)
    assert kept["label"].get(row) == label


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


# --- near copies -------------------------------------------------------------------------


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


# --- the reviewer ------------------------------------------------------------------------


def decide(tmp_path: Path, *lines: str) -> dict[str, str]:
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join(["id,decision,label,comment", *lines]) + "\n")
    return {"decisions": str(path)}


def test_a_reviewer_keeps_what_a_rule_would_drop(faces, tmp_path):
    copy = faces.add("train", label=2, like=2)
    _, kept, quarantine = run(faces, **decide(tmp_path, f"fer{copy:07d},keep,,a twin"))
    assert copy in kept.index
    shown = quarantine.loc[copy, ["reason", "action", "comment"]]
    assert shown.tolist() == ["duplicate", "kept", "a twin"]


def test_a_reviewer_drops_what_no_rule_would(faces, tmp_path):
    row = faces.add("train", label=2)
    metrics, kept, quarantine = run(faces, **decide(tmp_path, f"fer{row:07d},drop,,an ear"))
    assert row not in kept.index
    shown = quarantine.loc[row, ["reason", "action", "comment"]]
    assert shown.tolist() == ["reviewer", "dropped", "an ear"]
    assert metrics["dropped.reviewer"] == 1


def test_a_new_label_ends_a_conflict(faces, tmp_path):
    first = faces.add("train", label=0)
    second = faces.add("train", label=1, like=first)
    decisions = decide(tmp_path, f"fer{first:07d},relabel,disgust,")
    _, kept, quarantine = run(faces, **decisions)
    assert kept.loc[first, "label"] == 1
    assert quarantine["reason"].to_dict() == {second: "duplicate"}


# --- how well it works -------------------------------------------------------------------


def test_findings_are_scored_against_the_truth(faces, tmp_path):
    copy, other = faces.add("train", label=0, like=0), faces.add("train", label=1, like=1)
    leak = faces.add("train", label=0, like=14)
    folder = faces.write()
    lines = ["id,kind,partner,true_label", f"fer0000000,copy,fer{copy:07d},0"]
    lines += [f"fer{leak:07d},leak,fer0000014,0", "fer0000002,leak,fer0000015,0"]
    lines += ["fer0000003,wrong_label,,0"]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    metrics = clean(folder, tmp_path / "kept", ALL)
    truth = {key: value for key, value in metrics.items() if key.startswith("truth.")}
    assert truth == {
        "truth.copy.recall": 1,
        "truth.copy.precision": 0.5,  # `other` was not planted
        "truth.leak.recall": 0.5,
        "truth.leak.precision": 1,
    }
    assert other


def test_labels_made_of_votes_are_not_scored_against_labels_planted_in_fer2013(voted, tmp_path):
    same, one = voted.add("train", label=1, like=3), voted.add("train", label=0)
    other = voted.add("train", label=0, like=one)
    voted.votes += [voted.votes[3], voted.votes[5], voted.votes[0]]
    folder = voted.write()
    lines = ["id,kind,partner,true_label", f"fer{same:07d},conflict,fer0000003,0"]
    lines += [f"fer{other:07d},copy,fer{one:07d},0", "fer0000003,wrong_label,,0"]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    voted_settings = ALL.model_copy(update={"label_set": "ferplus"})
    metrics = clean(folder, tmp_path / "kept", voted_settings)
    truth = {key: value for key, value in metrics.items() if key.startswith("truth.")}
    assert truth["truth.copy.recall"] == truth["truth.copy.precision"] == 1
    assert not [key for key in truth if "conflict" in key or "wrong_label" in key]


def test_the_report_needs_nothing_beside_itself(faces, tmp_path):
    faces.add("train", label=2, like=2)
    run(faces)
    text = (tmp_path / "kept" / "report.html").read_text()
    assert "Exact copies within a split" in text
    assert 'src="data:image/png;base64,' in text
    assert "http" not in text


# --- what cannot be cleaned --------------------------------------------------------------


def refused(folder: Path, **changes) -> str:
    """The sentence that refuses a face set, having left an earlier output as it was."""
    out = folder.parent / "kept"
    out.mkdir()
    (out / "kept.parquet").write_bytes(b"earlier")
    with pytest.raises(InputError) as caught:
        clean(folder, out, ALL.model_copy(update=changes))
    assert [path.read_bytes() for path in out.iterdir()] == [b"earlier"]
    return str(caught.value)


def test_a_class_without_training_faces_left_is_refused(faces):
    faces.images[7] = faces.images[3]
    folder = faces.write()
    message = refused(folder)
    assert message.startswith(f"{folder / 'faces.parquet'} has no training face of class happy ")
    assert "switch off a rule under clean in params.yaml, or add faces" in message


def test_ferplus_without_votes_is_refused(faces):
    folder = faces.write()
    message = refused(folder, label_set="ferplus")
    assert message.startswith(f"{folder / 'faces.parquet'} has no FER+ votes; put fer2013new.csv")


@pytest.mark.parametrize("name", ["faces.npy", "faces.parquet"])
def test_a_missing_file_is_named(faces, name):
    folder = faces.write()
    (folder / name).unlink()
    assert refused(folder) == f"{folder / name} is missing; run the ingest step first."


@pytest.mark.parametrize("name", ["faces.npy", "faces.parquet"])
def test_a_file_that_is_cut_short_is_named(faces, name):
    folder = faces.write()
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    assert refused(folder).startswith(f"{folder / name} cannot be read to its end (")


def test_images_and_table_of_different_length_are_refused(faces):
    folder = faces.write()
    table = pd.read_parquet(folder / "faces.parquet")
    table[:-1].to_parquet(folder / "faces.parquet")
    message = refused(folder)
    assert message.startswith(f"{folder / 'faces.npy'} holds uint8 (21, 8, 8) where ")
    assert message.endswith("has 20 rows; run the ingest step again.")


# --- the real data -----------------------------------------------------------------------


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


def test_the_real_data_has_the_published_ferplus_splits(real_faces, tmp_path):
    changes = {"label_set": "ferplus", "rule": "report"} | OFF | EXACT
    metrics = clean(real_faces[0], tmp_path / "kept", ALL.model_copy(update=changes))
    kept = tuple(metrics[f"kept.{split}"] for split in ("train", "val", "test"))
    assert kept == (28_389, 3_553, 3_546)


def test_the_real_data_has_near_copies_across_its_splits(real_faces, tmp_path):
    metrics = clean(real_faces[0], tmp_path / "kept", ALL)
    assert metrics["found.near_pairs"] == pytest.approx(2_010, abs=5)  # rounding may differ
    assert metrics["dropped.near_leak"] == pytest.approx(694, abs=5)
    assert (metrics["kept.val"], metrics["kept.test"]) == (3_589, 3_589)
