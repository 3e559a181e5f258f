"""Step `clean`: decides which faces are used, and says why the others are not.

Nothing is deleted: the face set stays as it is, and what goes is listed. `cleaning/verdict.py`
has the rules; a reviewer's decisions (`cleaning/decisions.py`) override them.

Out, in one folder:

- `kept.parquet`: `row` (int64, index into `faces.npy`), `id`, `split`, `label` (int8, in
  the label set that the frame's `attrs["label_set"]` names), `leaked` (bool: a validation
  or test face with a byte-identical copy in the training split as published), `in_test` (bool:
  a training or validation face with a copy or near copy in the test split), the `vote_*`
  columns, if there are votes, and with soft targets `target_{class}` (float32, sum 1);
- `quarantine.csv`: `row, id, split, label, reason, score, partner, action, comment`;
- `sheets/{reason}.png`: what was dropped, beside its partner if it has one, 100 findings each;
- `report.html`: all of that on one page, for the reviewer.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from components.cleaning import truth
from components.cleaning.decisions import Decisions, no_decisions, read_decisions
from components.cleaning.near_copies import Pairs, near_pairs
from components.cleaning.report import write_report
from components.cleaning.verdict import REASONS, Evidence, Verdict, copied, judge
from components.data.copies import copy_groups, first_of_group, values_per_group
from components.data.faces import TABLE, VOTE_FIELDS, FaceSet
from components.data.labels import (
    LABEL_SETS,
    NO_LABEL,
    SPLITS,
    TARGET,
    ferplus,
    not_a_face,
    vote_shares,
)
from components.errors import InputError
from components.outputs import replacing
from components.settings import CleanSettings

_CHUNK = 1024  # faces looked at together


def clean(faces: Path, out: Path, settings: CleanSettings) -> dict[str, float]:
    """Chooses the faces to use.

    Args:
        faces: The face set's folder; `truth.csv` in it, if it is there, scores the findings.
        out: The folder to write, whole or not at all.
        settings: Which label set and rule, and which rules of cleaning.

    Returns:
        `found.*`, what is in the data whatever the settings drop; `leaked.val` and
        `leaked.test`; `dropped.{reason}`, `flagged.{reason}` and `kept.{split}`; and
        `truth.{kind}.precision` and `.recall` where the truth is known.

    Raises:
        InputError: If the face set, the decisions or the detector cannot be used, the face
            set lacks the votes that the label set needs, or a class has no training face
            left; or if `out` cannot be written.
    """
    face_set = FaceSet.open(faces)
    table, names = face_set.table, LABEL_SETS[settings.label_set]
    labels = _labels(face_set, faces / TABLE, settings)
    decisions = no_decisions(len(labels))
    if settings.decisions is not None:
        decisions = read_decisions(Path(settings.decisions), table, labels, names)
        labels = np.where(decisions.relabelled == NO_LABEL, labels, decisions.relabelled)
    evidence = _evidence(face_set, labels, settings)
    verdict = _verdict(face_set.images, evidence, decisions, settings)

    leaked = ~evidence.training & (first_of_group(evidence.groups, evidence.training) >= 0)
    in_test = copied(evidence, (table["split"] == "test").to_numpy())
    flags = {"leaked": leaked, "in_test": in_test}
    kept = _kept(table, labels, flags, verdict, settings.label_set)
    if settings.targets == "soft":
        kept = kept.assign(**_targets(face_set.votes, labels, decisions, settings, kept["row"]))
    _check_classes(faces / TABLE, kept, names)
    quarantine = _quarantine(table, labels, verdict, decisions, names)
    metrics = _found(table, evidence, settings) | _outcome(table, verdict, kept, leaked)
    if (faces / truth.FILE).is_file():
        metrics |= truth.score(faces / truth.FILE, quarantine, settings)
    with replacing(out) as fresh:
        kept.to_parquet(fresh / "kept.parquet", index=False)
        quarantine.to_csv(fresh / "quarantine.csv", float_format="%.4f", index_label="row")
        write_report(fresh, face_set.images, table["id"], quarantine, metrics)
    return metrics


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


def _evidence(face_set: FaceSet, labels: np.ndarray, settings: CleanSettings) -> Evidence:
    images = face_set.images
    groups, deviation = copy_groups(images), grey_deviation(images)
    confidence = None
    if settings.detector is not None:
        from components.cleaning.detector import confidences

        confidence = confidences(images, Path(settings.detector))
    return Evidence(
        training=(face_set.table["split"] == "train").to_numpy(),
        labels=labels,
        groups=groups,
        deviation=deviation,
        votes=face_set.votes,
        near=_near(images, groups, deviation, settings) if settings.near_copies else None,
        confidence=confidence,
    )


def _near(
    images: np.ndarray, groups: np.ndarray, deviation: np.ndarray, settings: CleanSettings
) -> Pairs:
    """Near copies among the first faces of the groups; blank pictures are near nothing."""
    first = np.unique(groups, return_index=True)[1]
    first = first[deviation[first] >= settings.blank_std]
    return near_pairs(images, first, settings.hash_radius, settings.similarity)


def _verdict(
    images: np.ndarray, evidence: Evidence, decisions: Decisions, settings: CleanSettings
) -> pd.DataFrame:
    verdict = Verdict(len(images))
    verdict.mark("reviewer", decisions.dropped, np.zeros(len(images)))
    judge(verdict, evidence, settings)
    if settings.mislabels:
        from components.cleaning.mislabels import label_issues  # takes seconds to import

        standing = np.flatnonzero(evidence.training & verdict.unmarked)
        wrong, own = label_issues(
            images[standing], evidence.labels[standing], settings.folds, settings.seed
        )
        where, score = np.zeros(len(images), bool), np.zeros(len(images))
        where[standing], score[standing] = wrong, own
        verdict.mark("mislabel", where, score)
    return verdict.table(
        dropped=evidence.training | (evidence.labels == NO_LABEL), kept=decisions.kept
    )


def _kept(
    table: pd.DataFrame,
    labels: np.ndarray,
    flags: dict[str, np.ndarray],
    verdict: pd.DataFrame,
    label_set: str,
) -> pd.DataFrame:
    votes = [field for field in VOTE_FIELDS if field in table]
    kept = table[["id", "split", *votes]].assign(label=labels, **flags)
    kept = kept.rename_axis("row").reset_index()[verdict["action"] != "dropped"]
    kept = kept[["row", "id", "split", "label", *flags, *votes]]
    kept.attrs["label_set"] = label_set
    return kept


def _targets(
    votes: np.ndarray,
    labels: np.ndarray,
    decisions: Decisions,
    settings: CleanSettings,
    rows: pd.Series,
) -> dict[str, np.ndarray]:
    """The columns of the vote distribution; a reviewer's label outdoes all votes."""
    counted = np.where(decisions.relabelled[:, None] == NO_LABEL, votes, 0)
    shares = vote_shares(settings.rule, counted, labels)[rows]
    names = LABEL_SETS[settings.label_set]
    return {f"{TARGET}{name}": share for name, share in zip(names, shares.T, strict=True)}


def _check_classes(path: Path, kept: pd.DataFrame, names: tuple[str, ...]) -> None:
    present = set(kept.loc[kept["split"] == "train", "label"])
    empty = [name for code, name in enumerate(names) if code not in present]
    if empty:
        raise InputError(
            f"{path} has no training face of class {', '.join(empty)} left after cleaning; "
            "switch off a rule under clean in params.yaml, or add faces."
        )


def _quarantine(
    table: pd.DataFrame,
    labels: np.ndarray,
    verdict: pd.DataFrame,
    decisions: Decisions,
    names: tuple[str, ...],
) -> pd.DataFrame:
    ids = np.array([*table["id"], ""])  # the last is for -1
    listed = pd.DataFrame(
        {
            "id": table["id"],
            "split": table["split"],
            "label": np.array([*names, ""])[labels],
            "reason": verdict["reason"],
            "score": verdict["score"],
            "partner": ids[verdict["partner"]],
            "action": verdict["action"],
            "comment": decisions.comments,
        }
    )
    return listed[verdict["reason"] != ""]


def _found(table: pd.DataFrame, evidence: Evidence, settings: CleanSettings) -> dict[str, float]:
    split = table["split"].map(SPLITS.index).to_numpy()
    labels, groups, votes = evidence.labels, evidence.groups, evidence.votes
    labelled = labels != NO_LABEL
    sizes = np.bincount(groups)
    near = {} if evidence.near is None else {"found.near_pairs": len(evidence.near.first)}
    return near | {
        "found.non_face": 0 if votes is None else int(not_a_face(votes).sum()),
        "found.blank": int((evidence.deviation < settings.blank_std).sum()),
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
