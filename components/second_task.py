"""FER+'s votes as a second task: the body learns them beside the labels, with a head of their own.

R. Caruana, "Multitask Learning" (1997). The votes of E. Barsoum et al. (2016) say more of a face
than FER-2013's one label, and come from other people: a body that explains both has less of
either's noise. The second head is thrown away.
"""

import keras
import numpy as np
from keras import layers, ops

from components.data.faces import FaceSet
from components.data.labels import VOTE_COLUMNS
from components.errors import InputError

COLUMNS = len(VOTE_COLUMNS)


class WithVotes(keras.losses.Loss):
    """Another loss, and the cross-entropy of the votes beside it.

    Targets are those of the other loss, then ten shares of the votes; answers are the logits,
    then those of the votes. Targets of (N, classes) have no votes, as in validation. A face whose
    shares are all zero has only the other loss.

    Args:
        own: Of (N, ...) targets and (N, classes) logits.
        weight: Factor on the cross-entropy of the votes.
    """

    def __init__(self, own: keras.losses.Loss, weight: float) -> None:
        super().__init__(name="with_votes")
        self.own = own
        self.weight = weight

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        logits, told = y_pred[:, :-COLUMNS], y_pred[:, -COLUMNS:]
        if y_true.shape[-1] == logits.shape[-1]:
            return self.own.call(y_true, logits)
        targets, votes = y_true[:, :-COLUMNS], y_true[:, -COLUMNS:]
        # TensorFlow's gradient is right for distributions alone, and none is one of zeros.
        mass = ops.sum(votes, axis=-1)
        votes = votes / ops.maximum(mass, 1e-6)[:, None]
        seen = mass * keras.losses.categorical_crossentropy(votes, told, from_logits=True)
        return self.own.call(targets, logits) + self.weight * seen


def with_head(model: keras.Model) -> keras.Model:
    """Returns the network with a second head on what its own head sees; they share all layers.

    Args:
        model: From faces to (N, classes) logits; its layers are not those of an earlier model.

    Returns:
        From faces to (N, classes + 10): its logits, and those of the votes.
    """
    seen = [layer for layer in model.layers if layer.weights][-1].input
    if len(seen.shape) == 4:  # the head is a convolution
        seen = layers.GlobalAveragePooling2D()(seen)
    votes = layers.Dense(COLUMNS, dtype="float32", name="votes")(seen)
    both = layers.Concatenate(dtype="float32")([model.output, votes])
    return keras.Model(model.input, both, name=model.name)


def vote_targets(face_set: FaceSet, rows: np.ndarray) -> np.ndarray:
    """Returns how the taggers' votes for training faces divide among the ten columns.

    Args:
        face_set: Written by `ingest`.
        rows: (M,) indices; those beyond the face set are synthetic faces.

    Returns:
        (M, 10) float32 shares in the order of `VOTE_COLUMNS`; zeros for a synthetic face and for
        one without a vote.

    Raises:
        InputError: If the face set has no votes.
    """
    if face_set.votes is None:
        raise InputError(
            "train.*.votes: the face set has no FER+ votes; put fer2013new.csv beside fer2013.csv "
            "and run ingest again, or set votes to null."
        )
    counts = face_set.votes.astype(np.float32)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    targets = np.zeros((len(rows), COLUMNS), np.float32)
    real = rows < len(shares)
    targets[real] = shares[rows[real]]
    return targets
