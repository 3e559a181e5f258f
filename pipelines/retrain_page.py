"""The report of a retraining, as Markdown with pictures."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import vl_convert

HEADLINE = {
    f"{split}.{name}": f"{title}, {said}"
    for name, title in {
        "accuracy": "accuracy",
        "macro_f1": "macro-F1",
        "nll": "NLL",
        "ece": "ECE",
    }.items()
    for split, said in {"test": "published split", "test_leak_free": "leak-free subset"}.items()
}
PICTURES = ("models", "confusion_shares", "reliability")  # of `plots` in dvc.yaml
WORDS = {
    "promoted": "The gate let it pass: it is champion now.",
    "refused": "The gate refused it: the champion is what it was.",
    "champion already": (
        "Nothing was judged: data and settings give the model that is champion already. What a "
        "drift alarm asks for is new labelled faces."
    ),
    "rolled back": (
        "It was champion and was rolled back, so it is not promoted again: change the data or a "
        "setting."
    ),
    "reported": "Nothing was judged and no champion moved: that happens once this is merged.",
}


@dataclass(frozen=True)
class Verdict:
    """What came of a retraining.

    Attributes:
        word: A key of `WORDS`.
        version: Of the package.
        decision: The gate's own page.
        bento: Tag of the Bento that was built.
    """

    word: str
    version: str = ""
    decision: str = ""
    bento: str = ""

    def with_bento(self, tag: str) -> "Verdict":
        """Returns the same with a Bento."""
        return replace(self, bento=tag)


def pictures(plots: dict[str, Any], folder: Path) -> list[str]:
    """Draws the most telling plots of `dvc plots diff --json`.

    Args:
        plots: What DVC printed; a plot that a revision lacks is drawn of the others.
        folder: To write PNGs to.

    Returns:
        The files' names.
    """
    names = []
    for name in PICTURES:
        for plot in plots["data"].get(name, [])[:1]:
            png = vl_convert.vegalite_to_png(plot["content"], vl_version="5.20", scale=1.5)
            (folder / f"{name}.png").write_bytes(png)
            names.append(f"{name}.png")
    return names


def page(
    verdict: Verdict,
    *,
    because: str,
    against: str,
    metrics: dict[str, dict[str, dict[str, float]]],
    params: str,
    data: tuple[str, str],
    pictures: list[str],
    prefix: str = "",
) -> str:
    """Writes the report.

    Args:
        verdict: What came of it.
        because: Why it was started.
        against: The revision that everything is compared with.
        metrics: `{file: {metric: {"old", "new", "diff"}}}`, as DVC prints them.
        params: DVC's own table.
        data: md5 of the data there and here.
        pictures: Files beside the report.
        prefix: Address of the folder that holds them; none means beside the report.

    Returns:
        Markdown.
    """
    compared = metrics.get("metrics/ensemble.json", {})
    rows = [_row(title, compared[name]) for name, title in HEADLINE.items() if name in compared]
    table = [f"| | `{against}` | now | |", "|---|---|---|---|", *rows]
    before, now = data
    said = f"md5 `{now}`" + (" as before" if before == now else f", before `{before}`")
    parts = [
        f"# Retrained: {verdict.word}",
        f"{WORDS[verdict.word]} Started because: {' '.join(because.split())}.",
        _which(verdict),
        _gate(verdict.decision),
        f"## Against `{against}`",
        "\n".join(table) if rows else "No metrics of an ensemble to compare.",
        *(f"![{name}]({prefix.rstrip('/') + '/' if prefix else ''}{name})" for name in pictures),
        f"## What changed\n\nData: {said}.\n\nSettings that differ: {_folded(params.strip())}",
        f"Metrics that differ: {_folded(_all(metrics))}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _which(verdict: Verdict) -> str:
    model = f"Model `{verdict.version}`" if verdict.version else ""
    return f"{model}, Bento `{verdict.bento}`." if verdict.bento else model and f"{model}."


def _gate(decision: str) -> str:
    _, _, rest = decision.partition("\n")  # its own title
    return f"## The gate\n\n{rest.strip()}" if rest.strip() else ""


def _row(title: str, values: dict[str, float]) -> str:
    old, new, diff = (values.get(key) for key in ("old", "new", "diff"))
    return f"| {title} | {_figure(old)} | {_figure(new)} | {_figure(diff, sign='+')} |"


def _figure(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4g}"


def _all(metrics: dict[str, dict[str, dict[str, float]]]) -> str:
    rows = [
        _row(f"{file.removeprefix('metrics/').removesuffix('.json')}: {name}", values)
        for file, its in sorted(metrics.items())
        for name, values in its.items()
        if values.get("old") != values.get("new")
    ]
    return "\n".join(["| | before | now | |", "|---|---|---|---|", *rows])


def _folded(table: str) -> str:
    """Returns a table that one opens by a click, or says that it is empty."""
    rows = len(table.splitlines()) - 2
    if rows < 1:
        return "none."
    return f"{rows}\n\n<details><summary>show</summary>\n\n{table}\n\n</details>"
