import numpy as np
import pytest

from components.clean import clean
from components.data.labels import LABEL_SETS
from tests.components.cleaning.few_faces import ALL, EXACT, OFF, run


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


def test_the_real_data_has_the_published_ferplus_splits(real_faces, tmp_path):
    changes = {"label_set": "ferplus", "rule": "report"} | OFF | EXACT
    metrics = clean(real_faces[0], tmp_path / "kept", ALL.model_copy(update=changes))
    kept = tuple(metrics[f"kept.{split}"] for split in ("train", "val", "test"))
    assert kept == (28_389, 3_553, 3_546)
