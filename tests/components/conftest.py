"""Small face data for the tests of the first steps, and the real data where it is present."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components import settings
from components.data.faces import IMAGES, TABLE, VOTE_FIELDS, write_images
from components.data.labels import VOTE_COLUMNS
from components.ingest import ingest

PARAMS = Path(__file__).parents[2] / "params.yaml"
REAL = Path(__file__).parents[3] / "shared" / "datasets"
USAGES = ["Training"] * 14 + ["PublicTest"] * 7 + ["PrivateTest"] * 7


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real FER-2013 and FER+."""
    if not (REAL / "fer2013new.csv").is_file():
        pytest.skip("the real data is not here")
    return REAL


@pytest.fixture(scope="session")
def real_faces(real_data, tmp_path_factory) -> tuple[Path, dict[str, float]]:
    """The real data as a face set, and what `ingest` said of it."""
    out = tmp_path_factory.mktemp("real") / "faces"
    return out, ingest(real_data, out, settings.load(PARAMS).ingest)


@pytest.fixture
def pictures() -> np.ndarray:
    """28 different faces, (28, 8, 8) uint8."""
    return np.random.default_rng(0).integers(0, 256, (28, 8, 8), np.uint8)


@pytest.fixture
def data(tmp_path, pictures) -> Path:
    """A folder with those faces as `fer2013.csv`: two a class in training, one elsewhere."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [
        f"{row % 7},{' '.join(map(str, picture.ravel()))},{usage}"
        for row, (picture, usage) in enumerate(zip(pictures, USAGES, strict=True))
    ]
    write_lines(folder / "fer2013.csv", ["emotion,pixels,Usage", *rows])
    return folder


@pytest.fixture
def voted_data(data) -> Path:
    """The same folder with `fer2013new.csv`: row r has 1 vote for NF, 9 for column r % 8."""
    header = ",".join(["Usage", "Image name", *VOTE_COLUMNS])
    rows = []
    for row, usage in enumerate(USAGES):
        votes = [0] * 9 + [1]
        votes[row % 8] = 9
        name = "" if row == 3 else f"fer{row:07d}.png"
        rows.append(",".join([usage, name, *map(str, votes)]))
    write_lines(data / "fer2013new.csv", [header, *rows])
    return data


@pytest.fixture
def make_faces(tmp_path) -> Callable[..., Path]:
    """Writes a face set from arrays; without images, faces that all differ."""

    def make(labels, splits, images=None, votes=None, named=None) -> Path:
        folder = tmp_path / "faces"
        folder.mkdir()
        count = len(labels)
        if images is None:
            images = np.random.default_rng(1).integers(0, 256, (count, 8, 8), np.uint8)
        columns = {
            "id": [f"fer{row:07d}" for row in range(count)],
            "split": splits,
            "label": np.array(labels, np.int8),
        }
        if votes is not None:
            columns |= dict(zip(VOTE_FIELDS, np.array(votes, np.int8).T, strict=True))
            columns["named"] = np.ones(count, bool) if named is None else named
        write_images(folder / IMAGES, [images])
        pd.DataFrame(columns).to_parquet(folder / TABLE, index=False)
        return folder

    return make


@pytest.fixture
def training_inputs(tmp_path, make_faces) -> dict[str, Path]:
    """60 faces whose class is their brightness, and the files of the steps before `train`."""
    import keras

    labels = np.arange(60) % 3
    splits = ["train"] * 41 + ["val"] * 9 + ["test"] * 10
    images = np.random.default_rng(0).integers(0, 60, (60, 8, 8)).astype(np.uint8)
    images += (labels * 90).astype(np.uint8)[:, None, None]
    faces = make_faces(labels, splits, images)
    kept, training = tmp_path / "kept", tmp_path / "training"
    kept.mkdir()
    training.mkdir()
    table = pd.DataFrame({"row": np.arange(60), "split": splits, "label": labels.astype(np.int8)})
    table.assign(leaked=False, in_test=False).to_parquet(kept / "kept.parquet")
    sample = pd.DataFrame({"row": np.arange(41), "label": labels[:41].astype(np.int8)})
    sample.assign(weight=np.float32(1)).to_parquet(training / "training.parquet")

    keras.utils.set_random_seed(1)
    faces_in = keras.Input((8, 8, 1))
    x = keras.layers.Resizing(8, 8)(faces_in)
    x = keras.layers.Rescaling(1 / 255)(x)
    x = keras.layers.Conv2D(8, 3, activation="tanh")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    x = keras.layers.Dropout(0.2)(x)
    network = keras.Model(faces_in, keras.layers.Dense(3, name="logits")(x), name="small")
    architecture = tmp_path / "network.json"
    architecture.write_text(network.to_json())
    return {"architecture": architecture, "faces": faces, "kept": kept, "training": training}


def write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")
