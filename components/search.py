"""Look for an architecture: Keras Tuner over the article's random space or a wider one.

Run it as `python -m components search`, or with workers as `make search WORKERS=2`
(`pipelines/search.py`). A killed search goes on with its next trial.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from keras_tuner.engine.trial import TrialStatus

from components import oracles, plots
from components.batches import evaluation_batches, training_batches
from components.data.faces import FaceSet
from components.errors import InputError
from components.outputs import replacing
from components.settings import AugmentSettings, SearchSettings
from components.tuner import OnTrial, ReportingTuner, Space, Trial

# A trial is too short to gain from more than mirrored faces.
AUGMENTATION = AugmentSettings(
    flip=True, shift=0, rotate=0, zoom=0, contrast=0, brightness=0, erase=0
)


def search(
    faces: Path,
    kept: Path,
    training: Path,
    out: Path,
    settings: SearchSettings,
    *,
    classes: tuple[str, ...],
    checkpoints: Path,
    on_trial: OnTrial = lambda trial: None,
) -> dict[str, float]:
    """Searches for the architecture with the best validation accuracy on a short training.

    Where Keras Tuner's environment variables make this process the chief, workers do the
    trainings (`work`).

    Args:
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        out: Folder to write `architecture.json` (what `components.models.searched.build`
            takes), `trials.csv` and `pareto.png` to.
        settings: Space, oracle and budget.
        classes: Names of the classes, in label order.
        checkpoints: Folder for the tuner's state; removed when the search succeeds.
        on_trial: Called after each finished trial, perhaps in another thread.

    Returns:
        `best.val_accuracy`, `best.parameters`, `best.mmacs`, and the numbers of `trials`
        that were run, of those that `failed`, and of draws `passed_over` for their cost.

    Raises:
        InputError: If an input is missing, the tuner's state is damaged, or no trial succeeded.
    """
    state = checkpoints / _fingerprint(settings, kept, training)
    reports = state / "reports"
    tuner = _tuner(
        *(faces, kept, training, state, settings, len(classes)),
        on_end=lambda trial: on_trial(Trial.read(reports, trial.trial_id)),
    )
    tuner.search(verbose=0)

    oracle = tuner.oracle
    trials = _ranked(oracle, reports)
    failures = [t for t in oracle.trials.values() if t.status == TrialStatus.FAILED]
    if trials.empty:
        raise InputError(_why_none(failures, settings, oracle.passed_over))
    best = trials.iloc[0]
    with replacing(out) as folder:
        text = json.dumps(json.loads(best["architecture"]), indent=1) + "\n"
        (folder / "architecture.json").write_text(text, encoding="utf-8")
        trials.to_csv(folder / "trials.csv", index=False)
        plots.pareto(trials, f"Trials in the {settings.space} space", folder / "pareto.png")
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {
        "best.val_accuracy": float(best["val_accuracy"]),
        "best.parameters": float(best["parameters"]),
        "best.mmacs": float(best["mmacs"]),
        "trials": float(len(trials)),
        "failed": float(len(failures)),
        "passed_over": float(oracle.passed_over),
    }


def work(
    faces: Path,
    kept: Path,
    training: Path,
    settings: SearchSettings,
    *,
    classes: tuple[str, ...],
    checkpoints: Path,
) -> None:
    """Trains what the chief hands out, until there is no more; writes no result of its own.

    Keras Tuner's environment variables (`KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP`,
    `KERASTUNER_ORACLE_PORT`) say who is chief and who works. The arguments are those of `search`,
    and `checkpoints` is a folder that all of them see.
    """
    state = checkpoints / _fingerprint(settings, kept, training)
    _tuner(faces, kept, training, state, settings, len(classes)).search(verbose=0)


def pareto_front(cost: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Marks what nothing else beats on one axis without losing on the other.

    Args:
        cost: (N,) the less, the better.
        score: (N,) the more, the better.

    Returns:
        (N,) bool.
    """
    no_worse = (cost[:, None] >= cost) & (score[:, None] <= score)
    better = (cost[:, None] > cost) | (score[:, None] < score)
    return ~(no_worse & better).any(axis=1)


def _tuner(
    faces: Path,
    kept: Path,
    training: Path,
    state: Path,
    settings: SearchSettings,
    classes: int,
    on_end: Callable[[Any], None] = lambda trial: None,
) -> ReportingTuner:
    face_set = FaceSet.open(faces)
    table = pd.read_parquet(kept / "kept.parquet", columns=["row", "split", "label"])
    space = Space(
        face_set.shape,
        training_batches(
            face_set,
            training,
            classes,
            batch_size=settings.batch_size,
            augmentation=AUGMENTATION,
            seed=settings.seed,
            most=settings.max_images,
        ),
        evaluation_batches(face_set, table[table["split"] == "val"], classes),
        settings,
    )
    oracle = oracles.make(settings, space.affordable, on_end)
    return ReportingTuner(
        space, state / "reports", oracle=oracle, directory=state, project_name="tuner"
    )


def _fingerprint(settings: SearchSettings, kept: Path, training: Path) -> str:
    """Names the search whose trials may be reused: all but its budget, which may grow."""
    asked = settings.model_dump_json(exclude={"trials", "minutes"})
    digest = hashlib.blake2b(asked.encode(), digest_size=8)
    for table in (kept / "kept.parquet", training / "training.parquet"):
        digest.update(table.read_bytes())
    return digest.hexdigest()


def _ranked(oracle: oracles.Budgeted, reports: Path) -> pd.DataFrame:
    """Returns the finished trials, the best first; of equals, the cheapest."""
    rows = []
    for trial in oracle.trials.values():
        if trial.status != TrialStatus.COMPLETED:
            continue
        report = Trial.read(reports, trial.trial_id)
        rows.append(
            {
                "trial": trial.trial_id,
                "val_accuracy": trial.score,
                "parameters": report.parameters,
                "mmacs": round(report.mmacs, 3),
                "epochs": int(report.curve[-1]["epoch"]),
                "architecture": json.dumps(report.architecture),
            }
        )
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).sort_values(["val_accuracy", "mmacs"], ascending=[False, True])
    front = pareto_front(table["mmacs"].to_numpy(), table["val_accuracy"].to_numpy())
    table.insert(5, "pareto", front)
    return table


def _why_none(failures: list[Any], settings: SearchSettings, passed_over: int) -> str:
    if failures:
        *_, reason = (failures[-1].message or "see what it printed").strip().splitlines()
        return f"all {len(failures)} trials of the search failed, the last with: {reason}"
    return (
        f"no network was trained; {passed_over} that were drawn cost more than "
        f"search.max_mmacs ({settings.max_mmacs}): raise it."
    )
