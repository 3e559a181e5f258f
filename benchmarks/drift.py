"""How often drift is seen where there is none, and where there is some.

    python -m benchmarks.drift [--windows 100] [--faces 300] [--ingested artifacts/ingest]

Every window holds newly drawn faces of the embedded set's kind, answered by the packaged ensemble
and written by the service's own log; `artifacts/package` must be of the embedded set. At last it
says how much of the faces that `ingest` wrote a linear fit finds in their embeddings.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from components import settings
from components.data.faces import FaceSet
from components.measures import SIDE, embed
from components.synthesize import draw_set
from pipelines.drift import REFERENCE, read_log, read_reference
from pipelines.drift_verdict import judge, with_distance
from serving.engine import MAX_BATCH, Engine, read_manifest
from serving.prediction_log import NAME, PredictionLog

PACKAGE = REFERENCE.parent
CHANGED_WINDOWS = 10  # of each change
Change = Callable[[np.ndarray], np.ndarray]


def changes(draw: np.random.Generator) -> dict[str, Change]:
    """What can happen to a camera: each takes and returns (N, 48, 48) uint8."""

    def noisy(faces: np.ndarray) -> np.ndarray:
        return np.clip(faces + draw.normal(0, 10, faces.shape), 0, 255).astype(np.uint8)

    def turned(faces: np.ndarray) -> np.ndarray:
        matrix = cv2.getRotationMatrix2D((23.5, 23.5), 15, 1)
        border = {"borderMode": cv2.BORDER_REPLICATE}
        return np.stack([cv2.warpAffine(face, matrix, (48, 48), **border) for face in faces])

    def masked(faces: np.ndarray, share: float = 1) -> np.ndarray:
        covered = faces.copy()
        covered[: round(share * len(faces)), 30:] = 200
        return covered

    return {
        "a fifth darker": lambda faces: (faces * 0.8).astype(np.uint8),
        "blurred, sigma 1": lambda faces: np.stack(
            [cv2.GaussianBlur(face, (0, 0), 1) for face in faces]
        ),
        "noise of 10 grey levels": noisy,
        "turned by 15 degrees": turned,
        "cut 15% closer": lambda faces: np.stack(
            [cv2.resize(face[3:45, 3:45], (48, 48)) for face in faces]
        ),
        "mouth covered": masked,
        "mouth covered, one in five": lambda faces: masked(faces, 0.2),
    }


def drawn(count: int, seed: int) -> np.ndarray:
    """New faces without planted defects, (count, 48, 48) uint8."""
    made = draw_set(max(count * 5 // 4, 70), seed)
    return made.pictures[made.kind == ""][:count]


def logged(faces: np.ndarray, engine: Engine) -> pd.DataFrame:
    """What the service's log has of faces."""
    parts = np.array_split(faces[..., None], -(-len(faces) // MAX_BATCH))
    answers = np.concatenate([engine.probabilities(part) for part in parts])
    with tempfile.TemporaryDirectory() as folder:
        PredictionLog(Path(folder), read_manifest(PACKAGE), 10**9).write(faces[..., None], answers)
        return read_log(Path(folder) / NAME)


def recovered(faces: np.ndarray) -> float:
    """Share of the variance of faces that a linear fit finds in their embeddings.

    Args:
        faces: (N, H, W) uint8; it is fitted on one half, and looks at the other as `embed` does.
    """
    small = [cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for face in faces]
    pixels = np.stack(small).reshape(len(faces), -1).astype(float)
    pixels -= pixels.mean(axis=1, keepdims=True)
    pixels /= pixels.std(axis=1, keepdims=True) + 1
    numbers = np.hstack([np.ones((len(faces), 1)), embed(faces)])
    half = len(faces) // 2
    fit, *_ = np.linalg.lstsq(numbers[:half], pixels[:half], rcond=None)
    rest = pixels[half:] - numbers[half:] @ fit
    return 1 - (rest**2).mean() / ((pixels[half:] - pixels[:half].mean(axis=0)) ** 2).mean()


def main() -> None:
    """Prints both rates, and what the log costs a face."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--faces", type=int, default=300, help="of a window")
    parser.add_argument("--ingested", type=Path, default=Path("artifacts/ingest"))
    asked = parser.parse_args()
    significance = settings.load(Path("params.yaml")).drift.significance
    engine = Engine(PACKAGE, threads=2)
    known = read_reference(REFERENCE)
    reference = with_distance(known, known)

    def alarm(seed: int, change: Change = lambda faces: faces) -> list[str]:
        window = with_distance(logged(change(drawn(asked.faces, seed)), engine), known)
        columns = judge(window, reference, significance)["columns"]
        return [name for name, column in columns.items() if column["drifted"]]

    seen = [alarm(10_000 + number) for number in range(asked.windows)]
    print(
        f"{sum(map(bool, seen))} false alarms in {asked.windows} windows of {asked.faces} faces, "
        f"beside {len(known)} (significance {significance:g})"
    )
    for name, change in changes(np.random.default_rng(0)).items():
        seen = [alarm(20_000 + number, change) for number in range(CHANGED_WINDOWS)]
        columns = pd.Series([column for one in seen for column in one]).value_counts()
        most = ", ".join(f"{column} {count}" for column, count in columns.head(3).items())
        print(f"{name}: {sum(map(bool, seen))} alarms in {len(seen)} ({most})")
    faces = drawn(asked.faces, 1)[..., None]
    answers = np.full((len(faces), len(read_manifest(PACKAGE)["classes"])), 1 / 7)
    with tempfile.TemporaryDirectory() as folder:
        log = PredictionLog(Path(folder), read_manifest(PACKAGE), 10**9)
        started = time.perf_counter()
        log.write(faces, answers)
        spent = 1000 * (time.perf_counter() - started) / len(faces)
        size = (Path(folder) / NAME).stat().st_size / len(faces)
    print(f"a logged face costs {spent:.2f} ms and {size:.0f} bytes")
    faces = FaceSet.open(asked.ingested).images[:6000]
    print(f"a linear fit finds {recovered(faces):.0%} of the variance of {len(faces):,} faces")


if __name__ == "__main__":
    main()
