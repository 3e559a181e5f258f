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
SEED = 18
SIDE = 240  # pixels of a picture of one face
ROOM = 0.8  # how much of a picture's height the data set's frame would take
# BGR of black, and of white in turns; the greys between become the tones between.
INK = (43, 32, 24)
LIGHTS = ((214, 232, 250), (224, 240, 236), (242, 236, 228), (228, 228, 250), (202, 230, 248))
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


def tinted(grey: np.ndarray, turn: int = 0) -> np.ndarray:
    """Gives (H, W) uint8 the tones of one of `LIGHTS`, (H, W, 3) uint8 BGR."""
    light = LIGHTS[turn % len(LIGHTS)]
    return np.rint(INK + grey[..., None] / 255 * np.subtract(light, INK)).astype(np.uint8)


def main() -> None:
    """Writes them all."""
    own = [name for name in EXPRESSIONS if name != "contempt"]  # not of FER-2013
    alone = [tinted(face, turn) for turn, face in enumerate(draw(own, SEED))]
    several = [tinted(face, turn) for turn, face in enumerate(draw(list(GROUP), SEED + 1))]
    pictures = dict(zip(own, alone, strict=True))
    pictures["group"] = np.vstack([np.hstack(several[:3]), np.hstack(several[3:])])
    with replacing(OUT) as folder:
        for name, picture in pictures.items():
            best = [cv2.IMWRITE_PNG_COMPRESSION, 9]
            cv2.imwrite(str(folder / f"{name}.png"), picture, best)


if __name__ == "__main__":
    main()
