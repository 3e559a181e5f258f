"""What a network costs: multiply-accumulates of one forward pass."""

import math

import keras
from keras import layers


def macs(model: keras.Model) -> int:
    """Counts the multiply-accumulates of convolutions and dense layers for one face.

    Normalisation, activations, pooling and resizing are left out, as papers do.

    Args:
        model: A built functional model.

    Returns:
        Multiply-accumulates (half the number of floating-point operations).
    """
    return sum(macs(x) if isinstance(x, keras.Model) else _layer_macs(x) for x in model.layers)


def _layer_macs(layer: keras.Layer) -> int:
    match layer:
        case layers.SeparableConv2D():
            _, height, width, _ = layer.compute_output_shape(layer.input.shape)
            kernels = layer.depthwise_kernel, layer.pointwise_kernel
            return height * width * sum(math.prod(kernel.shape) for kernel in kernels)
        case layers.Conv2D() | layers.DepthwiseConv2D():
            _, height, width, _ = layer.compute_output_shape(layer.input.shape)
            return height * width * math.prod(layer.kernel.shape)
        case layers.Dense():
            return math.prod(layer.kernel.shape)
    return 0
