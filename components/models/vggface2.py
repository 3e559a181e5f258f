"""VGGFace2: the ResNet-50 body (23,561,152 parameters) under the report's head.

He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition" (2016), table 1;
trained on faces by Cao, Shen, Xie, Parkhi & Zisserman, "VGGFace2: A dataset for
recognising faces across pose and age" (2018). As in the published weights the
convolutions carry no bias and a block strides in its first 1x1 convolution; layer names are
theirs with `_` for `/`.
"""

import keras
from keras import layers

from components.models import FEATURES, MOMENTUM, as_bgr

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # filters, blocks, stride
MEAN_BGR = (91.4953, 103.8827, 131.0912)  # of the faces VGGFace2 was trained on
SMALLEST_INPUT = 32


def build(
    input_shape: tuple[int, int, int], classes: int, input_size: int, *, dropout: float = 0.5
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces; a single channel is repeated.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (224 in the paper).
        dropout: Rate of both dropout layers of the head.

    Returns:
        A model from grey levels 0..255 to logits; 29,862,855 parameters at 7 classes.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = as_bgr(x, MEAN_BGR)

    # Body: stem and four stages of bottleneck blocks
    x = _convolution(x, 64, 7, stride=2, name="conv1_7x7_s2")
    x = layers.MaxPooling2D(3, strides=2)(x)
    for stage, (filters, blocks, stride) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            x = _bottleneck(x, filters, stride if block == 1 else 1, f"conv{stage}_{block}")

    # Head; the paper's 7x7 average pooling leaves one pixel at 224, as this does at any size
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Flatten(name=FEATURES)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(2048, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(1024, activation="relu", kernel_initializer="he_normal")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="vggface2")


def _bottleneck(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if name.endswith("_1"):
        shortcut = _convolution(x, 4 * filters, 1, stride, f"{name}_1x1_proj", activate=False)
    x = _convolution(x, filters, 1, stride, f"{name}_1x1_reduce")
    x = _convolution(x, filters, 3, 1, f"{name}_3x3")
    # A block starts as the identity (Goyal et al., "Accurate, Large Minibatch SGD", 2017, 5.1).
    x = _convolution(x, 4 * filters, 1, 1, f"{name}_1x1_increase", activate=False, gamma="zeros")
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    stride: int,
    name: str,
    activate: bool = True,
    gamma: str = "ones",
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, gamma_initializer=gamma, name=f"{name}_bn")(x)
    return layers.ReLU()(x) if activate else x
