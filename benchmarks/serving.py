"""What the service costs beside the same work done without it; every figure is a ratio.

    python -m benchmarks.serving PACKAGE PICTURE [--address http://localhost:3000] [--seconds 10]

PACKAGE is the folder of the stored model that the service at the address serves
(`bentoml models get TAG -o path`), PICTURE a photograph of one face, 640 × 480. Everything runs
on the same machine, so that clients take time from the service: what is printed is a lower
bound. The direct and the served measurements take turns. Keras is asked for what was packaged
last, from `artifacts/`.
"""

import argparse
import http.client
import io
import json
import statistics
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from components.preprocess import to_face
from serving.crops import FRAMINGS, cut, framed
from serving.detection import find, load
from serving.engine import Engine, read_manifest
from serving.pictures import decode

ROUNDS = 5
BATCHES = (1, 8, 16, 32, 64, 128, 256)


class Caller:
    """One kept connection."""

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self._connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)

    def __call__(self, path: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
        try:
            self._connection.request("POST" if body else "GET", path, body, {"Content-Type": kind})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            return 0, b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--address", default="http://localhost:3000")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    arguments = parser.parse_args()
    one_client(arguments)
    beside_keras(arguments)
    best = batch_sizes(arguments)
    crops(arguments, best)
    crowd(arguments)


def one_client(arguments: argparse.Namespace) -> None:
    """A picture, one client: the service's median beside decode, detect and classify in here."""
    encoded = arguments.picture.read_bytes()
    name, detector = next(iter(load(arguments.package / "detectors", 1).items()))
    engine = Engine(arguments.package, threads=2)
    shape = tuple(read_manifest(arguments.package)["input"]["shape"])
    call = Caller(arguments.address)

    def direct() -> None:
        pixels = decode(encoded, 10**9)
        faces = find(detector, pixels, 32, 100)
        parts = [cut(pixels, framed(box, FRAMINGS[name])) for box in faces.boxes]
        engine.probabilities(np.stack([to_face(part, shape) for part in parts]))

    def served() -> None:
        status, _ = call("/faces", encoded, "image/jpeg")
        assert status == 200, status

    seconds: dict[str, list[float]] = {"direct": [], "served": []}
    for turn in range(ROUNDS * 8):
        for key, work in (("direct", direct), ("served", served)):
            start = time.perf_counter()
            work()
            if turn >= 4:
                seconds[key].append(time.perf_counter() - start)
    ratio = statistics.median(seconds["served"]) / statistics.median(seconds["direct"])
    print(f"one picture, one client ({name}): served / direct = {ratio:.2f}")


def beside_keras(arguments: argparse.Namespace) -> None:
    """How much faster the packaged graph is than `predict` of the same ensemble in Keras."""
    import keras

    from components.package import join

    fitted = json.loads(Path("artifacts/ensemble/ensemble.json").read_text())
    shape = tuple(read_manifest(arguments.package)["input"]["shape"])
    members = {
        name: keras.models.load_model(f"artifacts/train/{name}/model.keras", compile=False)
        for name in fitted["weights"]
    }
    how = {key: fitted[key] for key in ("weights", "stacking", "temperature", "tta")}
    model = join(members, shape, **how)
    engine = Engine(arguments.package, threads=2)
    for size in (1, 64):
        faces = np.random.default_rng(0).integers(0, 256, (size, *shape), np.uint8)
        works = [partial(engine.probabilities, faces), partial(model.predict, faces, verbose=0)]
        speeds = [[rate(work) for work in works] for _ in range(ROUNDS)]
        onnx, ours = (statistics.median(one) for one in zip(*speeds, strict=True))
        print(f"batch of {size}: ONNX Runtime is {onnx / ours:.1f} times as fast as Keras")


def batch_sizes(arguments: argparse.Namespace) -> tuple[int, int]:
    """Crops a second of ONNX Runtime by threads and batch size; returns the best of them."""
    shape = tuple(read_manifest(arguments.package)["input"]["shape"])
    speeds = {}
    for threads in (1, 2):
        engine = Engine(arguments.package, threads)
        for size in BATCHES:
            faces = np.zeros((size, *shape), np.uint8)
            speeds[threads, size] = rate(lambda e=engine, f=faces: e.probabilities(f)) * size
    best = max(speeds, key=speeds.__getitem__)
    for threads in (1, 2):
        shares = (f"{size}: {speeds[threads, size] / speeds[best]:.2f}" for size in BATCHES)
        print(f"ONNX Runtime, {threads} threads, share of the best by batch size: ", end="")
        print(", ".join(shares))
    return best


def rate(work, seconds: float = 1.0) -> float:
    """How often a second `work` can be done."""
    work()
    start, times = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work()
        times += 1
    return times / (time.perf_counter() - start)


def crops(arguments: argparse.Namespace, best: tuple[int, int]) -> None:
    """Ready crops: many at a time beside ONNX Runtime, one at a time beside a ping."""
    shape = tuple(read_manifest(arguments.package)["input"]["shape"])
    threads, size = best
    engine = Engine(arguments.package, threads)
    faces = np.random.default_rng(0).integers(0, 256, (size, *shape), np.uint8)
    kind = "application/x-npy"
    many, single, direct, ping = [], [], [], []
    for _ in range(ROUNDS):
        direct.append(rate(lambda: engine.probabilities(faces), arguments.seconds / ROUNDS) * size)
        body = npy(np.resize(faces, (32, *shape)))
        many.append(load_test(arguments, 8, "/crops", body, kind) * 32)
        ping.append(load_test(arguments, 16, "/livez", None, kind))
        single.append(load_test(arguments, 16, "/crops", npy(faces[:1]), kind))
    ratio = statistics.median(many) / statistics.median(direct)
    print(f"32 crops from 8 clients / ONNX Runtime at batch {size} = {ratio:.2f}")
    ratio = statistics.median(single) / statistics.median(ping)
    print(f"1 crop from 16 clients / ping from 16 clients = {ratio:.2f}", end="; ")
    alone = rate(lambda: engine.probabilities(faces[:1])) / statistics.median(ping)
    print(f"ONNX Runtime alone, batch 1, / the same ping = {alone:.2f}")


def load_test(
    arguments: argparse.Namespace, clients: int, path: str, body: bytes | None, kind: str
) -> float:
    """Good answers a second."""
    seconds = arguments.seconds / ROUNDS
    statuses, _ = swarm(arguments.address, clients, seconds, path, [body], kind)
    return statuses[200] / seconds


def swarm(
    address: str, clients: int, seconds: float, path: str, bodies: list[bytes | None], kind: str
) -> tuple[Counter, list[tuple[int, bytes]]]:
    """Lets many clients ask as fast as they can; returns statuses, and bodies' places, answers."""
    end = time.perf_counter() + seconds
    statuses: Counter = Counter()
    answers: list[tuple[int, bytes]] = []

    def client(index: int) -> None:
        call = Caller(address)
        while time.perf_counter() < end:
            place = index % len(bodies)
            status, answer = call(path, bodies[place], kind)
            statuses[status] += 1
            if status == 200 and len(bodies) > 1:
                answers.append((place, answer))
            index += 1

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, answers


def crowd(arguments: argparse.Namespace) -> None:
    """200 clients, each with different crops: every answer is right, or a 503."""
    shape = tuple(read_manifest(arguments.package)["input"]["shape"])
    faces = np.random.default_rng(1).integers(0, 256, (50, *shape), np.uint8)
    expected = Engine(arguments.package, threads=2).probabilities(faces)
    bodies = [npy(face[None]) for face in faces]
    kind = "application/x-npy"
    statuses, answers = swarm(arguments.address, 200, arguments.seconds, "/crops", bodies, kind)
    wrong = 0
    for place, answer in answers:
        (crop,) = json.loads(answer)["crops"]
        got = list(crop["probabilities"].values())
        wrong += not np.allclose(got, expected[place], atol=1e-4)
    print(f"200 clients: statuses {dict(statuses)}, wrong answers {wrong}")


def npy(faces: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, faces)
    return file.getvalue()


if __name__ == "__main__":
    main()
