"""What a person sees of the findings: contact sheets, and one page with all of them.

`report.html` is for the reviewer: it says how to overrule the machine.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from components import sheets
from components.cleaning.truth import FOUND_AS
from components.cleaning.verdict import REASONS
from components.pages import page, picture

_SHEET = 100  # findings
_BY_SCORE = {"near_leak", "near_conflict", "near_copy", "mislabel"}
TITLES = {
    "reviewer": "Dropped by a reviewer",
    "non_face": "No face, say most taggers",
    "blank": "Blank pictures",
    "undetected": "No face, says the detector",
    "unlabelled": "No label by the label rule",
    "leak": "Exact copies of validation and test faces",
    "near_leak": "Near copies of validation and test faces",
    "conflict": "Exact copies with different labels",
    "duplicate": "Exact copies within a split",
    "near_conflict": "Near copies with different labels",
    "near_copy": "Near copies within a split",
    "mislabel": "Labels that are likely wrong",
}
_BODY = """
<p>Nothing was deleted. A face that is <em>dropped</em> takes no part in training; one of the
validation or test split is only <em>flagged</em>, for they are the yardstick; one is
<em>kept</em> where a reviewer said so. Every finding is a line of <code>quarantine.csv</code>.</p>
<h2>How much</h2>
{counts}
{truth}
<h2>If you disagree</h2>
<p>Write a line into the file that <code>clean.decisions</code> in params.yaml names, and run
<code>dvc repro</code>. It overrides the rules, for faces of the training split.</p>
<pre>id,decision,label,comment
{example},keep,,a face after all
…,drop,,only an ear
…,relabel,sad,</pre>
<h2>What it looks like</h2>
<p>At most {most} findings of each kind. Pairs stand side by side, the finding on the left and its
partner on the right; near copies begin with the least alike, labels with the least likely.</p>
{sections}
"""


def write_report(
    folder: Path,
    images: np.ndarray,
    ids: pd.Series,
    quarantine: pd.DataFrame,
    metrics: dict[str, float],
) -> None:
    """Writes `sheets/{reason}.png` for what was dropped, and `report.html`.

    Args:
        folder: An existing folder.
        images: (N, H, W) uint8.
        ids: N ids.
        quarantine: Findings by row, with the columns of `quarantine.csv`.
        metrics: What `clean` returns.
    """
    (folder / "sheets").mkdir()
    sections = []
    for reason in REASONS:
        chosen = quarantine.query("reason == @reason and action == 'dropped'")
        if chosen.empty:
            continue
        sheet = _sheet(images, ids, _ordered(chosen, reason), reason, len(chosen))
        sheets.save(folder / "sheets" / f"{reason}.png", sheet)
        sections.append(_section(reason, len(chosen), sheet))
    body = _BODY.format(
        counts=_counts(quarantine),
        truth=_truth(metrics),
        example=quarantine["id"].iat[0] if len(quarantine) else ids.iat[0],
        most=_SHEET,
        sections="\n".join(sections) or "<p>Nothing was dropped.</p>",
    )
    text = page("What clean found", body)
    (folder / "report.html").write_text(text, encoding="utf-8")


def _ordered(chosen: pd.DataFrame, reason: str) -> pd.DataFrame:
    if reason in _BY_SCORE:
        return chosen.sort_values("score", kind="stable").head(_SHEET)
    # The two sides of a conflict stand next to each other.
    paired = chosen["partner"].where(chosen["partner"] != "", chosen["id"])
    together = paired.combine(chosen["id"], min).sort_values(kind="stable").index
    return chosen.loc[together].head(_SHEET)


def _sheet(
    images: np.ndarray, ids: pd.Series, shown: pd.DataFrame, reason: str, count: int
) -> np.ndarray:
    faces = images[shown.index]
    captions = [f"{face.id}\n{face.label} {face.score:.2f}" for face in shown.itertuples()]
    if (shown["partner"] != "").any():
        rows = pd.Series(ids.index, ids)
        faces = sheets.beside(faces, images[rows[shown["partner"]]])
        captions = [
            f"{face.id}  {face.partner}\n{face.label} {face.score:.3f}"
            for face in shown.itertuples()
        ]
    title = f"Dropped as {reason}: {len(shown)} of {count}; number = {REASONS[reason]}"
    return sheets.contact_sheet(faces, captions, title)


def _section(reason: str, count: int, sheet: np.ndarray) -> str:
    return (
        f"<details open><summary>{TITLES[reason]} ({reason}, {count} dropped)</summary>"
        f"{picture(sheets.png(sheet), TITLES[reason])}</details>"
    )


def _counts(quarantine: pd.DataFrame) -> str:
    table = pd.crosstab(quarantine["reason"], quarantine["action"])
    table = table.reindex(
        index=[reason for reason in REASONS if reason in table.index],
        columns=["dropped", "flagged", "kept"],
        fill_value=0,
    )
    table.index = [f"{TITLES[reason]} ({reason})" for reason in table.index]
    return table.rename_axis(columns=None).to_html(border=0)


def _truth(metrics: dict[str, float]) -> str:
    rows = {
        kind: {
            measure: metrics.get(f"truth.{kind}.{measure}", np.nan)
            for measure in ("precision", "recall")
        }
        for kind in FOUND_AS
    }
    table = pd.DataFrame(rows).T.dropna(how="all")
    if table.empty:
        return ""
    intro = "<h2>How well</h2><p>Against the defects that are known to be in this data set.</p>"
    return intro + table.to_html(border=0, float_format="{:.3f}".format, na_rep="–")
