"""How members' probabilities become one: soft voting by several rules, and stacking.

A rule is fitted on the validation split. Whatever it is, what comes out is a function of the
members' probabilities that one ONNX graph can hold: a weighted mean, or one dense layer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import KFold

from components.calibration import cool, fit_temperature
from components.metrics import SMALLEST, nlls

ROUNDS = 50  # of the greedy selection: weights are multiples of a fiftieth or more
SHRINKAGE = 0.01  # pull of stacking towards the members' geometric mean
FOLDS = 5


@dataclass(frozen=True)
class Voting:
    """Soft voting: the weighted mean of the members' probabilities (formula 4.1).

    Attributes:
        weights: (M,) on the simplex; equal weights give the report's formula.
    """

    weights: np.ndarray

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Combines (M, N, C) probabilities into (N, C)."""
        return np.tensordot(self.weights, probabilities, axes=1)


@dataclass(frozen=True)
class Stacking:
    """One dense layer and a softmax on the members' log probabilities (Wolpert 1992).

    Attributes:
        kernel: (M·C, C), members one after another.
        bias: (C,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Combines (M, N, C) probabilities into (N, C)."""
        return softmax(_beside(probabilities) @ self.kernel + self.bias, axis=1)

    @property
    def weights(self) -> np.ndarray:
        """(M,) share of each member in the layer's absolute weights, to be shown."""
        classes = len(self.bias)
        shares = np.abs(self.kernel).reshape(-1, classes * classes).sum(axis=1)
        return shares / shares.sum()


Combiner = Voting | Stacking


def equal(probabilities: np.ndarray, labels: np.ndarray) -> Voting:
    """All members count the same; `labels` are not looked at."""
    return Voting(np.full(len(probabilities), 1 / len(probabilities)))


def optimised(probabilities: np.ndarray, labels: np.ndarray) -> Voting:
    """Finds the weights on the simplex with the least negative log likelihood.

    The objective is convex in the weights (a mixture enters the logarithm linearly), so
    the minimum found is the global one.

    Args:
        probabilities: (M, N, C).
        labels: (N,) integers below C.
    """
    likelihood = _likelihood(probabilities, labels)
    count = len(likelihood)

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = np.maximum(weights @ likelihood, SMALLEST)
        return -np.log(mixed).mean(), -(likelihood / mixed).mean(axis=1)

    found = minimize(
        objective,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-10, "maxiter": 500},
    )
    weights = np.clip(found.x, 0, 1)
    return Voting(weights / weights.sum())


def greedy(probabilities: np.ndarray, labels: np.ndarray) -> Voting:
    """Takes, again and again, the member that helps most (Caruana et al. 2004).

    Forward selection with replacement; what counts is the negative log likelihood, and the
    best of all rounds is kept.

    Args:
        probabilities: (M, N, C).
        labels: (N,) integers below C.
    """
    likelihood = _likelihood(probabilities, labels)
    counts = np.zeros(len(likelihood))
    total = np.zeros(likelihood.shape[1])
    best, best_loss = counts, np.inf
    for size in range(1, ROUNDS + 1):
        losses = -np.log((total + likelihood) / size).mean(axis=1)
        chosen = int(losses.argmin())
        counts[chosen] += 1
        total += likelihood[chosen]
        if losses[chosen] < best_loss:
            best, best_loss = counts / size, losses[chosen]
    return Voting(best)


def stacking(probabilities: np.ndarray, labels: np.ndarray) -> Stacking:
    """Multinomial logistic regression on the members' log probabilities.

    Its penalty pulls towards the members' geometric mean instead of zero, so that a class
    that validation hardly shows is answered as the members do.

    Args:
        probabilities: (M, N, C).
        labels: (N,) integers below C.
    """
    count, faces, classes = probabilities.shape
    features, truth = _beside(probabilities), np.eye(classes)[labels]
    prior = np.append(np.tile(np.eye(classes) / count, (count, 1)), np.zeros((1, classes)), axis=0)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        layer = flat.reshape(prior.shape)
        pull = layer - prior
        logs = log_softmax(features @ layer[:-1] + layer[-1], axis=1)
        excess = (np.exp(logs) - truth) / faces
        slope = np.append(features.T @ excess, excess.sum(axis=0, keepdims=True), axis=0)
        loss = -(truth * logs).sum() / faces + SHRINKAGE / 2 * (pull**2).sum()
        return loss, (slope + SHRINKAGE * pull).ravel()

    found = minimize(objective, prior.ravel(), jac=True, method="L-BFGS-B")
    layer = found.x.reshape(prior.shape)
    return Stacking(layer[:-1], layer[-1])


# Simple ones first, as `preferred` takes them.
RULES: dict[str, Callable[[np.ndarray, np.ndarray], Combiner]] = {
    rule.__name__: rule for rule in (equal, optimised, greedy, stacking)
}

# What each is called in metrics, and the hard vote beside them: `accuracy_of.equal_weights`.
REPORTED = {rule: rule if rule == "stacking" else f"{rule}_weights" for rule in RULES}
REPORTED |= {"hard_voting": "hard_voting"}


def cross_validated(
    probabilities: np.ndarray, labels: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Scores every rule on faces that neither it nor its temperature was fitted on.

    Args:
        probabilities: (M, N, C), N at least 5.
        labels: (N,) integers below C.
        seed: Of the folds.

    Returns:
        For each of `RULES` the (N,) negative log likelihoods of the labels, in nats.
    """
    losses = {rule: np.empty(len(labels)) for rule in RULES}
    for fitted, held_out in KFold(FOLDS, shuffle=True, random_state=seed).split(labels):
        for rule, fit in RULES.items():
            combine = fit(probabilities[:, fitted], labels[fitted])
            temperature = fit_temperature(combine(probabilities[:, fitted]), labels[fitted])
            answers = cool(combine(probabilities[:, held_out]), temperature)
            losses[rule][held_out] = nlls(answers, labels[held_out])
    return losses


def preferred(losses: dict[str, np.ndarray]) -> str:
    """Chooses the simplest rule that is not worse than the best one for certain.

    The one-standard-error rule (Breiman, Friedman, Olshen & Stone, "Classification and Regression
    Trees", 1984, section 3.4.3), with the standard error of the difference face by face.

    Args:
        losses: As `cross_validated` returns them, simple rules first.
    """
    best = min(losses.values(), key=np.mean)

    def as_good(own: np.ndarray) -> bool:
        beyond = own - best
        return beyond.mean() <= beyond.std(ddof=1) / np.sqrt(len(beyond))

    return next(rule for rule, own in losses.items() if as_good(own))


def hard_voting(probabilities: np.ndarray) -> np.ndarray:
    """Counts each member's top class; ties go to the class with the higher mean probability.

    It is reported, not offered: shares of votes are no probabilities.

    Args:
        probabilities: (M, N, C).

    Returns:
        (N, C) shares of the votes.
    """
    votes = np.eye(probabilities.shape[2])[probabilities.argmax(axis=2)].sum(axis=0)
    return (votes + probabilities.mean(axis=0)) / (len(probabilities) + 1)


def _beside(probabilities: np.ndarray) -> np.ndarray:
    """(M, N, C) probabilities to (N, M·C) logs."""
    count, faces, classes = probabilities.shape
    logs = np.log(np.maximum(probabilities, SMALLEST))
    return logs.transpose(1, 0, 2).reshape(faces, count * classes)


def _likelihood(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(M, N) probability that each member gives to the label."""
    return np.maximum(probabilities[:, np.arange(len(labels)), labels], SMALLEST)
