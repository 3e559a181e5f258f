"""How often the gate errs: equal models refused or promoted, and the power to see a gain.

    python -m benchmarks.gate [--pairs N] [--faces N]

Draws pairs of classifiers on FER-2013's class shares: some faces are hard for both, and each has
luck of its own. Both have the same chance on the faces that there might be,
so whatever they differ by on these few is luck; or one is better by so many points of accuracy.
Then the gate compares them, as in `python -m components promote`. Quoted are the settings in
params.yaml but for `compare`.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from benchmarks.evaluate import SHARES
from components import settings
from components.metrics import macro_f1_gains
from components.promote import compare

CLASSES = len(SHARES)
SKILL = 2.0  # of the champion: right about as often as a good FER-2013 model
SHARED = 0.75  # of the variance of a face's logits is the face's, the rest the model's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--faces", type=int, default=3589)
    chosen = parser.parse_args()
    given = settings.load(Path(__file__).parents[1] / "params.yaml").promote
    rules = {name: given.model_copy(update={"compare": name}) for name in ("no_loss", "gain")}
    print(
        f"{chosen.pairs} pairs, {chosen.faces} faces, significance {given.significance}, "
        f"champion's accuracy {accuracy(SKILL):.3f}"
    )
    skills = SKILL + np.linspace(-0.2, 0.2, 9)
    right = [accuracy(skill) for skill in skills]
    for points in (0, 2, -2):
        skill = np.interp(accuracy(SKILL) + points / 100, right, skills)
        passed = dict.fromkeys(rules, 0)
        differ, gains = [], []
        for pair in range(chosen.pairs):
            labels, ours, theirs = draw(pair, chosen.faces, skill)
            differ.append(np.mean((ours == labels) != (theirs == labels)))
            resampling = {"bootstrap": given.bootstrap, "seed": given.seed}
            found = macro_f1_gains(labels, ours, theirs, **resampling)
            gains.append(found.observed)
            for name, rule in rules.items():
                passed[name] += compare(found, rule).passed
        told = ", ".join(f"{name} promotes {share(n, chosen.pairs)}" for name, n in passed.items())
        print(
            f"{points:+d} points of accuracy ({100 * np.mean(gains):+.2f} of macro-F1; one alone "
            f"right on {np.mean(differ):.1%} of the faces): {told}"
        )


def draw(seed: int, faces: int, skill: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels, and the answers of a challenger of some skill and of the champion."""
    source = np.random.default_rng(seed)
    labels = source.choice(CLASSES, faces, p=SHARES / SHARES.sum())
    truth = np.eye(CLASSES)[labels]
    face, ours, theirs = source.normal(size=(3, faces, CLASSES))
    shared, own = np.sqrt(SHARED), np.sqrt(1 - SHARED)
    logits = (
        skill * truth + shared * face + own * ours,
        SKILL * truth + shared * face + own * theirs,
    )
    return labels, *(one.argmax(axis=1) for one in logits)


def accuracy(skill: float) -> float:
    """Returns the share that a classifier of some skill has right, on 200,000 faces."""
    noise = np.random.default_rng(0).normal(size=(200_000, CLASSES))
    return float((skill + noise[:, 0] > noise[:, 1:].max(axis=1)).mean())


def share(count: int, of: int) -> str:
    interval = binomtest(count, of).proportion_ci()
    return f"{count / of:.1%} ({interval.low:.1%}–{interval.high:.1%})"


if __name__ == "__main__":
    main()
