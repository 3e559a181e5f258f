"""Phase one of fine-tuning: the head learns on features that the frozen body made once.

The body is every layer up to the one called `features`, the head the layers above it. As the
body does not change and the faces are not augmented, an epoch of the head needs no pass
through the body: all epochs together cost one.
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from components.batches import Batches, once_a_face
from components.errors import InputError
from components.fitting import OnEpoch
from components.models import FEATURES
from components.recipe import VERBOSITY, compile_model, cross_entropy, predict
from components.settings import TrainSettings


def split(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Parts a model into body and head, which go on sharing its layers.

    Args:
        model: Has a layer called `features`, and one layer after another above it.

    Returns:
        The body, from faces to (N, D) features, and the head, from those to logits.

    Raises:
        InputError: If the model has no such layer or nothing to train above it.
    """
    names = [layer.name for layer in model.layers]
    above = model.layers[names.index(FEATURES) + 1 :] if FEATURES in names else []
    if not above:
        raise InputError(
            f"{model.name} has no head above a body that could be trained alone; set `head: null` "
            "for the members of this network (train.members)."
        )
    body = keras.Model(model.input, model.get_layer(FEATURES).output)
    inputs = logits = keras.Input(body.output_shape[1:])
    for layer in above:
        logits = layer(logits)
    return body, keras.Model(inputs, logits)


def fit_head(
    model: keras.Model,
    train_batches: Batches,
    val_batches: Batches,
    settings: TrainSettings,
    state: Path,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Trains the head of `model` in place and leaves it as after its best epoch.

    Args:
        model: The whole network; its body is not changed.
        train_batches: What to learn from; they are taken as they are, without augmentation.
        val_batches: What to choose the epoch by.
        settings: Recipe of the member; `settings.head` is not `None`.
        state: Folder that keeps the features, so that an interrupted phase need not make
            them again.
        on_epoch: Called after each epoch with its number, from 1, and its figures.

    Returns:
        A line an epoch: `epoch` from 1, `accuracy`, `loss`, `val_accuracy`, `val_loss`.

    Raises:
        InputError: If the model has no head.
    """
    body, head = split(model)
    features = cached_features(body, train_batches, state / "features.npy")
    val_features = cached_features(body, val_batches, state / "val_features.npy")
    batches = -(-len(features) // settings.batch_size)
    compile_model(
        head,
        optimizer=settings.optimizer,
        learning_rate=settings.head.learning_rate,
        steps=settings.head.epochs * batches,
        weight_decay=settings.weight_decay,
        loss=cross_entropy(settings.label_smoothing),
    )
    best = keras.callbacks.ModelCheckpoint(
        state / "best_head.weights.h5",
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, figures: on_epoch(epoch + 1, figures)
    )
    history = head.fit(
        features,
        train_batches.targets,
        sample_weight=train_batches.weights,
        batch_size=settings.batch_size,
        epochs=settings.head.epochs,
        validation_data=(val_features, val_batches.targets),
        verbose=VERBOSITY,
        callbacks=[told, best],
    )
    head.load_weights(best.filepath)
    curves = pd.DataFrame(history.history)
    curves.insert(0, "epoch", np.arange(1, len(curves) + 1))
    return curves


def cached_features(body: keras.Model, batches: Batches, file: Path) -> np.ndarray:
    """Returns the features of the faces in `batches`, from `file` if it is there.

    Args:
        body: From faces to (N, D) features.
        batches: N training or evaluation examples; a face that repeats is computed once.
        file: A `.npy` file to read, or else to write.

    Returns:
        (N, D) float32 features, in the order of `batches.rows`.
    """

    def answers(rows: np.ndarray) -> np.ndarray:
        distinct = Batches(batches.images, rows, np.zeros((len(rows), 1)), batch_size=64)
        return predict(body, distinct)

    return once_a_face(batches, file, answers)
