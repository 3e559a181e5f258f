import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.datacard import datacard, vote_entropy
from components.errors import InputError


@pytest.fixture
def folders(tmp_path, make_faces) -> dict[str, Path]:
    """Two faces a class and split, and what the steps before leave of them."""
    labels, splits = list(range(7)) * 6, ["train"] * 14 + ["val"] * 14 + ["test"] * 14
    images = np.full((42, 8, 8), 100, np.uint8)
    images[:, :4] = 140
    votes = [[10] + [0] * 9] * 21 + [[5, 5] + [0] * 8] * 21
    faces = make_faces(labels, splits, images, votes)
    kept, training = tmp_path / "kept", tmp_path / "training"
    kept.mkdir()
    training.mkdir()
    table = pd.read_parquet(faces / "faces.parquet").rename_axis("row").reset_index()
    table.attrs["label_set"] = "fer2013"
    table.drop(index=0).to_parquet(kept / "kept.parquet")
    columns = ["row,id,split,label,reason,score,partner,action,comment"]
    columns += ["0,fer0000000,train,angry,leak,1.0,fer0000014,dropped,"]
    (kept / "quarantine.csv").write_text("\n".join(columns) + "\n")
    examples = pd.DataFrame({"row": [1, 1, 2], "label": np.array([1, 1, 2], np.int8)})
    examples.to_parquet(training / "training.parquet")
    return {"faces": faces, "kept": kept, "training": training}


def test_the_card_counts_every_step(folders, tmp_path):
    metrics = datacard(**folders, out=tmp_path / "card", figures=tmp_path / "figures")
    text = (tmp_path / "card" / "DATA_CARD.html").read_text()
    # Training, validation and test after ingest and after clean, training after balance.
    assert line(text, "angry") == [2, 2, 2, 1, 2, 2, 0]
    assert line(text, "disgust") == [2, 2, 2, 2, 2, 2, 2]
    assert line(text, "all") == [14, 14, 14, 13, 14, 14, 3]
    assert line(text, "Exact copies of validation and test faces") == [1]
    assert "Everything could be used as it is" in text
    assert text.count("data:image/png") == 5
    assert "http" not in text
    bars = pd.read_csv(tmp_path / "figures" / "classes.csv", index_col="class")["examples"]
    assert (bars["disgust"], bars["fear"], bars["happy"]) == (2, 1, 0)
    assert metrics["brightness.train"] == 120
    assert metrics["contrast.test"] == 20
    assert (metrics["vote_entropy.train"], metrics["vote_entropy.test"]) == (0, 1)


def test_two_label_sets_stand_in_two_tables(folders, tmp_path):
    kept = folders["kept"] / "kept.parquet"
    table = pd.read_parquet(kept).assign(target_neutral=np.float32(1))
    table.attrs["label_set"] = "ferplus"
    table.to_parquet(kept)
    datacard(**folders, out=tmp_path / "card", figures=tmp_path / "figures")
    text = (tmp_path / "card" / "DATA_CARD.html").read_text()
    assert line(text, "angry") == [2, 2, 2]
    assert line(text, "neutral") == [2, 2, 2]
    assert line(text, "contempt") == [0, 0, 0, 0]
    assert "label set ferplus after clean, the votes as soft targets" in text


def test_what_ingest_left_out_or_changed_is_counted_and_named(folders, tmp_path):
    rows = ["file,line,reason,detail", "faces.csv,7,empty,has zero bytes", "faces.csv,9,empty,too"]
    (folders["faces"] / "rejected.csv").write_text("\n".join(rows) + "\n")
    (folders["faces"] / "converted.csv").write_text("file,line,conversion\na.jpg,,cmyk\n")
    datacard(**folders, out=tmp_path / "card", figures=tmp_path / "figures")
    text = (tmp_path / "card" / "DATA_CARD.html").read_text()
    cells = re.findall(r"<th>(empty|cmyk)</th>" + r"\s*<td>(.*)</td>" * 3, text)
    assert cells == [
        ("empty", "a file of zero bytes", "2", "faces.csv, line 7"),
        ("cmyk", "from CMYK to RGB", "1", "a.jpg"),
    ]


def line(text: str, name: str) -> list[int]:
    """The numbers of a table's row; of several such rows, those of the first."""
    cells = re.search(rf"<th>{name}</th>((?:\s*<td>[\d,]+</td>)+)", text)[1]
    return [int(cell) for cell in re.findall(r"<td>(\d+)</td>", cells)]


def test_entropy_is_in_bits():
    votes = np.array([[10, 0, 0, 0], [5, 5, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    assert vote_entropy(votes).tolist() == [0, 1, 2, 0]


def test_a_missing_step_is_named(folders, tmp_path):
    (folders["training"] / "training.parquet").unlink()
    with pytest.raises(InputError, match=r"training\.parquet is missing; run the steps before"):
        datacard(**folders, out=tmp_path / "card", figures=tmp_path / "figures")
