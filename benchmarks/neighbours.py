"""Whether SMOTE makes better faces of neighbours in a learnt space than of those in the pixels.

    python -m benchmarks.neighbours FACES KEPT [--only N] [--rounds 5]

FACES and KEPT are folders that `ingest` and `clean` wrote. In each round, training faces (N of
them, drawn anew, or all) are balanced with neighbours looked up in the pixels, in 64 eigenfaces,
or in a space that a network has learnt from the labels: the hidden layer of a perceptron on
histograms of oriented gradients. (ADASYN refuses such a space: it asks for neighbours of other
classes, and there a face has none.) Then a perceptron of another seed is trained on each and scored
on the validation split. Balanced accuracy (mean recall), in points, above `none` of the same
round, so that what rounds have in common cancels: mean and 95% interval (Student's t).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.metrics import recall_score
from sklearn.neural_network import MLPClassifier

from components.cleaning.mislabels import gradients
from components.data.faces import FaceSet
from components.interpolation import mix, recipes

NEIGHBOURS, EIGENFACES, COMPONENTS, HIDDEN, EPOCHS = 5, 64, 128, 64, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="folder that ingest wrote")
    parser.add_argument("kept", type=Path, help="folder that clean wrote")
    parser.add_argument("--only", type=int, help="so many random training faces a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    images = FaceSet.open(arguments.faces).images
    table = pd.read_parquet(arguments.kept / "kept.parquet")
    held_out = table[table["split"] == "val"]
    scores = []
    for seed in range(arguments.rounds):
        own = table[table["split"] == "train"]
        if arguments.only and arguments.only < len(own):
            own = own.sample(arguments.only, random_state=seed)
        scores.append(one_round(images, own, held_out, seed))
        print({name: round(score, 3) for name, score in scores[-1].items()}, flush=True)
    report(pd.DataFrame(scores))


def one_round(
    images: np.ndarray, own: pd.DataFrame, held_out: pd.DataFrame, seed: int
) -> dict[str, float]:
    """Balanced accuracy on validation after each way of balancing."""
    faces, labels = images[own["row"].to_numpy()], own["label"].to_numpy()
    flat = faces.reshape(len(faces), -1)
    features = gradients(faces)
    compress = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(features)
    unseen = compress.transform(gradients(images[held_out["row"].to_numpy()]))
    seen = compress.transform(features)

    def score(more: np.ndarray, more_labels: np.ndarray) -> float:
        network = trained(np.concatenate([seen, more]), np.append(labels, more_labels), seed)
        predicted = network.predict(unseen)
        return recall_score(held_out["label"], predicted, average="macro", zero_division=0)

    scores = {"none": score(seen[:0], labels[:0])}
    spaces = {
        "pixels": faces,
        "eigenfaces": PCA(EIGENFACES, random_state=seed).fit_transform(flat),
        "learnt": hidden(trained(seen, labels, seed + 1000), seen),
    }
    for name, space in spaces.items():
        made = recipes("smote", labels, lambda p, s=space: s[p], NEIGHBOURS, seed)
        one, other = (faces[made[side].to_numpy()] for side in ("one", "other"))
        new = gradients(mix(one, other, made["share"].to_numpy()))
        scores[name] = score(compress.transform(new), made["label"].to_numpy())
    return scores


def trained(features: np.ndarray, labels: np.ndarray, seed: int) -> MLPClassifier:
    network = MLPClassifier((HIDDEN,), alpha=1e-3, batch_size=64, random_state=seed)
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = rng.permutation(len(labels))
        network.partial_fit(features[order], labels[order], classes=np.unique(labels))
    return network


def hidden(network: MLPClassifier, features: np.ndarray) -> np.ndarray:
    """What the hidden layer answers: (n, HIDDEN) float64."""
    return np.maximum(features @ network.coefs_[0] + network.intercepts_[0], 0)


def report(scores: pd.DataFrame) -> None:
    print(f"none: balanced accuracy {scores['none'].mean():.3f}")
    above = 100 * scores.drop(columns="none").sub(scores["none"], axis=0)
    for space in ("eigenfaces", "learnt"):
        above[f"{space} - pixels"] = above[space] - above["pixels"]
    half = stats.t.ppf(0.975, len(above) - 1) * above.sem()
    for name in above:
        print(f"{name:28} {above[name].mean():+5.1f} ± {half[name]:.1f} points")


if __name__ == "__main__":
    main()
