"""Reads picture files of any size and kind, many at a time, into faces of one size.

| a picture is | it becomes |
|---|---|
| turned or mirrored by its EXIF orientation | upright |
| of another size or shape | stretched to a square, by area averages when it shrinks |
| colour where grey is wanted, or the other way round | luma (ITU-R 601), or three equal channels |
| CMYK, palette or 1-bit | converted |
| 16-bit | its high byte |
| partly transparent | its colours without the alpha channel, as serving reads it |
| stereo or with a preview (MPO) | the first picture |
| animated or of several pages; 32-bit; larger than 64 megapixels | rejected |

Size and channels come from `preprocess.to_face`, which serving calls, too.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import pyarrow as pa
from PIL import ExifTags, Image, ImageOps

from components.data.blocks import Block, Fault
from components.data.disk import reason
from components.preprocess import to_face

T = TypeVar("T")

LISTED = 256  # pictures opened together
MAX_PIXELS = 64_000_000
# Pillow knows more, but some of those start other programs (EPS).
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

_FORBIDDEN = "may not be read; give yourself read permission"
_CHANNELS = {"grey": 1, "rgb": 3}


class UnusableError(Exception):
    """A row or picture cannot be used: one of `REASONS`, and words for a `Fault`'s detail."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Listing:
    """Some pictures that a layout lists, not opened yet.

    Attributes:
        paths: n files.
        names: What each is called in a fault's detail.
        places: The file and the line of a fault of each.
        table: n rows, as in `Block`.
        faults: What is wrong with the entries among them that list no usable picture.
    """

    paths: list[Path]
    names: list[str]
    places: list[tuple[str, int | None]]
    table: pa.RecordBatch
    faults: list[Fault]


def read_all(listings: Iterable[Listing], size: int, colour: str) -> Iterator[Block]:
    """Opens the pictures of each listing.

    Args:
        listings: Of at most `LISTED` pictures each, so that memory stays bounded.
        size: Pixels a side.
        colour: `grey` or `rgb`.

    Yields:
        A block a listing.
    """

    def attempt(path: Path) -> tuple[np.ndarray, list[str]] | UnusableError:
        try:
            return _read(path, size, colour)
        except UnusableError as bad:
            return bad

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside Python's lock
        for listing in listings:
            results = list(pool.map(attempt, listing.paths))
            bad = {i: one for i, one in enumerate(results) if isinstance(one, UnusableError)}
            good = [i for i in range(len(results)) if i not in bad]
            faults = [
                Fault(*listing.places[i], one.reason, f"{listing.names[i]} {one.detail}")
                for i, one in bad.items()
            ]
            yield Block(
                images=np.array([results[i][0] for i in good], np.uint8),
                table=listing.table.take(pa.array(good, pa.int64())) if bad else listing.table,
                faults=sorted(listing.faults + faults, key=lambda fault: fault.line or 0),
                conversions=[(*listing.places[i], kind) for i in good for kind in results[i][1]],
            )


def read_picture(path: Path, size: int, colour: str) -> np.ndarray:
    """Reads one picture, as the module's docstring says.

    Returns:
        (size, size) uint8 grey or (size, size, 3) uint8 RGB.

    Raises:
        UnusableError: If it cannot be used.
    """
    return _read(path, size, colour)[0]


def _read(path: Path, size: int, colour: str) -> tuple[np.ndarray, list[str]]:
    """The picture, and what of `CONVERSIONS` it took."""
    _check_file(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _huge(f"{image.width} × {image.height}")
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise UnusableError(
                    "animated", "has several frames; save the one to use as a file of its own"
                )
            picture = _eight_bits(ImageOps.exif_transpose(image), image.format)
            return fit(picture[None], size, colour)[0], _conversions(image)
    except UnusableError:
        raise
    except Image.DecompressionBombError:
        raise _huge("far too many") from None
    except Image.UnidentifiedImageError:
        raise UnusableError("unreadable", "is no picture in a known format") from None
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        said = " ".join(reason(error).split())
        raise UnusableError("unreadable", f"is damaged or cut short ({said})") from error


def fit(pictures: np.ndarray, size: int, colour: str) -> np.ndarray:
    """Brings pictures to one size and colour.

    Args:
        pictures: (n, h, w) uint8 grey or (n, h, w, 3) uint8 BGR.
        size: Pixels a side.
        colour: `grey` or `rgb`.

    Returns:
        (n, size, size) uint8 grey or (n, size, size, 3) uint8 RGB.
    """
    channels = _CHANNELS[colour]
    shape = (len(pictures), size, size, channels)[: 3 if channels == 1 else 4]
    if pictures.shape == shape and channels == 1:
        return pictures
    faces = np.empty(shape, np.uint8)
    for face, picture in zip(faces, pictures, strict=True):
        face[...] = to_face(picture, (size, size, channels)).reshape(face.shape)
    return faces


def inside(folder: Path, name: str) -> Path:
    """The file called `name` in `folder` or below it.

    Raises:
        UnusableError: If there is no name, or it leads elsewhere. Links in the folder are the
            user's own and may.
    """
    if not name:
        raise UnusableError("path", "its path is empty")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        detail = f"{shown(name)} leads out of its folder; write paths that start in {folder}"
        raise UnusableError("path", detail)
    return folder / name


def batched(items: Iterable[T]) -> Iterator[list[T]]:
    """Parts `items` into lists of at most `LISTED`."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, LISTED)), [])


def shown(name: str) -> str:
    """A name as it can stand in a sentence: printable, in UTF-8, and not endless."""
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    return printable if len(printable) <= 200 else printable[:199] + "…"


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnusableError("missing", "is missing") from None
    except (OSError, ValueError) as error:  # the latter for a null character
        match getattr(error, "errno", None):
            case errno.ELOOP:
                raise UnusableError("link_loop", "is a link that leads back to itself") from None
            case errno.ENOTDIR:
                raise UnusableError("missing", "is missing: its folder is a file") from None
            case errno.EACCES:
                raise UnusableError("unreadable", _FORBIDDEN) from None
        raise UnusableError("path", f"is no possible path ({reason(error)})") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
        raise UnusableError("folder", f"is {kind}, not a picture")
    if not status.st_size:
        raise UnusableError("empty", "has zero bytes")
    if not os.access(path, os.R_OK):
        raise UnusableError("unreadable", _FORBIDDEN)


def _eight_bits(image: Image.Image, made_as: str | None) -> np.ndarray:
    """(h, w) grey or (h, w, 3) BGR uint8 of an image in any of Pillow's modes."""
    if image.mode.startswith("I;16") or (image.mode == "I" and made_as == "PPM"):
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)  # Pillow would clip
    if image.mode in ("I", "F"):
        raise UnusableError("range", "has 32 bits a pixel, whose white is unknown; save it with 8")
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def _conversions(image: Image.Image) -> list[str]:
    found = {
        "turned": image.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1),
        "cmyk": image.mode == "CMYK",
        "16_bit": image.mode.startswith("I"),
        "alpha": image.has_transparency_data,
        "first_picture": image.format == "MPO",
    }
    return [kind for kind, is_so in found.items() if is_so]


def _huge(pixels: str) -> UnusableError:
    return UnusableError(
        "huge", f"has {pixels} pixels, more than {MAX_PIXELS // 10**6} million; make it smaller"
    )
