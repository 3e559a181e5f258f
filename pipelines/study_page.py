"""The page that the study ends in: what was claimed, what was measured, what differed."""

import math
from dataclasses import dataclass

from pipelines.study_plan import Experiment, Values

HEAD = """# The two student works' experiments

Written by `make study`; do not edit. Budget `{budget}` of
[`pipelines/study.yaml`](../pipelines/study.yaml), on {data} (md5 `{md5}`).

Accuracy on the test split as published and, beside it, without the faces that have a copy in
training, and macro-F1 on the former, each with its 95% bootstrap interval; one network or ensemble
as named, no test-time augmentation, epochs and settings chosen on the validation split. The works
measured on FER-2013, or FER+ where it says so{drawn}.
Claims are figures that the works are known to state: the report's Tables 4.3 and 4.4 were not at
hand.
"""
DRAWN = ": on drawn faces the claims are no yardstick, and this page shows that everything runs"
TABLE = """
## {work}

| experiment | claimed | measured | leak-free | macro-F1 | what differed |
|---|---|---|---|---|---|
"""
Z = 1.96  # of a 95% interval


@dataclass(frozen=True)
class Row:
    """An experiment, the params.yaml that it ran with, and its metrics if it ran."""

    experiment: Experiment
    params: Values
    metrics: dict[str, float] | None


def page(rows: dict[str, Row], budget: str, md5: str, *, drawn: bool) -> str:
    """Returns the page as Markdown.

    Args:
        rows: Experiments by name, those of one work side by side.
        budget: Name of the budget.
        md5: Of the data set.
        drawn: Whether that is the embedded one.
    """
    data = "the embedded set of drawn faces" if drawn else "the data set in `data/`"
    text = HEAD.format(budget=budget, data=data, md5=md5, drawn=DRAWN if drawn else "")
    work = None
    for name, row in rows.items():
        if row.experiment.work != work:
            work = row.experiment.work
            text += TABLE.format(work=work)
        cells = [
            f"`{name}`: {row.experiment.title}",
            _claimed(row.experiment),
            *_measured(row, rows),
            _differed(row),
        ]
        text += f"| {' | '.join(cells)} |\n"
    return text


def _claimed(experiment: Experiment) -> str:
    if experiment.gain and experiment.gain.points is not None:
        return f"{experiment.gain.points:+g} points over `{experiment.gain.over}`"
    return "none known" if experiment.claim is None else f"{experiment.claim:g}"


def _measured(row: Row, rows: dict[str, Row]) -> list[str]:
    if row.metrics is None:
        return ["not run", "", ""]
    cells = []
    for split in ("test", "test_leak_free"):
        cell = _interval(row.metrics, f"{split}.accuracy")
        gain = row.experiment.gain
        if gain and gain.over in rows and rows[gain.over].metrics:
            cell += f"; {_gain(row.metrics, rows[gain.over].metrics, split)} over `{gain.over}`"
        cells.append(cell)
    return [*cells, _interval(row.metrics, "test.macro_f1")]


def _interval(metrics: dict[str, float], name: str) -> str:
    value, low, high = (metrics[f"{name}{bound}"] for bound in ("", "_low", "_high"))
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def _gain(metrics: dict[str, float], base: dict[str, float], split: str) -> str:
    """Returns a gain and its interval, as if of different faces, which is too wide."""
    own, other = metrics[f"{split}.accuracy"], base[f"{split}.accuracy"]
    spread = sum(
        scores[f"{split}.accuracy"] * (1 - scores[f"{split}.accuracy"]) / scores[f"{split}.n"]
        for scores in (metrics, base)
    )
    gain, reach = 100 * (own - other), 100 * Z * math.sqrt(spread)
    return f"{gain:+.1f} points ({gain - reach:+.1f} to {gain + reach:+.1f})"


def _differed(row: Row) -> str:
    """Says what a reader of the works must know: sizes, epochs, where the weights come from."""
    told = []
    for member in row.experiment.members:
        design, recipe = row.params["design"][member], row.params["train"]["members"][member]
        recipe = row.params["train"]["common"] | recipe
        head = f"{recipe['head']['epochs']} + " if recipe["head"] else ""
        epochs = f"{head}{recipe['epochs']} epoch{'' if recipe['epochs'] == 1 else 's'}"
        parts = [f"{design['input_size']} px", epochs]
        if "weights" in design:
            parts.append("pretrained" if design["weights"] else "no pretrained weights")
        told.append(", ".join(parts))
    alike = told[0] if len(set(told)) == 1 else "; ".join(told)
    by = f"{', '.join(f'`{member}`' for member in row.experiment.members)}: {alike}"
    return f"{by}; {row.experiment.note}" if row.experiment.note else by
