"""Pictures of results, for MLflow, reports and the README. Each can be read in grey."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter


def confusion_matrix(counts: np.ndarray, classes: tuple[str, ...], title: str, path: Path) -> None:
    """Draws (C, C) counts as shares of each row, with the counts written in.

    Args:
        counts: Rows are labels, columns predictions.
        classes: Names of the classes.
        title: Of the figure.
        path: PNG file to write.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the label's faces", shrink=0.85)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            f"{share:.0%}\n{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share > 0.5 else "black",
        )
    axes.set(title=title, xlabel="predicted", ylabel="label")
    axes.set_xticks(range(len(classes)), classes, rotation=30)
    axes.set_yticks(range(len(classes)), classes)
    _save(figure, path)


def reliability_diagram(curves: dict[str, dict[str, np.ndarray]], title: str, path: Path) -> None:
    """Draws accuracy against confidence, with the number of faces below.

    Args:
        curves: At most two, as `components.metrics.reliability` returns them; the last one's
            faces are counted.
        title: Of the figure.
        path: PNG file to write.
    """
    figure, (upper, lower) = plt.subplots(
        2, figsize=(5.6, 5.6), height_ratios=[3, 1], sharex=True, layout="constrained"
    )
    upper.plot([0, 1], [0, 1], "--", color="grey", label="perfectly calibrated")
    looks = (("s:", "grey"), ("o-", "black"))[-len(curves) :]
    for (name, bins), (line, colour) in zip(curves.items(), looks, strict=True):
        upper.plot(bins["confidence"], bins["accuracy"], line, color=colour, label=name)
    upper.set(title=title, ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left")
    lower.bar(bins["confidence"], bins["count"], width=0.04, color="grey")
    lower.set(xlabel="confidence (probability of the top class)", ylabel="faces")
    _save(figure, path)


def risk_coverage(
    curves: dict[str, dict[str, np.ndarray]],
    chosen: tuple[float, float],
    title: str,
    path: Path,
) -> None:
    """Draws the share of wrong answers against the share of faces that are answered.

    Args:
        curves: At most three, as `components.calibration.risk_coverage` returns them.
        chosen: Coverage and risk at the threshold that is in use.
        title: Of the figure.
        path: PNG file to write.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    looks = (("-", "black"), ("--", "black"), (":", "grey"))
    for (name, curve), (line, colour) in zip(curves.items(), looks, strict=False):
        axes.step(curve["coverage"], curve["risk"], line, color=colour, where="post", label=name)
    axes.plot(*chosen, "o", color="black", ms=8, label="threshold in use")
    axes.set(title=title, xlabel="coverage (share of faces answered)", xlim=(0, 1))
    axes.set(ylabel="risk (share of answers that are wrong)", ylim=(0, None))
    axes.legend(loc="upper left")
    _save(figure, path)


def training_curves(curves: pd.DataFrame, title: str, path: Path) -> None:
    """Draws loss and accuracy of training and validation against epochs.

    Args:
        curves: Columns `epoch`, `loss`, `val_loss`, `accuracy`, `val_accuracy`.
        title: Of the figure.
        path: PNG file to write.
    """
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axes, name, unit in zip(
        panels, ("loss", "accuracy"), ("cross-entropy (nats)", "share right"), strict=True
    ):
        axes.plot(curves["epoch"], curves[name], "--", color="grey", label="training, augmented")
        axes.plot(
            curves["epoch"], curves[f"val_{name}"], "o-", ms=3, color="black", label="validation"
        )
        axes.set(title=name, xlabel="epoch", ylabel=unit)
        axes.legend()
    figure.suptitle(title)
    _save(figure, path)


def histograms(
    values: dict[str, np.ndarray], title: str, measure: str, bins: np.ndarray, path: Path
) -> None:
    """Draws the distribution of a measure in several groups as outlines, in shares.

    Args:
        values: (n,) numbers of each group.
        title: Of the figure.
        measure: What the numbers are, with their unit.
        bins: Edges.
        path: PNG file to write.
    """
    figure, axes = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    for (name, own), line in zip(values.items(), ("-", "--", ":"), strict=False):
        shares = np.histogram(own, bins)[0] / max(len(own), 1)
        axes.stairs(shares, bins, color="black", linestyle=line, label=f"{name} ({len(own):,})")
    axes.set(title=title, xlabel=measure, ylabel="share of faces", ylim=(0, None))
    axes.legend()
    _save(figure, path)


def counts(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draws counts of each class (index) after each of some steps (columns) as grouped bars."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    greys = [str(grey) for grey in np.linspace(0.8, 0.1, table.shape[1])]
    table.plot.bar(ax=axes, color=greys, edgecolor="black", rot=20, width=0.8)
    axes.set(title=title, xlabel="class", ylabel="training faces")
    axes.legend(title="after", loc="upper left", bbox_to_anchor=(1, 1))
    _save(figure, path)


def intervals(table: pd.DataFrame, splits: dict[str, str], title: str, path: Path) -> None:
    """Draws accuracies with their intervals, a line for each row, the best on top.

    Args:
        table: Indexed by name; columns `SPLIT.accuracy`, and the same with `_low` and `_high`.
        splits: Splits to draw, and what to call each.
        title: Of the figure.
        path: PNG file to write.
    """
    table = table.sort_values(f"{next(iter(splits))}.accuracy")
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(table) + 1.4), layout="constrained")
    looks = (("o", "black", 0.14), ("s", "grey", -0.14))
    for (split, called), (marker, colour, shift) in zip(splits.items(), looks, strict=True):
        middle = table[f"{split}.accuracy"]
        low, high = (table[f"{split}.accuracy_{end}"] for end in ("low", "high"))
        axes.errorbar(
            middle,
            np.arange(len(table)) + shift,
            xerr=[middle - low, high - middle],
            fmt=marker,
            color=colour,
            capsize=2,
            ms=4,
            label=called,
        )
    axes.set_yticks(range(len(table)), table.index)
    axes.set(title=title, xlabel="accuracy (share right)")
    axes.grid(axis="x", color="0.9")
    figure.legend(loc="outside lower center", ncols=len(splits))
    _save(figure, path)


def pareto(trials: pd.DataFrame, title: str, path: Path) -> None:
    """Draws the accuracy of networks against what they cost.

    Args:
        trials: Columns `mmacs`, `val_accuracy` and `pareto` (whether none is cheaper and better).
        title: Of the figure.
        path: PNG file to write.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    front = trials[trials["pareto"]].sort_values("mmacs")
    others = trials[~trials["pareto"]]
    axes.plot(others["mmacs"], others["val_accuracy"], "x", color="grey", label="other trials")
    axes.step(
        front["mmacs"],
        front["val_accuracy"],
        "o-",
        color="black",
        where="post",
        label="Pareto front: none cheaper and better",
    )
    axes.set(title=title, xlabel="million multiply-accumulates a face", xscale="log")
    axes.set(ylabel="validation accuracy (share right)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 6, 8)))
    axes.xaxis.set_major_formatter("{x:g}")  # by itself a log axis says 6 x 10^0
    axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(loc="outside lower center", ncols=2)
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Matplotlib would stamp its version into the file, and DVC would see a new picture.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
