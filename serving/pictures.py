"""From uploaded bytes to pixels, by the rules of `components/data/pictures.py`.

Upright by its EXIF orientation; CMYK and palettes converted; the high byte of 16 bits; no
alpha channel. What is damaged, animated or too large is a problem, not a guess.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from serving.problems import ProblemError

# Pillow knows more, but some of those start other programs (EPS).
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_UNREADABLE = "the file cannot be read as a picture (JPEG, PNG, WebP, BMP, GIF or TIFF)"

Image.MAX_IMAGE_PIXELS = None  # `decode` has its own limit, and looks before it decodes


def decode(encoded: bytes, max_pixels: int) -> np.ndarray:
    """Decodes a picture.

    Args:
        encoded: A file's bytes.
        max_pixels: Width times height at most; the header is believed before the rest is read.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ProblemError: If it is damaged, animated, too large or no picture.
    """
    if not encoded:
        raise ProblemError("unreadable-picture", "the picture has zero bytes.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                return _pixels(image, max_pixels)
    except ProblemError:
        raise
    except Image.UnidentifiedImageError:
        raise ProblemError("unreadable-picture", f"{_UNREADABLE}.") from None
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        said = " ".join(str(error).split())[:200]
        detail = f"{_UNREADABLE}; it is damaged or cut short ({said})."
        raise ProblemError("unreadable-picture", detail) from error


def _pixels(image: Image.Image, max_pixels: int) -> np.ndarray:
    if image.width * image.height > max_pixels:
        raise ProblemError(
            "too-large",
            f"the picture has {image.width} × {image.height} pixels, more than "
            f"{max_pixels / 1e6:g} million; send a smaller one.",
        )
    if getattr(image, "is_animated", False) and image.format != "MPO":
        detail = "the picture has several frames; send one of them, or a video to /video."
        raise ProblemError("animated-picture", detail)
    made_as, image = image.format, ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and made_as == "PPM"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)  # Pillow would clip
    elif image.mode in ("I", "F"):
        detail = "the picture has 32 bits a pixel, whose white is unknown; save it with 8."
        raise ProblemError("unreadable-picture", detail)
    elif image.mode in ("1", "L", "LA"):
        grey = np.asarray(image.convert("L"))
    else:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])
    return np.repeat(grey[..., None], 3, axis=2)
