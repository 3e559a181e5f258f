"""Step `clean`: decides which faces are used, and says why the others are not.

Nothing is deleted: the face set stays as it is, and what goes is listed. A face has one
reason, the first of `REASONS` that holds; each rule sees what those before it left.
Validation and test are the yardstick, so only the label rule takes faces out of them;
whatever else is found there is listed with the action `flagged`.

Out, in one folder:

- `kept.parquet`: `row` (int64, index into `faces.npy`), `id`, `split`, `label` (int8, in
  the label set that the frame's `attrs["label_set"]` names), `leaked` (bool: a validation
  or test face with a byte-identical copy in the training split as published) and the
  `vote_*` columns, if there are votes;
- `quarantine.csv`: `id, split, label, reason, score, partner, action`;
- `sheets/{reason}.png`: what was dropped, the first 100 faces each.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from components import sheets
from components.data.copies import copy_groups, first_of_group, values_per_group
from components.data.faces import TABLE, VOTE_FIELDS, FaceSet
from components.data.labels import LABEL_SETS, NO_LABEL, SPLITS, VOTE_COLUMNS, ferplus, not_a_face
from components.errors import InputError
from components.outputs import replacing
from components.settings import CleanSettings

# In order of precedence, with what the score of each means.
REASONS = {
    "non_face": "share of votes for NF",
    "blank": "standard deviation of the grey levels",
    "unlabelled": "always 0",
    "leak": "similarity to the partner, a validation or test face",
    "conflict": "similarity to the partner, which has another label",
    "duplicate": "similarity to the partner, which is kept",
}
_IDENTICAL = 1.0
_SHEET = 100  # faces
_CHUNK = 1024  # faces looked at together


def clean(faces: Path, out: Path, settings: CleanSettings) -> dict[str, float]:
    """Chooses the faces to use.

    Args:
        faces: The face set's folder.
        out: The folder to write, whole or not at all.
        settings: Which label set and rule, and which rules of cleaning.

    Returns:
        `found.*`, what is in the data whatever the settings drop; `leaked.val` and
        `leaked.test`; `dropped.{reason}`, `flagged.{reason}` and `kept.{split}`.

    Raises:
        InputError: If the face set cannot be read, lacks the votes that the label set
            needs, or has a class without a training face left; or if `out` cannot be
            written.
    """
    face_set = FaceSet.open(faces)
    table = face_set.table
    labels = _labels(face_set, faces / TABLE, settings)
    groups = copy_groups(face_set.images)
    deviation = grey_deviation(face_set.images)
    training = (table["split"] == "train").to_numpy()

    verdict = judge(training, labels, groups, deviation, face_set.votes, settings)
    leaked = ~training & (first_of_group(groups, training) >= 0)
    kept = _kept(table, labels, leaked, verdict, settings.label_set)
    _check_classes(faces / TABLE, kept, settings.label_set)
    with replacing(out) as fresh:
        kept.to_parquet(fresh / "kept.parquet", index=False)
        quarantine = _quarantine(table, labels, verdict, settings.label_set)
        quarantine.to_csv(fresh / "quarantine.csv", float_format="%.4f", index_label="row")
        (fresh / "sheets").mkdir()
        _draw_sheets(fresh / "sheets", face_set.images, quarantine)
    found = _found(table, labels, groups, deviation < settings.blank_std, face_set.votes)
    return found | _outcome(table, verdict, kept, leaked)


def judge(
    training: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    deviation: np.ndarray,
    votes: np.ndarray | None,
    settings: CleanSettings,
) -> pd.DataFrame:
    """Finds the reason against each face, if there is one.

    Args:
        training: (N,) bool.
        labels: (N,) int8, -1 for none.
        groups: (N,) int64, equal for copies.
        deviation: (N,) float64 standard deviations of the grey levels.
        votes: (N, 10) int8 FER+ votes, or None.
        settings: The switches.

    Returns:
        N rows: `reason` (str, empty for none), `score` (float64), `partner` (int64, the
        row of the copy, -1 for none), `action` (`dropped`, `flagged` or empty).
    """
    verdict = _Verdict(len(labels))
    if settings.non_faces:
        if votes is not None:
            share = votes[:, VOTE_COLUMNS.index("NF")] / votes.sum(axis=1).clip(min=1)
            verdict.mark("non_face", not_a_face(votes), share)
        verdict.mark("blank", deviation < settings.blank_std, deviation)
    unlabelled = labels == NO_LABEL
    verdict.mark("unlabelled", unlabelled, np.zeros(len(labels)))
    held_out = ~training & ~unlabelled
    if settings.leaks:
        verdict.mark_copies("leak", training, first_of_group(groups, held_out))
        verdict.mark_copies("leak", held_out, first_of_group(groups, training))
    if settings.conflicts:
        standing = training & verdict.unmarked
        # Which of several labels is right cannot be known from copies: all of them go.
        verdict.mark_copies("conflict", standing, _dissenter(groups, labels, standing))
    if settings.duplicates:
        for part in (training & verdict.unmarked, held_out):
            first = first_of_group(groups, part)
            verdict.mark_copies("duplicate", part & (first != np.arange(len(first))), first)
    return verdict.table(dropped=training | unlabelled)


class _Verdict:
    """The first reason against each face, collected rule by rule."""

    def __init__(self, count: int):
        self._reason = np.full(count, "", object)
        self._score = np.zeros(count)
        self._partner = np.full(count, -1)

    @property
    def unmarked(self) -> np.ndarray:
        return self._reason == ""

    def mark(self, reason: str, where: np.ndarray, score: np.ndarray) -> None:
        where = where & self.unmarked
        self._reason[where] = reason
        self._score[where] = score[where]

    def mark_copies(self, reason: str, where: np.ndarray, partner: np.ndarray) -> None:
        where = where & self.unmarked & (partner >= 0)
        self._partner[where] = partner[where]
        self.mark(reason, where, np.full(len(where), _IDENTICAL))

    def table(self, dropped: np.ndarray) -> pd.DataFrame:
        action = np.where(self.unmarked, "", np.where(dropped, "dropped", "flagged"))
        return pd.DataFrame(
            {
                "reason": self._reason,
                "score": self._score,
                "partner": self._partner,
                "action": action,
            }
        )


def grey_deviation(images: np.ndarray) -> np.ndarray:
    """Standard deviation of the grey levels: (N, H, W) uint8 to (N,) float64."""
    deviations = [np.empty(0)]
    for start in range(0, len(images), _CHUNK):
        # Integer sums are exact, so the result is the same on every machine.
        grey = images[start : start + _CHUNK].reshape(-1, images[0].size).astype(np.int64)
        count = grey.shape[1]
        variance = count * np.einsum("ij,ij->i", grey, grey) - grey.sum(axis=1) ** 2
        deviations.append(np.sqrt(variance) / count)
    return np.concatenate(deviations)


def _labels(face_set: FaceSet, path: Path, settings: CleanSettings) -> np.ndarray:
    if settings.label_set == "fer2013":
        return face_set.table["label"].to_numpy()
    if face_set.votes is None:
        raise InputError(
            f"{path} has no FER+ votes; put fer2013new.csv beside fer2013.csv and run ingest "
            "again, or set clean.label_set to fer2013."
        )
    return ferplus(settings.rule, face_set.votes, face_set.table["named"].to_numpy())


def _dissenter(groups: np.ndarray, labels: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(N,) int64, for each face the first of its copies that has another label, or -1."""
    first = first_of_group(groups, among)
    other = first_of_group(groups, among & (labels != labels[first]))
    return np.where(labels == labels[first], other, first)


def _kept(
    table: pd.DataFrame,
    labels: np.ndarray,
    leaked: np.ndarray,
    verdict: pd.DataFrame,
    label_set: str,
) -> pd.DataFrame:
    votes = [field for field in VOTE_FIELDS if field in table]
    kept = table[["id", "split", *votes]].assign(label=labels, leaked=leaked)
    kept = kept.rename_axis("row").reset_index()[verdict["action"] != "dropped"]
    kept = kept[["row", "id", "split", "label", "leaked", *votes]]
    kept.attrs["label_set"] = label_set
    return kept


def _check_classes(path: Path, kept: pd.DataFrame, label_set: str) -> None:
    present = set(kept.loc[kept["split"] == "train", "label"])
    empty = [name for code, name in enumerate(LABEL_SETS[label_set]) if code not in present]
    if empty:
        raise InputError(
            f"{path} has no training face of class {', '.join(empty)} left after cleaning; "
            "switch off a rule under clean in params.yaml, or add faces."
        )


def _quarantine(
    table: pd.DataFrame, labels: np.ndarray, verdict: pd.DataFrame, label_set: str
) -> pd.DataFrame:
    names = np.array([*LABEL_SETS[label_set], ""])  # the last is for -1
    ids = np.array([*table["id"], ""])
    listed = pd.DataFrame(
        {
            "id": table["id"],
            "split": table["split"],
            "label": names[labels],
            "reason": verdict["reason"],
            "score": verdict["score"],
            "partner": ids[verdict["partner"]],
            "action": verdict["action"],
        }
    )
    return listed[verdict["reason"] != ""]


def _draw_sheets(folder: Path, images: np.ndarray, quarantine: pd.DataFrame) -> None:
    for reason, score in REASONS.items():
        chosen = quarantine.query("reason == @reason and action == 'dropped'")
        if chosen.empty:
            continue
        paired = chosen["partner"].where(chosen["partner"] != "", chosen["id"])
        together = paired.combine(chosen["id"], min).sort_values(kind="stable").index
        shown = chosen.loc[together].head(_SHEET)  # copies stand side by side
        captions = [f"{face.id}\n{face.label} {face.score:.2f}" for face in shown.itertuples()]
        title = f"Dropped as {reason}: {len(shown)} of {len(chosen)} faces; number = {score}"
        sheet = sheets.contact_sheet(images[shown.index], captions, title)
        sheets.save(folder / f"{reason}.png", sheet)


def _found(
    table: pd.DataFrame,
    labels: np.ndarray,
    groups: np.ndarray,
    blank: np.ndarray,
    votes: np.ndarray | None,
) -> dict[str, float]:
    split = table["split"].map(SPLITS.index).to_numpy()
    labelled = labels != NO_LABEL
    sizes = np.bincount(groups)
    return {
        "found.non_face": 0 if votes is None else int(not_a_face(votes).sum()),
        "found.blank": int(blank.sum()),
        "found.unlabelled": int((~labelled).sum()),
        "found.copies": len(groups) - len(sizes),
        "found.groups": int((sizes > 1).sum()),
        "found.conflict_groups": int(
            (values_per_group(groups[labelled], labels[labelled]) > 1).sum()
        ),
        "found.straddling_groups": int((values_per_group(groups, split) > 1).sum()),
    }


def _outcome(
    table: pd.DataFrame, verdict: pd.DataFrame, kept: pd.DataFrame, leaked: np.ndarray
) -> dict[str, float]:
    listed = verdict.groupby(["action", "reason"]).size()
    return (
        {f"leaked.{s}": int((leaked & (table["split"] == s)).sum()) for s in ("val", "test")}
        | {
            f"{action}.{reason}": int(listed.get((action, reason), 0))
            for action in ("dropped", "flagged")
            for reason in REASONS
        }
        | {f"kept.{split}": int((kept["split"] == split).sum()) for split in SPLITS}
    )
