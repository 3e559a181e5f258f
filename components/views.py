"""Test-time augmentation: a network answers the mean of what it says to several views of a face.

Mirror images, and a face at more than one scale: Simonyan & Zisserman, "Very Deep Convolutional
Networks for Large-Scale Image Recognition" (2015), arXiv:1409.1556, sections 3.2 and 4.2.
"""

import keras
import numpy as np
from keras import ops

MIDDLE = 7 / 8  # of a face's side: 42 of 48 px

# What each view counts for. Networks have learnt whole faces: their word is worth twice as much.
SHARES = {"none": (1.0,), "flip": (1 / 2, 1 / 2), "two_scales": (1 / 3, 1 / 6, 1 / 3, 1 / 6)}


def views(faces: keras.KerasTensor, tta: str) -> list[keras.KerasTensor]:
    """Returns what a network is shown of each face.

    Args:
        faces: (N, H, W, C) float32 grey levels.
        tta: `none`, the face as it is; `flip`, its mirror image, too; `two_scales`, also its
            middle, enlarged to the face's size, and the mirror image of that.

    Returns:
        One, two or four tensors of the shape of `faces`, in the order of `SHARES`.
    """
    if tta == "none":
        return [faces]
    shown = [faces] if tta == "flip" else [faces, _middle(faces)]
    return [*shown, *(view[:, :, ::-1] for view in shown)]


def mean_logits(network: keras.Model, faces: keras.KerasTensor, tta: str) -> keras.KerasTensor:
    """Returns a network's logits, (N, classes), averaged over the views of each face.

    Args:
        network: From (N, H, W, C) grey levels to logits.
        faces: (N, H, W, C) float32 grey levels.
        tta: As `views` takes it.
    """
    seen = views(faces, tta)
    # One call for all of them: the graph holds the network once, however many there are. It is
    # said outright that this is no training: Keras exports batch normalisation as one otherwise.
    logits = network(ops.concatenate(seen) if len(seen) > 1 else faces, training=False)
    if len(seen) == 1:
        return logits
    shares = np.float32(SHARES[tta])[:, None, None]
    return ops.sum(ops.reshape(logits, (len(seen), -1, logits.shape[-1])) * shares, axis=0)


def _middle(faces: keras.KerasTensor) -> keras.KerasTensor:
    height, width = faces.shape[1:3]
    tall, wide = round(MIDDLE * height), round(MIDDLE * width)
    top, left = (height - tall) // 2, (width - wide) // 2
    return ops.image.resize(faces[:, top : top + tall, left : left + wide], (height, width))
