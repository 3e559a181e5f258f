"""Step `datacard`: what the data is, and what each step has made of it, on one page.

After Gebru et al., "Datasheets for Datasets" (2021), as far as it can be counted. Out:
`DATA_CARD.html` with its pictures inside, and the examples of each class as a table for
`dvc plots`.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from components import plots, sheets
from components.cleaning.report import TITLES
from components.data.blocks import CONVERSIONS, CONVERTED, REASONS, REJECTED
from components.data.disk import reading
from components.data.faces import FaceSet
from components.data.labels import LABEL_SETS, SPLITS, TARGET
from components.errors import InputError
from components.outputs import replacing
from components.pages import page, picture

_SAMPLES = 10  # faces of each class
_CHUNK = 1024  # faces looked at together


def datacard(faces: Path, kept: Path, training: Path, out: Path, figures: Path) -> dict[str, float]:
    """Writes the data card.

    Args:
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        out: Folder to write `DATA_CARD.html` to.
        figures: Folder to write `classes.csv` to (class, examples): the training examples.

    Returns:
        For each split `brightness.{split}` and `contrast.{split}` (grey levels, mean over its
        faces) and, with votes, `vote_entropy.{split}` (bits).

    Raises:
        InputError: If an input cannot be read or an output cannot be written.
    """
    face_set = FaceSet.open(faces)
    table = _read(kept / "kept.parquet")
    examples = _read(training / "training.parquet")
    with reading(kept / "quarantine.csv"):
        quarantine = pd.read_csv(kept / "quarantine.csv", keep_default_na=False)
    names = LABEL_SETS[table.attrs["label_set"]]
    measures = _measures(face_set)

    balanced = examples["label"].map(dict(enumerate(names))).value_counts()
    steps = {
        "ingest": _counts(face_set.table, LABEL_SETS["fer2013"]),
        "clean": _counts(table, names),
        "balance": balanced.reindex(names, fill_value=0).to_frame("train"),
    }
    body = "\n".join(
        [
            _size(face_set, steps, table.attrs["label_set"], table.filter(like=TARGET).size > 0),
            _read_in(faces),
            _findings(quarantine),
            _pictures(measures, face_set.table["split"]),
            _samples(face_set.images, table, names),
        ]
    )
    with replacing(out) as fresh:
        text = page("Data card", body)
        (fresh / "DATA_CARD.html").write_text(text, encoding="utf-8")
    with replacing(figures) as fresh:
        bars = steps["balance"]["train"].rename_axis("class").reset_index(name="examples")
        bars.to_csv(fresh / "classes.csv", index=False)
    means = measures.groupby(face_set.table["split"]).mean()
    return {
        f"{name}.{split}": float(means.at[split, name])
        for name in measures
        for split in SPLITS
        if split in means.index
    }


def vote_entropy(votes: np.ndarray) -> np.ndarray:
    """How much taggers disagree: (N, C) integers to (N,) float64 bits, 0 without votes."""
    share = votes / votes.sum(axis=1, keepdims=True).clip(min=1)
    return -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1)


def _measures(face_set: FaceSet) -> pd.DataFrame:
    """Brightness and contrast of each face, and the entropy of its votes."""
    parts = []
    for start in range(0, len(face_set.images), _CHUNK):
        part = face_set.images[start : start + _CHUNK]
        grey = part.reshape(len(part), -1).astype(np.float64)
        parts.append(np.stack([grey.mean(axis=1), grey.std(axis=1)], axis=1))
    measures = pd.DataFrame(np.concatenate(parts), columns=["brightness", "contrast"])
    if face_set.votes is not None:
        measures["vote_entropy"] = vote_entropy(face_set.votes)
    return measures


def _counts(table: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    labels = table["label"].map(dict(enumerate(names))).fillna("none")
    counts = pd.crosstab(labels, table["split"])
    present = [*names, "none"] if "none" in counts.index else names
    return counts.reindex(index=present, columns=SPLITS, fill_value=0)


def _size(face_set: FaceSet, steps: dict[str, pd.DataFrame], label_set: str, soft: bool) -> str:
    height, width, channels = face_set.shape
    training = pd.DataFrame({step: counts["train"] for step, counts in steps.items()})
    tables = [list(steps)]
    if not steps["ingest"].index.equals(steps["clean"].index):
        # Two label sets do not go into one picture, nor into one table.
        training = training.loc[steps["clean"].index, ["clean", "balance"]]
        tables = [["ingest"], ["clean", "balance"]]
    return (
        f"<p>{len(face_set.images):,} faces of {height} × {width} pixels, "
        f"{'grey' if channels == 1 else 'colour'}; label set {label_set} after clean"
        f"{', the votes as soft targets' if soft else ''}.</p>"
        "<h2>Faces of each class and split</h2>"
        + _figure("Training faces of each class", plots.counts, training)
        + "".join(_class_table({f"after {step}": steps[step] for step in part}) for part in tables)
    )


def _class_table(steps: dict[str, pd.DataFrame]) -> str:
    counts = pd.concat(steps, axis=1)
    whole = pd.concat([counts, counts.sum().to_frame("all").T]).rename_axis(columns=(None, None))
    return whole.map("{:,}".format).to_html(border=0)


def _read_in(faces: Path) -> str:
    """What `ingest` left out, and what it changed to be able to use it."""
    parts = []
    for name, column, said, meaning in (
        (REJECTED, "reason", "Left out, as they cannot be used", REASONS),
        (CONVERTED, "conversion", "Used after a change", CONVERSIONS),
    ):
        if not (faces / name).is_file():
            continue
        with reading(faces / name):
            table = pd.read_csv(faces / name, dtype=str, keep_default_na=False)
        if len(table):
            places = zip(table["file"], table["line"], strict=True)
            table["first"] = [f"{file}, line {line}" if line else file for file, line in places]
            listed = table.groupby(column)["first"].agg(["size", "first"])
            listed.insert(0, "meaning", listed.index.map(meaning))
            listed = listed.rename(columns={"size": "number", "first": "the first of them"})
            parts.append(f"<p>{said}; all are in <code>{name}</code>.</p>")
            parts.append(listed.rename_axis(None).to_html(border=0))
    return "<h2>Reading</h2>" + ("".join(parts) or "<p>Everything could be used as it is.</p>")


def _findings(quarantine: pd.DataFrame) -> str:
    if quarantine.empty:
        return "<h2>Findings</h2><p>Nothing was found amiss.</p>"
    table = pd.crosstab(quarantine["reason"], [quarantine["action"], quarantine["split"]])
    columns = [(a, s) for a in ("dropped", "flagged", "kept") for s in SPLITS if (a, s) in table]
    table = table.loc[[reason for reason in TITLES if reason in table.index], columns]
    table = table.rename(index=TITLES).rename_axis(index=None, columns=(None, None))
    return (
        "<h2>Findings</h2><p>Non-faces, copies, leaks and doubtful labels, by what followed from "
        "them; the report of clean shows them.</p>" + table.map("{:,}".format).to_html(border=0)
    )


def _pictures(measures: pd.DataFrame, split: pd.Series) -> str:
    shown = {
        "brightness": ("Brightness", "mean grey level (0 black, 255 white)", 255),
        "contrast": ("Contrast", "standard deviation of the grey levels", 128),
        "vote_entropy": ("Disagreement of the taggers", "entropy of a face's votes (bits)", 3.4),
    }
    parts = ["<h2>Distributions</h2><div>"]
    for name in measures:
        title, unit, largest = shown[name]
        values = {s: measures.loc[split == s, name].to_numpy() for s in SPLITS}
        parts.append(_figure(title, plots.histograms, values, unit, np.linspace(0, largest, 35)))
    return "".join([*parts, "</div>"])


def _samples(images: np.ndarray, table: pd.DataFrame, names: tuple[str, ...]) -> str:
    rows, captions = [], []
    for code, name in enumerate(names):
        own = table.loc[(table["split"] == "train") & (table["label"] == code), "row"].to_numpy()
        chosen = own[np.linspace(0, len(own) - 1, min(_SAMPLES, len(own))).astype(int)]
        rows += [*chosen, *[-1] * (_SAMPLES - len(chosen))]
        captions += [name] * len(chosen) + [""] * (_SAMPLES - len(chosen))
    blank = np.full((1, *images.shape[1:]), 255, np.uint8)
    faces = np.concatenate([images[[row]] if row >= 0 else blank for row in rows])
    sheet = sheets.contact_sheet(faces, captions, "Training faces after clean, one row a class")
    return "<h2>Samples</h2>" + picture(sheets.png(sheet), "Samples")


def _figure(title: str, draw, values, *rest) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        draw(values, title, *rest, path)
        return picture(path.read_bytes(), title)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is missing; run the steps before datacard first.")
    with reading(path):
        return pd.read_parquet(path)
