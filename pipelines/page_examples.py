"""Draw the example pictures of the page: one face an expression, and a group.

Run it as `python -m pipelines.page_examples`; they are in git, so only a change of them needs it.
The people are the embedded data set's (`components.drawn`), larger than there, without grain and
with nothing before their faces.
"""

from pathlib import Path

import cv2
import numpy as np

from components.drawn.faces import draw_faces
from components.drawn.parameters import EXPRESSIONS, actions, people, views
from components.outputs import replacing

OUT = Path("serving/page/examples")
SEED = 8
SIDE = 240  # pixels of a picture of one face
ROOM = 0.72  # how much of a picture's height the data set's frame would take
INK, LIGHT = (43, 32, 24), (216, 236, 250)  # BGR; the greys between become the tones between
GROUP = ("happy", "surprise", "neutral", "sad", "happy", "angry")


def draw(expressions: list[str], seed: int, side: int = SIDE) -> np.ndarray:
    """Draws people, each with an expression at its full strength, before a plain wall.

    Args:
        expressions: of `EXPRESSIONS`.
        seed: who the people are.
        side: of a picture.

    Returns:
        (N, side, side) uint8.
    """
    bits = np.random.PCG64(seed)
    codes = np.array([EXPRESSIONS.index(name) for name in expressions])
    n = len(codes)
    seen = people(bits, n) | actions(bits, codes, np.ones(n)) | views(bits, n)
    plain = dict.fromkeys(("hand", "bar", "lock", "grain", "blur", "light_x", "light_y"), 0.0)
    plain |= {"backdrop": 0.88, "gain": 1.0, "contrast": 1.0}
    seen |= {name: np.full(n, value) for name, value in plain.items()}
    return draw_faces(seen | {"scale": seen["scale"] * ROOM}, bits, side)


def tinted(grey: np.ndarray) -> np.ndarray:
    """Gives (H, W) uint8 warm tones, (H, W, 3) uint8 BGR."""
    share = grey[..., None] / 255
    return np.rint(INK + share * np.subtract(LIGHT, INK)).astype(np.uint8)


def main() -> None:
    """Writes them all."""
    own = [name for name in EXPRESSIONS if name != "contempt"]  # not of FER-2013
    pictures = dict(zip(own, draw(own, SEED), strict=True))
    several = draw(list(GROUP), SEED + 1)
    pictures["group"] = np.vstack([np.hstack(several[:3]), np.hstack(several[3:])])
    with replacing(OUT) as folder:
        for name, grey in pictures.items():
            best = [cv2.IMWRITE_PNG_COMPRESSION, 9]
            cv2.imwrite(str(folder / f"{name}.png"), tinted(grey), best)


if __name__ == "__main__":
    main()
