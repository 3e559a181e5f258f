import numpy as np
import pytest
from sklearn.metrics import f1_score

from components import metrics

CLASSES = ("angry", "happy", "neutral")
LABELS = np.array([0, 0, 1, 1, 1, 2])
SURE = np.eye(3)[[0, 1, 1, 1, 1, 2]]  # one angry face is taken for a happy one


def evaluate(probabilities: np.ndarray = SURE, **changes) -> dict[str, float]:
    return metrics.evaluate(probabilities, LABELS, CLASSES, bootstrap=500, seed=0, **changes)


def test_accuracy_and_recall_count_what_is_right():
    scores = evaluate()
    assert scores["accuracy"] == pytest.approx(5 / 6)
    assert scores["recall.angry"] == 0.5
    assert scores["precision.happy"] == 0.75
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1 + 1) / 3)


def test_the_interval_holds_the_accuracy():
    scores = evaluate()
    assert scores["accuracy_low"] < scores["accuracy"] < scores["accuracy_high"]
    assert scores["macro_f1_low"] <= scores["macro_f1"] <= scores["macro_f1_high"]


def test_the_interval_is_as_wide_as_the_binomial_says():
    labels = np.arange(3589) % 7
    right = np.random.default_rng(0).random(3589) < 0.7
    answers = np.eye(7)[np.where(right, labels, (labels + 1) % 7)]
    names = tuple("abcdefg")
    scores = metrics.evaluate(answers, labels, names, bootstrap=4000, seed=0)
    width = scores["accuracy_high"] - scores["accuracy_low"]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / 3589), rel=0.05)


def test_one_who_is_always_sure_and_often_wrong_is_badly_calibrated():
    labels = np.zeros(100, int)
    answers = np.eye(2)[[0] * 60 + [1] * 40]
    assert metrics.calibration_error(answers, labels) == pytest.approx(0.4)


def test_one_who_is_as_sure_as_he_is_right_is_calibrated():
    labels = np.array([0] * 60 + [1] * 40)
    assert metrics.calibration_error(np.tile([0.6, 0.4], (100, 1)), labels) == pytest.approx(0)


def test_a_certain_mistake_costs_a_finite_likelihood():
    assert np.isfinite(metrics.nll(SURE, LABELS))


def test_a_class_without_faces_is_no_division_by_zero():
    scores = metrics.evaluate(SURE[:2], LABELS[:2], CLASSES, bootstrap=100, seed=0)
    assert scores["recall.neutral"] == 0
    assert scores["balanced_accuracy"] == 0.5


def test_a_metrics_file_is_read_back_rounded(tmp_path):
    metrics.write(tmp_path / "m.json", {"test.accuracy": 0.12345678})
    assert metrics.read(tmp_path / "m.json") == {"test.accuracy": 0.123457}


def test_mcnemar_looks_at_the_faces_that_one_alone_has_right():
    both, first_alone = np.ones(500, bool), np.zeros(500, bool)
    first_alone[:10] = True
    assert metrics.mcnemar(both, both & ~first_alone) == pytest.approx(2 / 2**10)


def test_mcnemar_cannot_tell_equals_apart():
    right = np.arange(100) % 3 > 0
    assert metrics.mcnemar(right, right) == 1
    assert metrics.mcnemar(right, np.roll(right, 1)) > 0.9


def test_answers_to_the_same_faces_are_drawn_together():
    """Two that differ on one face in a thousand are not a sampling error apart."""
    labels = np.arange(1000) % 3
    champion = np.where(np.arange(1000) % 4 == 0, (labels + 1) % 3, labels)
    challenger = champion.copy()
    challenger[0] = labels[0]
    gains = metrics.macro_f1_gains(labels, challenger, champion, bootstrap=500, seed=0)
    assert 0 < gains.observed < 0.002
    assert gains.samples.std() < 0.002


def test_the_gain_is_the_difference_of_two_macro_f1():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 300)
    first, second = (np.where(draw.random(300) < p, labels, 2) for p in (0.8, 0.5))
    gains = metrics.macro_f1_gains(labels, first, second, bootstrap=500, seed=0)
    expected = np.subtract(*(f1_score(labels, own, average="macro") for own in (first, second)))
    assert gains.observed == pytest.approx(expected)
    assert gains.samples.mean() == pytest.approx(expected, abs=0.01)
