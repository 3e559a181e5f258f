"""How soon the service is ready, and how much its image has to install.

    python -m benchmarks.startup [PACKAGE] [--starts 3]

Builds the Bento of PACKAGE, then starts it as `make serve` does and waits for `/readyz`: seconds,
and beside them those that a Python takes that imports BentoML and OpenCV and does nothing. Then
installs `requirements/serve.txt` into an empty folder and adds up the files.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from pipelines.bento import PACKAGE, REQUIREMENTS, store

IMPORTS = "import bentoml, cv2, onnxruntime; bentoml.service"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, nargs="?", default=PACKAGE)
    parser.add_argument("--starts", type=int, default=3)
    chosen = parser.parse_args()
    tag = store(chosen.package)
    served = statistics.median(start(tag) for _ in range(chosen.starts))
    bare = statistics.median(imports() for _ in range(chosen.starts))
    print(f"ready after {served:.1f} s, {served / bare:.1f} times what its imports alone take")
    size, has_tensorflow = installed()
    print(f"{size / 1e6:.0f} MB of dependencies; TensorFlow is among them: {has_tensorflow}")


def start(tag: str) -> float:
    """Starts the service; returns the seconds until it is ready, and ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.monotonic()
    command = ["bentoml", "serve", tag, "--port", str(port)]
    environment = os.environ | {"MIEN_CHAMPION": ""}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as service:
        while not is_ready(port):
            if service.poll() is not None:
                sys.exit(f"`{' '.join(command)}` ended by itself; run it to see why")
            time.sleep(0.05)
        seconds = time.monotonic() - begin
        service.terminate()
    return seconds


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def imports() -> float:
    """Returns the seconds that a Python takes for what the service imports."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True)
    return time.monotonic() - begin


def installed() -> tuple[int, bool]:
    """Returns the bytes of the service's dependencies, and whether TensorFlow is among them."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "--target", folder, "-r", REQUIREMENTS], check=True)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        has_tensorflow = (Path(folder) / "tensorflow").exists()
        return sum(path.stat().st_size for path in files), has_tensorflow


if __name__ == "__main__":
    main()
