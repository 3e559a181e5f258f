import numpy as np
import pytest

from components.data import fer2013, labels
from components.data.labels import LABEL_SETS, SPLITS, VOTE_COLUMNS
from components.data.votes import read_votes


def votes(**counts: int) -> np.ndarray:
    return np.array([[counts.get(column, 0) for column in VOTE_COLUMNS]], np.int8)


def name(label: np.ndarray) -> str | None:
    assert label.dtype == np.int8
    assert label.shape == (1,)
    return None if label[0] == -1 else LABEL_SETS["ferplus"][label[0]]


def test_report_takes_the_most_voted_emotion():
    assert name(labels.report(votes(fear=4, surprise=3, NF=3))) == "fear"


def test_report_takes_the_first_of_equals():
    assert name(labels.report(votes(surprise=5, fear=5))) == "surprise"
    assert name(labels.report(votes(contempt=5, unknown=5))) == "contempt"


@pytest.mark.parametrize("winner", ["unknown", "NF"])
def test_report_gives_no_label_where_unknown_or_nf_wins(winner):
    assert name(labels.report(votes(happiness=4, **{winner: 6}))) is None


def test_report_gives_no_label_to_a_row_without_votes():
    assert name(labels.report(votes())) is None


def test_named_looks_at_the_eight_emotions_only():
    assert name(labels.named(votes(sadness=2, NF=8), np.array([True]))) == "sadness"


def test_named_gives_no_label_to_a_row_without_an_image_name():
    assert name(labels.named(votes(sadness=10), np.array([False]))) is None


def test_majority_drops_single_votes_before_it_counts():
    # 5 of 10 are no majority, but 5 of the 8 that are left are.
    assert name(labels.majority(votes(anger=5, disgust=3, fear=1, NF=1))) == "anger"


def test_majority_needs_more_than_half():
    assert name(labels.majority(votes(anger=5, disgust=5))) is None


def test_majority_does_not_choose_unknown():
    assert name(labels.majority(votes(unknown=8, anger=2))) is None


def test_majority_gives_no_label_where_every_vote_is_single():
    assert name(labels.majority(votes(anger=1, disgust=1, fear=1))) is None


def test_majority_counts_past_127():
    # int8 votes: twice the top must not wrap around.
    assert name(labels.majority(votes(anger=100, disgust=1))) == "anger"


def test_soft_targets_are_the_shares_of_the_eight_emotions():
    row = votes(anger=4, sadness=4, unknown=1, NF=1)
    shares = labels.vote_shares("report", row, np.array([3], np.int8))
    assert dict(zip(LABEL_SETS["ferplus"], shares[0].tolist(), strict=True))["anger"] == 0.5
    assert (shares.sum(), shares.dtype) == (1, np.float32)


def test_majority_aims_at_no_single_votes():
    row = votes(anger=6, sadness=3, fear=1)
    (report,) = labels.vote_shares("report", row, np.array([4], np.int8))
    (majority,) = labels.vote_shares("majority", row, np.array([4], np.int8))
    fear, anger = (LABEL_SETS["ferplus"].index(name) for name in ("fear", "anger"))
    assert (report[fear], majority[fear]) == (np.float32(0.1), 0)
    assert majority[anger] == np.float32(6 / 9)


def test_a_face_without_counted_votes_is_all_its_labels():
    shares = labels.vote_shares("named", votes(unknown=10), np.array([0], np.int8))
    assert shares.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]


def test_nf_makes_no_face_only_where_it_is_the_most_voted():
    rows = np.concatenate([votes(NF=6, fear=4), votes(NF=5, fear=5), votes(unknown=6, NF=4)])
    assert labels.not_a_face(rows).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("rule", "published"),
    [
        ("report", (28_389, 3_553, 3_546)),
        ("named", (28_561, 3_579, 3_574)),
        ("majority", (25_060, 3_199, 3_153)),
    ],
)
def test_each_rule_labels_as_many_faces_of_fer_plus_as_published(real_data, rule, published):
    table = read_votes(real_data / "fer2013new.csv")
    labelled = labels.ferplus(rule, table.counts, table.named) >= 0
    splits = np.array([fer2013.USAGES[usage] for usage in table.usages])
    assert tuple(int((labelled & (splits == split)).sum()) for split in SPLITS) == published
