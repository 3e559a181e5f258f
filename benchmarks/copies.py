"""What a network would gain that knew by heart the training copies of the test faces.

    python -m benchmarks.copies CLEAN PACKAGE

CLEAN is what `clean` wrote of the data that PACKAGE was trained on, with `clean.leaks` (and
`clean.near_copies`) on, so that the package never saw those copies. Published figures come from
networks that did. Where a test face has a copy in the published training split, the package's
answer gives way to the label of that copy; the difference is the most that the copies can be
worth. Nothing is chosen by it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

KINDS = {"byte-identical": ["leak"], "and near copies": ["leak", "near_leak"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clean", type=Path, help="the folder that clean wrote")
    parser.add_argument("package", type=Path, help="a package, such as serving/released/fer2013")
    arguments = parser.parse_args()
    answers = pd.read_parquet(arguments.package / "predictions.parquet").set_index("row")
    classes = np.array(answers.columns.drop("split"))
    kept = pd.read_parquet(arguments.clean / "kept.parquet").set_index("row").loc[answers.index]
    found = pd.read_csv(arguments.clean / "quarantine.csv").set_index("id")
    label = classes[kept["label"]]
    answer = answers[classes].idxmax(axis=1).to_numpy()

    rows = {"none": _scores(label, answer, answer, np.zeros(len(label), bool))}
    for kind, reasons in KINDS.items():
        leaks = found[found["reason"].isin(reasons) & (found["action"] == "flagged")]
        by_heart = kept["id"].map(leaks["partner"]).map(found["label"])
        copied = by_heart.notna().to_numpy()
        rows[kind] = _scores(label, answer, by_heart.to_numpy(), copied)
    print(f"{arguments.package}, {len(label):,} test faces")
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))


def _scores(label: np.ndarray, answer: np.ndarray, by_heart: np.ndarray, copied: np.ndarray):
    """Shares of (N,) answers that are right, with and without (N,) labels of copies."""
    return {
        "copied": copied.mean(),
        "right on these": np.mean((answer == label)[copied]) if copied.any() else np.nan,
        "copies' labels right": np.mean((by_heart == label)[copied]) if copied.any() else np.nan,
        "accuracy": np.mean(np.where(copied, by_heart, answer) == label),
    }


if __name__ == "__main__":
    main()
