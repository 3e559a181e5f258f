"""Does the service keep its memory? A mix of requests for minutes, good ones and bad ones.

    make serve &
    python -m benchmarks.soak [--address http://localhost:3000] [--minutes 10] [--clients 4]

Prints, a minute at a time, the resident memory of the service's processes (found by the port
they listen on; it must run on this machine, under this user) and the answers so far; at last how
far memory strays from what it was after the first minute.
"""

import argparse
import itertools
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import psutil

from components.synthesize import draw_set

SIZE = (640, 480)


def requests() -> list[tuple[str, bytes]]:
    """Returns addresses and bodies: pictures, crops, a video, and what is none of them."""
    made = draw_set(70, 7)
    faces = made.pictures[made.kind == ""][1:5]
    crowd = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    for face, (x, y) in zip(faces, [(80, 60), (400, 60), (80, 300), (400, 300)], strict=True):
        crowd[y : y + 120, x : x + 120] = cv2.resize(face, (120, 120))[..., None]
    png, jpeg = (cv2.imencode(kind, crowd)[1].tobytes() for kind in (".png", ".jpg"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE)
        for step in range(20):
            writer.write(np.roll(crowd, 2 * step, axis=1))
        writer.release()
        video = path.read_bytes()
    good = [("/faces", png), ("/faces", jpeg), ("/faces/annotated?heat=true", jpeg)]
    good += [("/predict", png), ("/video?fps=5", video), ("/video/annotated?fps=5", video)]
    bad = [("/faces", png[:2000]), ("/faces?min_face=1", png), ("/video", video[:3000])]
    return good + bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="http://localhost:3000")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--clients", type=int, default=4)
    asked = parser.parse_args()
    service = processes(urlsplit(asked.address).port)
    statuses: Counter = Counter()
    end = time.monotonic() + 60 * asked.minutes
    work = requests()

    def ask(first: int) -> None:
        with httpx.Client(base_url=asked.address, timeout=120) as http:
            for path, body in itertools.cycle(work[first:] + work[:first]):
                if time.monotonic() > end:
                    return
                kind = {"Content-Type": "application/octet-stream"}
                statuses[http.post(path, content=body, headers=kind).status_code] += 1

    threads = [threading.Thread(target=ask, args=(2 * client,)) for client in range(asked.clients)]
    for thread in threads:
        thread.start()
    seen = []
    for minute in range(1, asked.minutes + 1):
        time.sleep(60)
        seen.append(sum(process.memory_info().rss for process in service) / 2**20)
        print(f"minute {minute}: {seen[-1]:.0f} MiB, answers {dict(statuses)}", flush=True)
    for thread in threads:
        thread.join()
    most, least = max(seen) / seen[0] - 1, min(seen) / seen[0] - 1
    print(f"memory after the first minute: {least:+.1%} to {most:+.1%}")


def processes(port: int) -> list[psutil.Process]:
    """Returns the processes below the one that listens on a port, and itself."""
    for connection in psutil.net_connections("tcp"):
        if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            own = psutil.Process(connection.pid)
            return [own, *own.children(recursive=True)]
    raise SystemExit(f"nothing listens on port {port} here; start the service (`make serve`).")


if __name__ == "__main__":
    main()
