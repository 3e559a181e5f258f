import numpy as np
import pytest

from components.calibration import (
    abstention_threshold,
    answered,
    cool,
    fit_temperature,
    risk_coverage,
)

LABELS = np.zeros(5, int)
# Right, right, wrong, right, wrong; the first two are equally sure.
ANSWERS = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, 600)


@pytest.fixture
def honest(labels) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(600, 3))
    return cool(np.exp(noise + 2 * np.eye(3)[labels]), 1.0)


def test_an_overconfident_answer_is_cooled(labels, honest):
    assert fit_temperature(cool(honest, 0.5), labels) == pytest.approx(
        2 * fit_temperature(honest, labels), rel=0.01
    )


def test_cooling_keeps_the_order_of_classes(honest):
    assert (cool(honest, 3.0).argmax(1) == honest.argmax(1)).all()
    np.testing.assert_allclose(cool(honest, 3.0).sum(1), 1, rtol=1e-6)


def test_the_curve_counts_errors_among_the_surest():
    curve = risk_coverage(ANSWERS, LABELS)
    np.testing.assert_allclose(curve["threshold"], [0.9, 0.8, 0.7, 0.6])
    np.testing.assert_allclose(curve["coverage"], [0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(curve["risk"], [0, 1 / 3, 1 / 4, 2 / 5])


@pytest.mark.parametrize(("risk", "threshold"), [(0.0, 0.9), (0.25, 0.7), (0.5, 0.6)])
def test_the_threshold_answers_as_many_as_the_risk_allows(risk, threshold):
    assert abstention_threshold(ANSWERS, LABELS, risk) == threshold
    assert answered(ANSWERS, LABELS, threshold)["risk"] <= risk


def test_who_cannot_keep_to_the_risk_answers_nothing_but_certainties():
    assert abstention_threshold(ANSWERS[:, ::-1], LABELS, 0.1) == 1
    assert answered(ANSWERS, LABELS, 1.0) == {"coverage": 0, "risk": 0}
