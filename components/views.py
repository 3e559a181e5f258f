"""Test-time augmentation: a network answers the mean of what it says to several views of a face.

Ten crops: Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks" (2012), section 4.1.
"""

import keras
from keras import ops

CROP = 11 / 12  # of a face's side: 44 of 48 px


def views(faces: keras.KerasTensor, tta: str) -> list[keras.KerasTensor]:
    """Returns what a network is shown of each face.

    Args:
        faces: (N, H, W, C) float32 grey levels.
        tta: `none`, the face as it is; `flip`, its mirror image, too; `ten_crop`, the four
            corners and the middle, enlarged to the face's size, and their mirror images.

    Returns:
        One, two or ten tensors of the shape of `faces`.
    """
    if tta == "none":
        return [faces]
    shown = [faces] if tta == "flip" else _five_crops(faces)
    return [*shown, *(view[:, :, ::-1] for view in shown)]


def mean_logits(network: keras.Model, faces: keras.KerasTensor, tta: str) -> keras.KerasTensor:
    """Returns the (N, classes) mean of a network's logits over the views of each face.

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
    return ops.mean(ops.reshape(logits, (len(seen), -1, logits.shape[-1])), axis=0)


def _five_crops(faces: keras.KerasTensor) -> list[keras.KerasTensor]:
    height, width = faces.shape[1:3]
    tall, wide = round(CROP * height), round(CROP * width)
    down, right = height - tall, width - wide
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [
        ops.image.resize(faces[:, top : top + tall, left : left + wide], (height, width))
        for top, left in places
    ]
