"""What can go wrong with reading a file, said in one sentence to the person who can mend it."""

import contextlib
import csv
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from components.errors import InputError

# What the readers of gzip, xz, zip, CSV, .npy and Parquet raise for a damaged file. zipfile
# raises the last two for an encrypted member and for a compression it does not know.
_DAMAGED = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_DAMAGED += (csv.Error, RuntimeError, NotImplementedError, pa.ArrowException)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what reading `path` may raise into an `InputError` that names it."""
    try:
        yield
    except PermissionError:
        raise InputError(
            f"{path} may not be read; give yourself read permission (chmod u+r)."
        ) from None
    except _DAMAGED as error:
        raise InputError(
            f"{path} cannot be read to its end ({reason(error)}); it is damaged or cut short: "
            "copy or download it again."
        ) from error


def reason(error: BaseException) -> str:
    """Returns the shortest true account of an error."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
