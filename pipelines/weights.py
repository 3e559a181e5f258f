"""Say which published weights there are, where to put them, and what is there already.

Run it as `python -m pipelines.weights` (`make weights` does). It downloads nothing: licences
are the user's to accept.
"""

import hashlib
import os
import sys
from pathlib import Path

from components.errors import InputError
from components.weights import PUBLISHED, Published, read_layers

FOLDER = Path("weights")


def main() -> int:
    """Returns the process's exit status: 1 if a file is there that is not as published."""
    print("A training starts from published weights if design.MEMBER.weights names their file.\n")
    sound = True
    for member, published in PUBLISHED.items():
        path = FOLDER / published.file
        status, fine = check(path, published)
        sound = sound and fine
        print(
            f"{member}\n"
            f"  put      {path} ({published.megabytes} MB)\n"
            f"  from     {published.address}/{published.file}\n"
            f"  licence  {published.licence}\n"
            f"  set      design.{member}.weights: {path}\n"
            f"  now      {status}\n"
        )
    return 0 if sound else 1


def check(path: Path, published: Published) -> tuple[str, bool]:
    """Says what lies at `path`, and whether nothing is wrong with it.

    A file with a published checksum is held against it. One without is read, its weights
    are counted, and its SHA-256 is told, so that it can be compared with a colleague's.
    """
    if not path.is_file():
        cached = keras_cache() / published.file
        if cached.is_file():
            return f"missing, but Keras has it: cp {cached} {path}", True
        return "missing", True
    if published.md5:
        md5 = _digest(path, "md5")
        if md5 == published.md5:
            return f"there, and its MD5 is the published one ({md5})", True
        return f"there, but its MD5 is {md5}, not {published.md5}: get it again", False
    try:
        layers = read_layers(path)
    except InputError as error:
        return str(error), False
    count = sum(tensor.size for tensors in layers.values() for tensor in tensors.values())
    if count != published.parameters:
        wrong = f"there, but it holds {count:,} weights, not {published.parameters:,}: get it again"
        return wrong, False
    sha256 = _digest(path, "sha256")
    return f"there, with {count:,} weights as it should; SHA-256 {sha256}, none published", True


def keras_cache() -> Path:
    """Returns the folder that Keras keeps its downloads in."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
