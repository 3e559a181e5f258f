"""Replace a step's output whole, or leave the last good one in place."""

import contextlib
import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from components.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a fresh directory that takes the place of `path` on success.

    The directory is made beside `path`, so that the final move stays on one file
    system. When the block raises, it is removed and `path` keeps what it held. Whatever
    the block reads must explain itself: an `OSError` that gets here is blamed on `path`.

    Args:
        path: The directory to replace; its parents are made if missing.

    Yields:
        An empty directory to write into.

    Raises:
        InputError: If the directory cannot be made, written or moved.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            fresh.chmod(0o755)
            yield fresh
            _swap(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    # A directory cannot be renamed over a full one, so the old one steps aside first;
    # if the second rename fails, it comes back.
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    path.rename(aside / path.name)
    try:
        fresh.rename(path)
    except OSError:
        (aside / path.name).rename(path)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` whole or not at all.

    Raises:
        InputError: If the file cannot be written; `path` then keeps what it held.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be written ({reason}); {_remedy(error, path)}") from error


def _remedy(error: OSError, path: Path) -> str:
    if error.errno in _FULL:
        return "free space on that disk or raise the file-size limit, and run again."
    if error.errno in _FORBIDDEN:
        return f"give yourself write permission on {path.parent}, and run again."
    return "check that path, and run again."
