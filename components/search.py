"""Look for an architecture: Keras Tuner over the article's random-architecture space.

Run it as `python -m components search`. A killed search goes on with its next trial.
"""

import hashlib
import json
import shutil
from pathlib import Path

import keras_tuner
import pandas as pd

from components.batches import evaluation_batches, training_batches
from components.cost import macs
from components.data.faces import FaceSet
from components.errors import InputError
from components.models import searched
from components.outputs import replacing
from components.settings import AugmentSettings, SearchSettings
from components.tuner import AffordableRandomOracle, ArticleSpace, OnTrial, ReportingTuner

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

    Args:
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        out: Folder to write `architecture.json` (what `components.models.searched.build`
            takes) and `trials.csv` to.
        settings: Budget.
        classes: Names of the classes, in label order.
        checkpoints: Folder for the tuner's state; removed when the search succeeds.
        on_trial: Called after each finished trial.

    Returns:
        `best.val_accuracy`, `best.parameters`, `best.mmacs`, and the numbers of `trials`
        that were run and of draws `passed_over` for their cost.

    Raises:
        InputError: If an input is missing or every network that was drawn was too costly.
    """
    face_set = FaceSet.open(faces)
    table = pd.read_parquet(kept / "kept.parquet", columns=["row", "split", "label"])
    val_batches = evaluation_batches(face_set, table[table["split"] == "val"], len(classes))
    train_batches = training_batches(
        face_set,
        training,
        len(classes),
        batch_size=settings.batch_size,
        augmentation=AUGMENTATION,
        seed=settings.seed,
        most=settings.max_images,
    )
    space = ArticleSpace(face_set.shape, train_batches, val_batches, settings)
    state = checkpoints / _fingerprint(settings, kept, training)
    oracle = AffordableRandomOracle(
        space.affordable,
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=settings.trials,
        max_consecutive_failed_trials=settings.trials,
        seed=settings.seed + 1,  # Keras Tuner takes 0 for no seed at all
    )
    tuner = ReportingTuner(space, on_trial, oracle=oracle, directory=state, project_name="article")
    tuner.search(verbose=0)

    trials = _ranked(tuner)
    if trials.empty:
        raise InputError(
            f"no network was trained; {oracle.passed_over} that were drawn cost more than "
            f"search.max_mmacs ({settings.max_mmacs}): raise it."
        )
    best = trials.iloc[0]
    architecture = searched.sample(tuner.oracle.get_trial(best["trial"]).hyperparameters)
    with replacing(out) as folder:
        text = json.dumps(architecture, indent=1) + "\n"
        (folder / "architecture.json").write_text(text, encoding="utf-8")
        trials.to_csv(folder / "trials.csv", index=False)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {
        "best.val_accuracy": float(best["val_accuracy"]),
        "best.parameters": float(best["parameters"]),
        "best.mmacs": float(best["mmacs"]),
        "trials": float(len(trials)),
        "passed_over": float(oracle.passed_over),
    }


def _fingerprint(settings: SearchSettings, kept: Path, training: Path) -> str:
    """Names the search whose trials may be reused."""
    digest = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=8)
    for table in (kept / "kept.parquet", training / "training.parquet"):
        digest.update(table.read_bytes())
    return digest.hexdigest()


def _ranked(tuner: ReportingTuner) -> pd.DataFrame:
    """Returns the finished trials, the best first; of equals, the cheapest."""
    rows = []
    for trial in tuner.oracle.trials.values():
        if trial.score is None:
            continue
        model = tuner.hypermodel.network(trial.hyperparameters)
        rows.append(
            {
                "trial": trial.trial_id,
                "val_accuracy": trial.score,
                "parameters": model.count_params(),
                "mmacs": round(macs(model) / 1e6, 3),
                "architecture": json.dumps(searched.sample(trial.hyperparameters)),
            }
        )
    ranked = pd.DataFrame(rows)
    return (
        ranked.sort_values(["val_accuracy", "mmacs"], ascending=[False, True]) if rows else ranked
    )
