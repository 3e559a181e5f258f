"""CNN features: what a trained network knows of a face just before it names the class."""

from pathlib import Path

import keras
import numpy as np

from components.data.disk import reading
from components.errors import InputError
from components.recipe import predict

_BLOCK = 4096  # faces at a time: they take 38 MB as the network reads them


def describe(faces: np.ndarray, rows: np.ndarray, training: np.ndarray, model: Path) -> np.ndarray:
    """Describes faces by the penultimate layer of a trained network.

    Args:
        faces: (M, H, W) or (M, H, W, C) uint8, or real and synthetic faces joined.
        rows: (N,) indices of the faces to describe.
        training: (N,) bool, the faces whose mean and deviation are taken off.
        model: `model.keras`, written by `train`.

    Returns:
        (N, D) float32; maps are averaged over their places.

    Raises:
        InputError: If the model is missing or cannot be read.
    """
    if not model.is_file():
        raise InputError(f"{model} is missing; train that member first.")
    with reading(model):
        body = penultimate(keras.models.load_model(model))
    blocks = []
    for start in range(0, len(rows), _BLOCK):
        block = faces[rows[start : start + _BLOCK]]
        block = block[..., None] if block.ndim == 3 else block
        blocks.append(predict(body, block.astype(np.float32)))
    features = np.concatenate(blocks)
    known = features[training]
    return (features - known.mean(axis=0)) / (known.std(axis=0) + 1e-6)


def penultimate(model: keras.Model) -> keras.Model:
    """Cuts a classifier before the layer that makes one output a class of what it knows."""
    heads = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D)
    ]
    known = heads[-1].input
    if len(known.shape) == 4:
        known = keras.layers.GlobalAveragePooling2D()(known)
    return keras.Model(model.inputs, known)
