"""Grad-CAM: where a network looked (Selvaraju et al. 2017), on any backend of Keras.

Grad-CAM weighs each map of the last layer that still has places by the mean of the class
score's gradient over those places. That mean is the slope along "this map a little more,
everywhere", so a central difference on the layers above finds it without a gradient, for
which Keras has no call that is the same on TensorFlow, JAX and PyTorch. On networks that end
in an average and a dense layer the two agree to rounding.
"""

import contextlib

import keras
import numpy as np
from keras import ops

_STEP = 0.01  # of the largest feature of a face
_TOGETHER = 128  # maps whose slopes are found in one batch


def grad_cam(model: keras.Model, faces: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Says which places of each face spoke for a class.

    Args:
        model: From grey levels (N, H, W, C) to logits, layer by layer (not nested).
        faces: (N, H, W, C) uint8.
        classes: (N,) class to explain of each face.

    Returns:
        (N, H, W) float32 in [0, 1], the most telling place of a face being 1; zeros where
        nothing spoke for the class.
    """
    body, head = _cut(model)
    maps = ops.convert_to_numpy(body(faces.astype(np.float32), training=False))
    heat = []
    for own, chosen in zip(maps, classes, strict=True):
        weights = _slopes(head, own, int(chosen))
        heat.append(np.maximum(own @ weights, 0))
    heat = np.stack(heat)[..., None]
    heat /= np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12)
    larger = ops.image.resize(heat, faces.shape[1:3], interpolation="bilinear")
    return ops.convert_to_numpy(larger)[..., 0]


def _cut(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Parts a network behind the last layer that has more than one place."""
    for layer in reversed(model.layers):
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            with contextlib.suppress(ValueError):  # a branch goes around this layer
                head = keras.Model(layer.output, model.output)
                return keras.Model(model.input, layer.output), head
    raise ValueError(f"{model.name} has no layer with maps")


def _slopes(head: keras.Model, maps: np.ndarray, chosen: int) -> np.ndarray:
    """Returns the (K,) mean gradients of a class's logit by the (h, w, K) maps of one face."""
    count = maps.shape[-1]
    step = _STEP * max(float(np.abs(maps).max()), 1e-6)
    slopes = np.empty(count, np.float32)
    for start in range(0, count, _TOGETHER):
        changes = step * np.eye(count, dtype=np.float32)[start : start + _TOGETHER]
        both = np.concatenate([changes, -changes])[:, None, None, :]
        scores = ops.convert_to_numpy(head(maps + both, training=False))[:, chosen]
        up, down = np.split(scores, 2)
        slopes[start : start + _TOGETHER] = (up - down) / (2 * step)
    return slopes / (maps.shape[0] * maps.shape[1])
