"""Train one member of the ensemble, from the last checkpoint if there is one.

Run it as `python -m components train MEMBER`.
"""

import hashlib
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from components import parallel
from components.archive import save_model
from components.batches import Batches, evaluation_batches, training_batches
from components.data.faces import FaceSet
from components.data.labels import TTA
from components.distillation import soft_targets
from components.errors import InputError
from components.fitting import KEPT, OnEpoch, fit
from components.head import fit_head
from components.outputs import replacing
from components.plots import training_curves
from components.precision import in_precision
from components.predictions import FILE, NETWORK, SELECTED, SHARED
from components.recipe import compile_model, predict
from components.refit import PHASE, refit, to_learn, with_validation
from components.second_task import vote_targets
from components.settings import TrainSettings
from components.sizes import WHOLE
from components.views import mean_logits, views
from components.weights import load_pretrained


def train(
    architecture: Path,
    faces: Path,
    kept: Path,
    training: Path,
    out: Path,
    settings: TrainSettings,
    *,
    classes: tuple[str, ...],
    checkpoints: Path,
    weights: Path | None = None,
    on_epoch: OnEpoch = lambda epoch, figures: None,
) -> dict[str, float]:
    """Trains a member and predicts the validation and test splits with it.

    With `settings.head` the head is trained first, on what the body as it is makes of the
    faces, and then the whole network; with `settings.refit` it learns on with validation faces,
    once it has answered them (components/refit.py). Every epoch is checkpointed. A killed
    training goes on from its last whole epoch and ends with the weights that it would have had
    without the interruption. A checkpoint belongs to one combination of network, settings and
    data; any other ignores it.

    Args:
        architecture: Keras configuration written by `design`.
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        out: Folder to write `model.keras`, `predictions.parquet` (row, split, label, leaked,
            learnt, one float32 logit a class, and more as `flip_CLASS` and `two_scales_CLASS`), and
            `curves.csv` and `curves.png` (a line an epoch, with its `phase`: `head`, `all`, a
            smaller input size such as `32 px`, or `refit`) to. The validation faces that a refit
            has `learnt` are answered by `selected.keras`, the network from before, which is what
            another training may start from; all others by `model.keras`.
        settings: Recipe.
        classes: Names of the classes, in label order.
        checkpoints: Folder for checkpoints; removed when the training succeeds.
        weights: Published weights that the body starts from, if any.
        on_epoch: Called after each epoch with its number, from 1, and its figures. Epochs
            that a checkpoint spares are reported first.

    Returns:
        `val.accuracy` and `val.loss` of the epoch that was kept, and its number `epoch`. Of
        several processes (`components/parallel.py`) only the chief returns and writes something.

    Raises:
        InputError: If an input is missing, a class has no training face, the weights do not fit
            the network, it cannot work at the sizes, the teacher is none, there are no votes
            for the second task, there is nothing to train (no epoch, no head) and no weights, or
            the loss is no longer finite.
    """
    parallel.join(settings.batch_size)
    face_set = FaceSet.open(faces)
    table = pd.read_parquet(kept / "kept.parquet")
    state = checkpoints / _fingerprint(settings, architecture, weights, faces, kept, training)
    _check_that_something_learns(out.name, settings, weights)
    state.mkdir(parents=True, exist_ok=True)

    plan = architecture.read_text(encoding="utf-8")
    model = _network(plan, weights, settings.seed)
    train_batches = _training_batches(face_set, training, classes, settings)
    val, test = (table[table["split"] == part] for part in ("val", "test"))
    val_batches = evaluation_batches(face_set, val, len(classes))
    with parallel.chief_first():
        train_batches.further = _further_targets(face_set, train_batches, classes, settings, state)
        first = _fit_head_once(model, train_batches, val_batches, settings, state, on_epoch)
    curves = _fit_all(model, train_batches, val_batches, settings, state, first, on_epoch)
    networks, answers = {NETWORK: model.get_weights()}, []
    if settings.refit is not None:
        learnt = to_learn(val, settings.refit.held_back)
        val = val.drop(learnt.index)
        if parallel.is_chief():
            answers.append(_predict(model, face_set, learnt.assign(learnt=True), classes))
        batches = with_validation(train_batches, learnt)
        again = state / PHASE
        with parallel.chief_first():
            again.mkdir(exist_ok=True)
            batches.further = _further_targets(face_set, batches, classes, settings, again)
        curves = refit(model, batches, settings, again, curves, on_epoch)
        networks = {NETWORK: model.get_weights(), SELECTED: networks[NETWORK]}
    if not parallel.is_chief():
        return {}

    for part in (val, test):
        answers.append(_predict(model, face_set, part.assign(learnt=False), classes))
    _write(networks, plan, curves, pd.concat(answers).sort_values("row", ignore_index=True), out)
    shutil.rmtree(checkpoints, ignore_errors=True)
    best = _best(curves)
    return {
        "epoch": float(best["epoch"]),
        "val.accuracy": float(best["val_accuracy"]),
        "val.loss": float(best["val_loss"]),
    }


def _check_that_something_learns(
    member: str, settings: TrainSettings, weights: Path | None
) -> None:
    if not settings.epochs and settings.head is None and weights is None:
        raise InputError(
            f"train.members: {member} has no epoch, no head and no weights to begin with, and "
            "would stay random; set epochs, head, or weights in its design."
        )


def _network(plan: str, weights: Path | None, seed: int) -> keras.Model:
    """Returns the network of a plan, and says which weights it begins with."""
    keras.utils.set_random_seed(seed)
    model = keras.models.model_from_json(plan)
    if weights is not None:
        print(load_pretrained(model, model.name, weights))
    return model


def _fingerprint(
    settings: TrainSettings, architecture: Path, weights: Path | None, *inputs: Path
) -> str:
    """Names what a checkpoint belongs to: recipe, network, its weights at first, and data."""
    files = [architecture]
    if weights is not None and weights.is_file():  # if it is not, loading says so
        files.append(weights)
    if settings.distil is not None:
        files += sorted(Path(settings.distil.teacher).glob("*.json"))  # has the graph's hash
    for folder in inputs:
        files += sorted([*folder.glob("*.parquet"), *folder.glob("*.npy")])
    digest = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=8)
    for path in files:  # dates do not say: DVC makes anew what it takes from its cache
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _training_batches(
    face_set: FaceSet, training: Path, classes: tuple[str, ...], settings: TrainSettings
) -> Batches:
    batches = training_batches(
        face_set,
        training,
        len(classes),
        batch_size=settings.batch_size,
        augmentation=settings.augment,
        mixing=settings.mix,
        draw=settings.draw_labels,
        seed=settings.seed,
    )
    missing = [
        name for name, mass in zip(classes, batches.targets.sum(axis=0), strict=True) if not mass
    ]
    if missing:
        raise InputError(
            f"{training / 'training.parquet'} has no face of class {', '.join(missing)}, which the "
            "network could then never answer; add such faces to the data, or run balance again."
        )
    return batches


def _further_targets(
    face_set: FaceSet,
    batches: Batches,
    classes: tuple[str, ...],
    settings: TrainSettings,
    state: Path,
) -> np.ndarray | None:
    """Returns what follows the labels' distributions: a teacher's, then the taggers'."""
    further = []
    if settings.distil is not None:
        further.append(soft_targets(batches, classes, settings.distil, state / "teacher.npy"))
    if settings.votes is not None:
        further.append(vote_targets(face_set, batches.rows))
    return np.concatenate(further, axis=1) if further else None


def _fit_head_once(
    model: keras.Model,
    train_batches: Batches,
    val_batches: Batches,
    settings: TrainSettings,
    state: Path,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Leaves `model` as after its head's training, which a resume need not repeat.

    Returns:
        The head's curves, a line an epoch.
    """
    if settings.head is None:
        return pd.DataFrame(columns=["epoch", "phase", "val_accuracy"])
    weights, log = state / "best_head.weights.h5", state / "head.csv"
    if log.exists():
        model.load_weights(weights)
        curves = pd.read_csv(log)
        for figures in curves.drop(columns="phase").to_dict("records"):
            on_epoch(int(figures.pop("epoch")), figures)
        return curves
    curves = fit_head(model, train_batches, val_batches, settings, state, on_epoch)
    model.save_weights(weights)
    curves.assign(phase="head").to_csv(log, index=False)
    return pd.read_csv(log)


def _fit_all(
    model: keras.Model,
    train_batches: Batches,
    val_batches: Batches,
    settings: TrainSettings,
    state: Path,
    first: pd.DataFrame,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Trains all layers, if for any epoch, and leaves `model` as after its best one.

    Returns:
        The curves, the head's `first`.
    """
    if settings.epochs:
        with parallel.spread(in_precision(model, settings.precision)) as learner:
            curves = fit(learner, train_batches, val_batches, settings, state, first, on_epoch)
    else:
        curves = first if len(first) else _as_it_begins(model, val_batches, state)
    parallel.wait()  # the chief has written the best weights
    model.load_weights(state / f"best_{_best(curves)['phase']}.weights.h5")
    return curves


def _best(curves: pd.DataFrame) -> pd.Series:
    """Returns the line of the best epoch of those at the network's own size."""
    whole = curves[curves["phase"].isin(["head", WHOLE])]
    return whole.loc[whole["val_accuracy"].idxmax()]


def _as_it_begins(model: keras.Model, val_batches: Batches, state: Path) -> pd.DataFrame:
    """Keeps a network that no epoch changes; returns the one line of its curves, of epoch 0."""
    compile_model(model, optimizer="adamw", learning_rate=1.0, steps=None)
    figures = model.evaluate(val_batches, verbose=0, return_dict=True)
    if parallel.is_chief():
        model.save_weights(state / KEPT)
    line = {"epoch": 0, "phase": WHOLE, "accuracy": np.nan, "loss": np.nan}
    return pd.DataFrame([line | {f"val_{name}": figure for name, figure in figures.items()}])


def _write(
    networks: dict[str, list[np.ndarray]],
    plan: str,
    curves: pd.DataFrame,
    answers: pd.DataFrame,
    out: Path,
) -> None:
    trained = keras.models.model_from_json(plan)  # without the optimiser, which triples the size
    with replacing(out) as folder:
        for name, weights in networks.items():
            trained.set_weights(weights)
            save_model(trained, folder / name)
        curves.to_csv(folder / "curves.csv", index=False)
        training_curves(curves, f"Training of {trained.name}", folder / "curves.png")
        answers.to_parquet(folder / FILE, index=False)


def _predict(
    model: keras.Model, face_set: FaceSet, held_out: pd.DataFrame, classes: tuple[str, ...]
) -> pd.DataFrame:
    """Returns the logits of the faces of a split under each test-time augmentation."""
    held_out = held_out[SHARED]
    batches = evaluation_batches(face_set, held_out, len(classes))
    whole = batches.batch_size
    faces = keras.Input(model.input_shape[1:])
    table = held_out.reset_index(drop=True)
    for tta, prefix in TTA.items():
        batches.batch_size = whole // len(views(faces, tta))  # as many pictures at once, each time
        answers = predict(keras.Model(faces, mean_logits(model, faces, tta)), batches)
        table = table.join(pd.DataFrame(answers, columns=[prefix + name for name in classes]))
    return table
