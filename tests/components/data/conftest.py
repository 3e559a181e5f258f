"""Small data sets in the layouts that `ingest` reads, and what it says of them."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.data.labels import LABEL_SETS
from components.errors import InputError
from components.ingest import ingest
from components.settings import IngestSettings, load

CLASSES = LABEL_SETS["fer2013"]
SIDE = 8


@pytest.fixture(scope="session")
def strict() -> IngestSettings:
    """The settings in git, for small pictures."""
    params = load(Path(__file__).parents[3] / "params.yaml")
    return params.ingest.model_copy(update={"image_size": SIDE})


@pytest.fixture(scope="session")
def lenient(strict) -> IngestSettings:
    return strict.model_copy(update={"strict": False})


@pytest.fixture
def images() -> np.ndarray:
    """42 different pictures, six a class in the order of FER-2013's codes."""
    return np.random.default_rng(0).integers(0, 256, (42, SIDE, SIDE), np.uint8)


@pytest.fixture
def folders(tmp_path, images) -> Path:
    """Those in folders as Kaggle's edition has them: four a class in train, two in test."""
    for number, image in enumerate(images):
        usage = ["Training"] * 4 + ["PublicTest", "PrivateTest"]
        usage = usage[number % 6]
        split = "train" if usage == "Training" else "test"
        save(tmp_path / "data" / split / CLASSES[number // 6] / f"{usage}_{number}.png", image)
    return tmp_path / "data"


@pytest.fixture
def table(tmp_path, images) -> Callable[..., Path]:
    """Writes them below `pictures/` and lists them in `faces.csv`, with the columns given."""

    def write(**columns: list) -> Path:
        folder = tmp_path / "data"
        paths = [f"pictures/{number}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            save(folder / path, image)
        labels = [CLASSES[number // 6] for number in range(len(images))]
        columns = {"path": paths, "label": labels} | columns
        chosen = {name: cells for name, cells in columns.items() if cells is not None}
        with (folder / "faces.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(chosen)
            rows.writerows(zip(*chosen.values(), strict=True))
        return folder

    return write


@pytest.fixture
def refused(tmp_path) -> Callable[[Path, IngestSettings], str]:
    """The one sentence that refuses a source and leaves nothing behind."""

    def refuse(source: Path, settings: IngestSettings) -> str:
        with pytest.raises(InputError) as caught:
            ingest(source, tmp_path / "out", settings)
        assert not (tmp_path / "out").exists()
        message = str(caught.value)
        assert "\n" not in message
        assert message.endswith(".")
        return message

    return refuse


@pytest.fixture
def rejected(tmp_path) -> Callable[[], list[dict[str, str]]]:
    """The rows of `rejected.csv`."""

    def read() -> list[dict[str, str]]:
        with (tmp_path / "out" / "rejected.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
