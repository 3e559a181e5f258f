"""The classifiers that the report put on every description of a face, and their settings."""

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

TREES = 150
LANDMARKS = 1000  # faces that the kernel is approximated with
NAMES = ("logistic_regression", "svm", "random_forest")

Features = np.ndarray | sparse.csr_matrix


def candidates(name: str, known: Features, seed: int) -> dict[str, ClassifierMixin]:
    """Returns a classifier with each of the settings that validation chooses from.

    The kernel of the SVM is that of C. Williams and M. Seeger, *Using the Nyström Method to
    Speed Up Kernel Machines* (2001): the exact one grows with the square of the faces.

    Args:
        name: One of `NAMES`.
        known: (N, D) features of the training faces, of unit total variance.
        seed: Of what is random.

    Returns:
        For each setting, in words, an unfitted classifier.
    """
    match name:
        case "logistic_regression":
            return {
                f"C={c:g}": LogisticRegression(C=c, max_iter=300, tol=1e-3) for c in (1, 10, 100)
            }
        case "svm":
            landmarks = min(LANDMARKS, known.shape[0])
            return {f"linear, C={c:g}": _svm(c, seed) for c in (0.1, 1)} | {
                f"RBF, C={c:g}": make_pipeline(
                    Nystroem(gamma=1.0, n_components=landmarks, random_state=seed), _svm(c, seed)
                )
                for c in (0.1, 1)
            }
        case "random_forest":
            return {
                f"leaves of {leaf}": RandomForestClassifier(
                    TREES, min_samples_leaf=leaf, n_jobs=-1, random_state=seed
                )
                for leaf in (1, 4)
            }
    raise ValueError(name)


def fit(classifier: ClassifierMixin, known: Features, labels: np.ndarray, weights: np.ndarray):
    """Fits on weighted faces; returns the classifier."""
    last = getattr(classifier, "steps", [("", None)])[-1][0]
    own = {f"{last}__sample_weight" if last else "sample_weight": weights}
    return classifier.fit(known, labels, **own)


def unit_variance(features: Features, training: np.ndarray) -> Features:
    """Scales features so that their variances over the training faces sum to one.

    One scale for all of them: then the same settings fit every description, and an RBF kernel
    of width 1 is what scikit-learn calls `gamma="scale"`.
    """
    known = features[np.flatnonzero(training)]
    if sparse.issparse(known):
        variance = known.multiply(known).mean(axis=0) - np.square(known.mean(axis=0))
    else:
        variance = known.var(axis=0)
    return features / np.float32(np.sqrt(variance.sum()) + 1e-12)


def _svm(c: float, seed: int) -> LinearSVC:
    return LinearSVC(C=c, tol=1e-2, random_state=seed)
