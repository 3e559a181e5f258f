"""Is a long video answered faster than it plays, and in constant memory?

    make serve &
    python -m benchmarks.video [--address http://localhost:3000] [--minutes 10]

Sends a video of 1280 × 720 pixels, 25 frames a second, in which four drawn faces move, and asks
for five frames a second. Prints how many seconds of video a second answers, of the clock and of a
processor (beside other work look at that), and how far the resident memory of the service's
processes strays from what it was after the first tenth.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import psutil

from benchmarks.soak import processes
from components.synthesize import draw_set

SIZE, FPS, ASKED = (1280, 720), 25, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="http://localhost:3000")
    parser.add_argument("--minutes", type=float, default=10)
    asked = parser.parse_args()
    service = processes(urlsplit(asked.address).port)
    seconds, seen, faces = 60 * asked.minutes, [], 0
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        film(video, round(FPS * seconds))
        started, worked = time.perf_counter(), work(service)
        with (
            video.open("rb") as file,
            httpx.Client(base_url=asked.address, timeout=None) as http,
            http.stream("POST", f"/video?fps={ASKED}", files={"video": file}) as answer,
        ):
            for line in answer.iter_lines():
                faces += len(json.loads(line).get("faces", ()))
                seen.append(sum(process.memory_info().rss for process in service) / 2**20)
        spent, worked = time.perf_counter() - started, work(service) - worked
    frames = len(seen) - 1
    later = seen[frames // 10 :]
    most, least = max(later) / later[0] - 1, min(later) / later[0] - 1
    print(f"{frames} frames, {faces / frames:.1f} faces in each, ", end="")
    print(f"{seconds / spent:.2f} times real time, {seconds / worked:.2f} by processor time")
    print(f"memory: {later[0]:.0f} MiB, later {least:+.1%} to {most:+.1%}")


def work(service: list[psutil.Process]) -> float:
    """Returns the processor time that a service has taken, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for process in service)


def film(path: Path, frames: int) -> None:
    """Writes a video of four faces that drift across grey."""
    made = draw_set(70, 7)
    picture = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    places = [(160, 90), (800, 90), (160, 450), (800, 450)]
    for face, (x, y) in zip(made.pictures[made.kind == ""][1:5], places, strict=True):
        picture[y : y + 180, x : x + 180] = cv2.resize(face, (180, 180))[..., None]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    for step in range(frames):
        writer.write(np.roll(picture, 2 * step, axis=1))
    writer.release()


if __name__ == "__main__":
    main()
