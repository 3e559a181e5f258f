"""Fetch YuNet, the better face detector, from its published address: `make detector`.

Nothing else fetches it. Without it the service finds faces with MTCNN.
"""

import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

from components.errors import InputError
from serving.detection import YUNET

FILE = Path("weights") / YUNET
ADDRESS = f"https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/{YUNET}"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_MOST = 10 * 2**20  # bytes; the file has 0.2 million


def fetch(file: Path, address: str = ADDRESS) -> None:
    """Fetches the file, unless it is there already.

    Args:
        file: Where to put it; its folder is made.
        address: Where to get it.

    Raises:
        InputError: If it cannot be fetched, or is not the file that was measured.
    """
    if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == SHA256:
        return
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            content = answer.read(_MOST)
    except (OSError, urllib.error.URLError) as error:
        raise InputError(
            f"{address} cannot be fetched ({error}); put the file into {file.parent} yourself."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise InputError(
            f"{address} is not the file that was measured (SHA-256 {digest[:12]}…, expected "
            f"{SHA256[:12]}…); nothing was kept."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".part")
    fresh.write_bytes(content)
    fresh.replace(file)


if __name__ == "__main__":
    try:
        fetch(FILE)
    except InputError as error:
        sys.exit(str(error))
    print(FILE)
