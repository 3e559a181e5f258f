"""What int8 would cost and bring: the packaged graph against its quantised twin, in one run.

    python -m benchmarks.quantise [--package artifacts/package] [--faces artifacts/ingest]

Static quantisation of convolutions and matrix products (ONNX Runtime, QDQ, a scale a channel),
calibrated on training faces, scored on the validation split. It is worth having where accuracy
falls by at most 0.3 points and the ratio of the times is below 1.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from components.data.faces import FaceSet

CALIBRATION = 320
BATCH = 64
ROUNDS = 7


class Calibration(CalibrationDataReader):
    """Training faces, in batches."""

    def __init__(self, name: str, faces: np.ndarray) -> None:
        starts = range(0, len(faces), BATCH)
        self._batches: Iterator = iter([{name: faces[start : start + BATCH]} for start in starts])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Returns the next batch, or None when there is none."""
        return next(self._batches, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, default=Path("artifacts/package"))
    parser.add_argument("--faces", type=Path, default=Path("artifacts/ingest"))
    parser.add_argument("--kept", type=Path, default=Path("artifacts/clean"))
    asked = parser.parse_args()
    faces = FaceSet.open(asked.faces)
    table = pd.read_parquet(asked.kept / "kept.parquet")
    rows = {
        split: table.loc[table["split"] == split, "row"].to_numpy() for split in ("train", "val")
    }
    chosen = np.random.default_rng(0).permutation(rows["train"])[:CALIBRATION]
    shape = (-1, *faces.shape)
    graph = asked.package / "ensemble.onnx"
    with tempfile.TemporaryDirectory() as folder:
        small = quantise(graph, Path(folder), faces.images[np.sort(chosen)].reshape(shape))
        sessions = {name: _open(path) for name, path in {"float32": graph, "int8": small}.items()}
        sizes = {"float32": graph.stat().st_size, "int8": small.stat().st_size}
    val = faces.images[rows["val"]].reshape(shape)
    labels = table.loc[table["split"] == "val", "label"].to_numpy()
    right = {
        name: np.concatenate(
            [_ask(one, part) for part in np.array_split(val, len(val) // BATCH)]
        ).argmax(axis=1)
        == labels
        for name, one in sessions.items()
    }
    gain = right["int8"].astype(float) - right["float32"]
    error = 196 * gain.std() / np.sqrt(len(gain))
    print(f"validation accuracy: float32 {right['float32'].mean():.4f}, int8 ", end="")
    print(f"{right['int8'].mean():.4f}: {100 * gain.mean():+.2f} ± {error:.2f} points")
    print(f"size: {sizes['int8'] / sizes['float32']:.2f} of {sizes['float32'] / 1e6:.2f} MB")
    for batch in (1, BATCH):
        times = {name: [] for name in sessions}
        for _ in range(ROUNDS):  # they take turns
            for name, one in sessions.items():
                times[name].append(_seconds(one, val[:batch]))
        ratio = statistics.median(times["int8"]) / statistics.median(times["float32"])
        print(f"time of a batch of {batch}: int8 takes {ratio:.2f} of float32")


def quantise(graph: Path, folder: Path, faces: np.ndarray) -> Path:
    """Writes the quantised twin of a graph.

    Args:
        graph: The float32 one.
        folder: Where to write.
        faces: (N, H, W, C) uint8 to calibrate on.

    Returns:
        Its path.
    """
    clean, out = folder / "clean.onnx", folder / "int8.onnx"
    quant_pre_process(str(graph), str(clean), skip_symbolic_shape=True)
    (name,) = (one.name for one in _open(graph).get_inputs())
    quantize_static(
        str(clean),
        str(out),
        Calibration(name, faces),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
    )
    return out


def _open(graph: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _ask(session: onnxruntime.InferenceSession, faces: np.ndarray) -> np.ndarray:
    return session.run(None, {session.get_inputs()[0].name: faces})[0]


def _seconds(session: onnxruntime.InferenceSession, faces: np.ndarray) -> float:
    _ask(session, faces)
    started = time.perf_counter()
    for _ in range(20):
        _ask(session, faces)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
