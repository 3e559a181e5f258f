"""The report of `evaluate`: one page for a person who wants to know how good the model is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.combining import REPORTED
from components.pages import page, picture
from components.predictions import TESTS

ALL = "all faces"  # the line of a table of slices that is none
SLICED = ("n", "accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy")
_BODY = """
{headline}
<h2>How often right</h2>
<p>Shares of the test split, with 95% bootstrap intervals. The published split has
{n:,} faces; the leak-free subset leaves out those that had a copy in training ({leaked:,}).
Balanced accuracy is the mean recall of the classes.</p>
{right}
{models}
<h2>How honest</h2>
<p>Negative log likelihood (nats), Brier score and expected calibration error (15 bins), all
after temperature, and the calibration error before it. Each model has a temperature of its own,
fitted on the validation split.</p>
{honest}
<div>{reliability}{risk_coverage}</div>
{abstention}
<h2>How the members are combined</h2>
{gain}
{rules}
<h2>Class by class</h2>
{per_class}
{confusion}
<h2>Part by part</h2>
<p>Slices of the test split: thirds by brightness, contrast and sharpness, faces that most of
FER+'s taggers agree on, if they were asked, and whatever the data say of the people. Those whose
interval lies wholly below the accuracy of all faces are set in bold; by chance that happens to one
slice in forty.</p>
{slices}
<h2>The surest mistakes</h2>
<p>Left the face, right the places that spoke for the wrong answer (Grad-CAM of
<em>{best}</em>, the member that is best on validation; light is much). Look for wrong labels,
too: a sure mistake is often one.</p>
{mistakes}
<h2>How this was measured</h2>
<p>Members, their combination, the temperature and the threshold were settled on the validation
split; the test split was scored once with them. Intervals are percentiles of a bootstrap over
faces, and say nothing of another training.</p>
"""


@dataclass(frozen=True)
class Findings:
    """What the report shows.

    Attributes:
        models: Metrics of the ensemble and of each member, `SPLIT.METRIC`.
        settled: What `ensemble.json` holds.
        sliced: A line for all faces, and one a slice: `SPLIT.METRIC` for each of `SLICED`.
        classes: Names of the classes, in label order.
        best: The member that is best on validation.
    """

    models: dict[str, dict[str, float]]
    settled: dict[str, Any]
    sliced: pd.DataFrame
    classes: tuple[str, ...]
    best: str

    def per_class(self) -> pd.DataFrame:
        """Returns precision, recall and F1 a line for each model, split and class."""
        return pd.DataFrame(
            {"model": model, "split": split, "class": name}
            | {m: own[f"{split}.{m}.{name}"] for m in ("precision", "recall", "f1")}
            for model, own in self.models.items()
            for split in TESTS
            for name in self.classes
        )


def write_report(path: Path, findings: Findings, pictures: list[Path]) -> None:
    """Writes the page.

    Args:
        path: HTML file to write.
        findings: What it shows.
        pictures: Folders with the PNG files that it shows.
    """
    scores = findings.models["ensemble"]
    shown = {
        file.stem: picture(file.read_bytes(), file.stem.replace("_", " "))
        for folder in pictures
        for file in folder.glob("*.png")
    }
    body = _BODY.format(
        **{name: shown[name] for name in ("models", "confusion", "mistakes")},
        **{name: shown[name] for name in ("reliability", "risk_coverage")},
        headline=_headline(scores),
        n=int(scores["test.n"]),
        leaked=int(scores["test.n"] - scores["test_leak_free.n"]),
        right=_table(findings.models, ("accuracy", "macro_f1", "balanced_accuracy")),
        honest=_table(findings.models, ("nll", "brier", "ece_uncalibrated", "ece")),
        abstention=_abstention(scores),
        gain=_gain(findings.best, scores),
        rules=_rules(findings.settled, scores),
        per_class=_per_class(findings),
        slices=shown["slices"] + _slices(findings.sliced),
        best=findings.best,
    )
    path.write_text(page("Evaluation", body), encoding="utf-8")


def _headline(scores: dict[str, float]) -> str:
    told = [f"{_cell(scores, split, 'accuracy')} of the {name}" for split, name in TESTS.items()]
    return f"<p>The ensemble is right on <strong>{told[0]}</strong>, and on {told[1]}.</p>"


_TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "nll": "NLL",
    "brier": "Brier",
    "ece_uncalibrated": "ECE before",
    "ece": "ECE after",
}


def _table(models: dict[str, dict[str, float]], names: tuple[str, ...]) -> str:
    """One line a model, the two editions of the test split side by side."""
    lines = {
        model: {
            (title, _TITLES[name]): _cell(own, split, name)
            for split, title in TESTS.items()
            for name in names
        }
        for model, own in models.items()
    }
    return _html(pd.DataFrame.from_dict(lines, orient="index"))


def _cell(scores: dict[str, float], split: str, name: str) -> str:
    value = f"{scores[f'{split}.{name}']:.3f}"
    if f"{split}.{name}_low" not in scores:
        return value
    low, high = (scores[f"{split}.{name}_{end}"] for end in ("low", "high"))
    return f"{value}\N{NO-BREAK SPACE}({low:.3f}\N{WORD JOINER}–\N{WORD JOINER}{high:.3f})"


def _abstention(scores: dict[str, float]) -> str:
    told = " and ".join(
        f"{scores[f'{split}.coverage']:.0%} of the {name}, {scores[f'{split}.risk']:.1%} of them "
        "wrongly"
        for split, name in TESTS.items()
    )
    return (
        f"<p>Below a confidence of {scores['abstain_below']:.3f} the service says that it is not "
        f"sure. It answers {told}; of the validation split, on which the threshold was chosen, "
        f"{scores['val.coverage']:.0%}, {scores['val.risk']:.1%} wrongly.</p>"
    )


def _gain(best: str, scores: dict[str, float]) -> str:
    told = []
    for split, name in TESTS.items():
        gain, p = scores[f"{split}.gain_over_best"], scores[f"{split}.mcnemar_p"]
        told.append(f"{100 * gain:+.1f} points on the {name} (McNemar's p = {p:.2g})")
    told = " and ".join(told)
    return f"<p>Beyond <em>{best}</em> alone, the member best on validation: {told}.</p>"


def _rules(settled: dict[str, Any], scores: dict[str, float]) -> str:
    lines = {}
    for rule, key in REPORTED.items():
        name = f"<strong>{rule} (chosen)</strong>" if rule == settled["rule"] else rule
        lost = scores.get(f"cross_validated_nll.{rule}", np.nan)
        lines[name.replace("_", " ")] = {"NLL in cross-validation": lost} | {
            f"accuracy, {title}": scores[f"{split}.accuracy_of.{key}"]
            for split, title in {"val": "validation", **TESTS}.items()
        }
    weights = ", ".join(f"{name} {weight:.3f}" for name, weight in settled["weights"].items())
    return (
        f"<p>Weights: {weights}; temperature {settled['temperature']:.3f}; "
        f"test-time augmentation: {settled['tta']}.</p>"
        + _html(pd.DataFrame.from_dict(lines, orient="index"), tags=True)
    )


def _per_class(findings: Findings) -> str:
    whole = findings.per_class().replace({"split": TESTS})
    parts = []
    for model, own in whole.groupby("model", sort=False):
        wide = own.pivot(index="class", columns="split", values=["precision", "recall", "f1"])
        wide = wide.swaplevel(axis=1).loc[list(findings.classes), list(TESTS.values())]
        opened = " open" if model == "ensemble" else ""
        parts.append(f"<details{opened}><summary>{model}</summary>{_html(wide)}</details>")
    return "".join(parts)


def _slices(sliced: pd.DataFrame) -> str:
    lines = {}
    for name, line in sliced.iterrows():
        cells = lines.setdefault(name, {})
        for split, title in TESTS.items():
            if np.isnan(line[f"{split}.n"]):  # all of the slice had copies in training
                continue
            told = _cell(line, split, "accuracy")
            worse = line[f"{split}.accuracy_high"] < sliced.at[ALL, f"{split}.accuracy"]
            cells[title, "faces"] = f"{line[f'{split}.n']:.0f}"
            cells[title, "accuracy"] = f"<strong>{told}</strong>" if worse else told
            cells[title, "balanced accuracy"] = f"{line[f'{split}.balanced_accuracy']:.3f}"
    return _html(pd.DataFrame.from_dict(lines, orient="index"), tags=True)


def _html(table: pd.DataFrame, *, tags: bool = False) -> str:
    table = table.rename_axis(index=None, columns=(None,) * table.columns.nlevels)
    return table.to_html(border=0, escape=not tags, float_format="{:.3f}".format, na_rep="–")
