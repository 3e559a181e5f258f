"""Finds a CSV file under one of its known names and opens it, compressed or plain."""

import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from components.data.disk import reading
from components.errors import InputError

ENDINGS = ("", ".gz", ".xz", ".zst", ".zip")


def find(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The one file in `folder` that has one of `names`, with or without an archive's ending.

    Returns:
        The file, or None if there is none.

    Raises:
        InputError: If there are several.
    """
    with reading(folder):
        known = [folder / (name + ending) for name in names for ending in ENDINGS]
        found = [path for path in known if path.is_file()]
    if len(found) > 1:
        listed = " and ".join(path.name for path in found)
        raise InputError(f"{folder} holds {listed}; keep the one to use and move the rest away.")
    return found[0] if found else None


def open_csv(path: Path, names: tuple[str, ...]) -> BinaryIO:
    """Opens a CSV file for reading its plain bytes.

    Args:
        path: The file; the ending says how it is compressed.
        names: What the CSV file may be called inside a zip archive.
    """
    match path.suffix:
        case ".gz":
            return gzip.open(path)
        case ".xz":
            return lzma.open(path)
        case ".zst":
            return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))
        case ".zip":
            return _open_member(path, names)
    return path.open("rb")


def _open_member(path: Path, names: tuple[str, ...]) -> BinaryIO:
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist() if Path(name).name in names]
    if len(members) != 1:
        raise InputError(
            f"{path} holds {len(members)} files called {' or '.join(names)}; "
            "make an archive with exactly one."
        )
    return archive.open(members[0])
