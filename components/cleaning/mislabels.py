"""Labels that are likely wrong: confident learning on out-of-fold probabilities.

Each face is judged by a classifier that was trained on the others: a small network on histograms
of oriented gradients of faces that are moved and relit anew in every epoch. It needs no
TensorFlow, and is good enough to doubt a label: it need not be good enough to replace it.

Sources: C. Northcutt et al., *Confident Learning* (2021), by way of cleanlab; N. Dalal and
B. Triggs, *Histograms of Oriented Gradients for Human Detection* (2005).
"""

import math
import warnings

import cv2
import numpy as np
from cleanlab.count import num_label_issues
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from components.augment import augment
from components.settings import AugmentSettings

_SIDE = 48  # pixels that a face is brought to
_CELLS = (8, 6)  # pixels a side, of the cells that gradients are counted in
_COMPONENTS = 256  # that the histograms are reduced to
_EPOCHS = 60
_SETTLED = 20  # epochs after which the classifiers' answers count
_ROUNDS = 2
_NAMED = 0.8  # of the number of wrong labels that cleanlab estimates; it counts hard faces too
_AUGMENTATION = AugmentSettings(
    flip=True, shift=0.05, rotate=6.0, zoom=0.06, contrast=0.2, brightness=20.0, erase=0.0
)


def label_issues(
    images: np.ndarray, labels: np.ndarray, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the labels that are likely wrong.

    Args:
        images: (N, H, W) uint8.
        labels: (N,) int8.
        folds: Parts, each judged by a classifier trained on the others.
        seed: Of the folds and the classifiers.

    Returns:
        (N,) bool, and (N,) float64 probabilities of the given labels.
    """
    codes = np.unique(labels, return_inverse=True)[1]
    trusted = np.ones(len(codes), bool)
    rounds = []
    for number in range(_ROUNDS):
        rounds.append(out_of_fold(images, codes, trusted, folds, seed + number))
        probabilities = np.mean(rounds, axis=0)
        # The labels that are doubted most mislead nobody in the next round.
        doubt = _doubt(probabilities, codes)
        count = math.ceil(_NAMED * num_label_issues(codes, probabilities))
        trusted = np.ones(len(codes), bool)
        trusted[np.argsort(-doubt, kind="stable")[:count]] = False
    return ~trusted & (doubt > 1), probabilities[np.arange(len(codes)), codes]


def out_of_fold(
    images: np.ndarray, labels: np.ndarray, trusted: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Class probabilities of each face, by a classifier that has not seen it.

    The mean over the later epochs, in each of which the face looks a little different.

    Args:
        images: (N, H, W) uint8.
        labels: (N,) integers from 0 without a gap.
        trusted: (N,) bool, the faces to learn from; all are judged.
        folds: Parts; a class with fewer faces than that is in some folds not learnt.
        seed: Of the folds and the classifiers.

    Returns:
        (N, classes) float64.
    """
    rng = np.random.default_rng(seed)
    classes = np.arange(labels.max() + 1)
    compress, scale = _compression(gradients(images))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(images, labels))
    networks = [MLPClassifier((256,), alpha=1e-3, batch_size=64, random_state=seed) for _ in parts]
    total = np.zeros((len(labels), len(classes)))
    for epoch in range(_EPOCHS):
        changed = augment(images, _AUGMENTATION, rng).clip(0, 255).astype(np.uint8)
        features = compress.transform(gradients(changed)) / scale
        for network, (seen, unseen) in zip(networks, parts, strict=True):
            order = rng.permutation(seen[trusted[seen]])
            network.partial_fit(features[order], labels[order], classes=classes)
            if epoch >= _SETTLED:
                total[unseen] += network.predict_proba(features[unseen])
    return total / (_EPOCHS - _SETTLED)


def _doubt(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many times likelier than its label the likeliest other one is: (N,) float64."""
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = 0
    return others.max(axis=1) / np.maximum(probabilities[rows, labels], 1e-9)


def gradients(images: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients: (N, H, W) uint8 to (N, 2664) float32."""
    side = (_SIDE, _SIDE)
    kinds = [cv2.HOGDescriptor(side, (2 * c, 2 * c), (c, c), (c, c), 9) for c in _CELLS]
    resized = (cv2.resize(image, side) for image in images)
    return np.array([np.concatenate([kind.compute(i) for kind in kinds]) for i in resized])


def _compression(features: np.ndarray) -> tuple[PCA, np.ndarray]:
    """Principal components, and what to divide them by: in between plain and whitened."""
    count = min(_COMPONENTS, *features.shape)
    compress = PCA(count, svd_solver="covariance_eigh").fit(features)
    deviation = np.sqrt(compress.explained_variance_).astype(np.float32) + 1e-6
    return compress, np.sqrt(deviation * np.sqrt(np.mean(deviation)))
