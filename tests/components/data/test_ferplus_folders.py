import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.data.faces import FaceSet
from components.ingest import ingest

HOMES = ["FER2013Train", "FER2013Valid", "FER2013Test"]


@pytest.fixture(params=["with box", "without box"])
def data(request, tmp_path) -> Path:
    """Ten pictures a folder, grey level = row; row r has ten votes for column r."""
    folder = tmp_path / "data"
    for place, home in enumerate(HOMES):
        (folder / home).mkdir(parents=True)
        with (folder / home / "label.csv").open("w", newline="") as file:
            for row in range(10):
                name = f"fer{10 * place + row:07d}.png"
                Image.fromarray(np.full((8, 8), row, np.uint8)).save(folder / home / name)
                box = ["(0, 0, 48, 48)"] if request.param == "with box" else []
                csv.writer(file).writerow([name, *box, *[10 * (row == c) for c in range(10)]])
    return folder


def edit(path: Path, line: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")


def test_votes_splits_and_ids_are_those_of_ferplus(data, strict, tmp_path):
    ingest(data, tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out")
    assert faces.votes.argmax(axis=1).tolist() == list(range(10)) * 3
    assert faces.images[:, 0, 0].tolist() == list(range(10)) * 3
    assert faces.table["split"].tolist() == ["train"] * 10 + ["val"] * 10 + ["test"] * 10
    assert faces.table["id"].tolist() == [f"fer{number:07d}" for number in range(30)]
    assert (faces.table["label"] == -1).all()
    assert faces.table["source"][10] == "FER2013Valid/label.csv:1"


BAD_ROWS = {
    "short": ("fer0000004.png,1,2", "misshapen", "it has 3 columns where FER+ has 11 or 12"),
    "vote": ("fer0000004.png" + ",x" * 10, "votes", "neutral has 'x' votes, not an integer"),
    "gone": ("fer0000099.png" + ",1" * 10, "missing", "fer0000099.png is missing"),
    "climbing": ("../fer0000004.png" + ",1" * 10, "path", "leads out of its folder"),
    "twice": (
        "fer0000002.png" + ",1" * 10,
        "id",
        "fer0000002.png stands already in FER2013Train/label.csv, line 3",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_named(data, strict, lenient, tmp_path, refused, rejected, case):
    text, reason, words = BAD_ROWS[case]
    edit(data / "FER2013Train" / "label.csv", 5, text)
    message = refused(data, strict)
    assert message.startswith(f"{data / 'FER2013Train' / 'label.csv'}, line 5: ")
    assert words in message
    metrics = ingest(data, tmp_path / "out", lenient)
    assert (metrics["faces"], metrics[f"rejected.{reason}"]) == (29, 1)
    assert rejected()[0]["detail"] in message
