import numpy as np
import pytest
from scipy.special import softmax

from components import combining
from components.metrics import accuracy, nll


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, 600)


@pytest.fixture
def members(labels) -> np.ndarray:
    """Three members of rising skill, (3, 600, 3) probabilities."""
    noise = np.random.default_rng(1).normal(size=(3, 600, 3))
    skill = np.array([0.5, 1.0, 2.0])[:, None, None]
    return softmax(noise + skill * np.eye(3)[labels], axis=2)


def test_optimised_weights_are_no_worse_than_any_corner_or_the_middle(members, labels):
    best = nll(combining.optimised(members, labels)(members), labels)
    for other in (*np.eye(3), np.full(3, 1 / 3)):
        assert best <= nll(combining.Voting(other)(members), labels) + 1e-9


def test_greedy_weights_come_close_to_the_optimum_in_fiftieths(members, labels):
    optimum = nll(combining.optimised(members, labels)(members), labels)
    found = combining.greedy(members, labels)
    assert found.weights.sum() == pytest.approx(1)
    assert optimum <= nll(found(members), labels) < optimum + 1e-3


def test_greedy_selection_stays_with_a_member_that_is_right_alone(labels):
    perfect = np.eye(3)[labels]
    guesser = np.full_like(perfect, 1 / 3)
    assert combining.greedy(np.stack([guesser, perfect]), labels).weights.tolist() == [0, 1]


def test_stacking_mends_what_no_weights_can(members, labels):
    """A member that takes class 0 for 1 and 1 for 0 is as good as one that does not."""
    swapped = members[2:, :, [1, 0, 2]]
    stacked, voted = (fit(swapped, labels) for fit in (combining.stacking, combining.optimised))
    assert accuracy(stacked(swapped), labels) > 0.8
    assert accuracy(voted(swapped), labels) < 0.4


def test_stacking_without_anything_to_learn_from_is_the_geometric_mean(members, monkeypatch):
    monkeypatch.setattr(combining, "SHRINKAGE", 1e6)
    stacked = combining.stacking(members, np.zeros(600, int))(members)
    np.testing.assert_allclose(stacked, softmax(np.log(members).mean(axis=0), axis=1), atol=1e-4)


def test_a_class_that_validation_lacks_is_not_forbidden(members, labels):
    seen = labels != 2
    stacked = combining.stacking(members[:, seen], labels[seen])(members)
    assert stacked[labels == 2, 2].mean() > 2 * stacked[labels != 2, 2].mean()


def test_the_shares_of_stacking_show_who_counts(members, labels):
    shares = combining.stacking(members, labels).weights
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 2


def test_cross_validation_prefers_the_simple_rule_among_equals(labels):
    noise = np.random.default_rng(2).normal(size=(3, 60, 3))
    equals = softmax(noise + 1.5 * np.eye(3)[labels[:60]], axis=2)
    losses = combining.cross_validated(equals, labels[:60], seed=0)
    fitted = {
        name: nll(fit(equals, labels[:60])(equals), labels[:60])
        for name, fit in combining.RULES.items()
    }
    assert min(losses, key=lambda rule: losses[rule].mean()) == "equal"
    assert combining.preferred(losses) == "equal"
    assert min(fitted, key=fitted.get) == "stacking"  # on the faces that it was fitted on


@pytest.mark.parametrize(("gain", "chosen"), [(0.02, "equal"), (0.2, "stacking"), (-0.2, "equal")])
def test_a_rule_must_be_better_by_more_than_a_standard_error(gain, chosen):
    """Differences face by face deviate by 1, so that their mean has a standard error of 0.1."""
    draw = np.random.default_rng(0)
    equal = draw.exponential(10, 100)
    noise = draw.normal(size=100)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    losses = {"equal": equal, "optimised": equal, "stacking": equal + noise - gain}
    assert combining.preferred(losses) == chosen


def test_a_vote_is_by_head_and_a_tie_goes_to_the_surer():
    one, two, three = [0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.4, 0.6, 0.0]
    assert combining.hard_voting(np.array([[one], [two], [three]])).argmax() == 1
    assert combining.hard_voting(np.array([[one], [two]])).argmax() == 0
    np.testing.assert_allclose(combining.hard_voting(np.array([[one], [two]])).sum(), 1)
