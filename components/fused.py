"""Batch normalisation in one pass, for TensorFlow on a CPU.

Keras makes it from a dozen operations, each of which reads and writes all activations. XLA joins
them under JAX, and TensorFlow without XLA does not: in bfloat16 a step of `mien` took 1.4 times the
processor time with Keras' layer (`python -m benchmarks.throughput`).
"""

import keras


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, whose training steps take TensorFlow's fused operation where that fits.

    It must have Keras' name, by which files of weights call their layers. The running variance
    is that of a sample (divided by N - 1), Keras' that of a population.
    """

    def call(self, inputs, training: bool | None = None, mask=None):
        """Normalises (N, H, W, C) activations; others as Keras does."""
        last = self.axis in (-1, len(inputs.shape) - 1)
        learns = training and self.trainable and self.center and self.scale
        fits = len(inputs.shape) == 4 and last and mask is None and not self.synchronized
        if keras.backend.backend() != "tensorflow" or not (learns and fits):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, "float32"),
            offset=tf.cast(self.beta, "float32"),
            mean=[],  # those of the batch
            variance=[],
            epsilon=self.epsilon,
        )
        for running, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            running.assign(self.momentum * running + (1 - self.momentum) * batch)
        return normalised
