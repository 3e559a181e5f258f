"""Print what `make repro` has come to, in a few lines (`dvc metrics show` has all of it)."""

import json
import sys
from pathlib import Path

METRICS = Path("metrics/ensemble.json")
SPLITS = {"val": "validation", "test": "test", "test_leak_free": "test, leak-free"}


def summary(metrics: dict[str, float]) -> str:
    """Returns a table of the ensemble's figures, a line a split, with 95% intervals.

    Args:
        metrics: As `ensemble` returns them.
    """

    def interval(name: str) -> str:
        low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
        return f"{metrics[name]:.3f} ({low:.3f}-{high:.3f})"

    lines = [f"{'ensemble':<17}{'faces':>6}  {'accuracy':<19}  {'macro-F1':<19}  ECE"]
    lines += [
        f"{title:<17}{metrics[f'{split}.n']:>6.0f}  {interval(f'{split}.accuracy')}  "
        f"{interval(f'{split}.macro_f1')}  {metrics[f'{split}.ece']:.3f}"
        for split, title in SPLITS.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    if not METRICS.is_file():
        sys.exit(f"{METRICS} is not there; `make repro` makes it.")
    print(summary(json.loads(METRICS.read_text(encoding="utf-8"))))
    print(
        "More: artifacts/evaluate/report.html, `make ui`, `dvc metrics show`. Serve it: make serve"
    )
