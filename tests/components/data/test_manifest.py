import csv
import gzip
import io
import lzma
import shutil
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from components.data.faces import FaceSet
from components.data.labels import VOTE_COLUMNS
from components.ingest import ingest
from components.settings import ColumnSettings

PATHS = [f"pictures/{number}.png" for number in range(42)]


def with_row(folder, row: int, **cells: str):
    """Changes cells of one row of `faces.csv`; row 0 is on line 2."""
    with (folder / "faces.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[row] |= cells
    with (folder / "faces.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def compressed(ending: str, text: str) -> bytes:
    """`text` as a file with that ending holds it."""
    sink = io.BytesIO()
    match ending:
        case ".csv.gz":
            return gzip.compress(text.encode())
        case ".csv.xz":
            return lzma.compress(text.encode())
        case ".csv.zip":
            with zipfile.ZipFile(sink, "w") as archive:
                archive.writestr("faces.csv", text)
        case ".csv.zst":
            buffer = pa.BufferOutputStream()
            with pa.CompressedOutputStream(buffer, "zstd") as stream:
                stream.write(text.encode())
            return buffer.getvalue().to_pybytes()
    return sink.getvalue()


def column(value: str, at: int, other: str) -> list[str]:
    """42 cells, one of which is `value`."""
    return [other] * at + [value] + [other] * (41 - at)


# --- what a table can say --------------------------------------------------------------------


def test_pictures_labels_and_paths_come_out_as_they_went_in(table, images, strict, tmp_path):
    metrics = ingest(table(), tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out")
    assert (faces.images == images).all()
    assert faces.table["label"].tolist() == [number // 6 for number in range(42)]
    assert faces.table["id"].tolist() == faces.table["path"].tolist() == PATHS
    assert faces.table["source"].tolist()[:2] == ["faces.csv:2", "faces.csv:3"]
    assert faces.votes is None
    assert "groups_in_several_splits" not in metrics


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.xz", ".csv.zip", ".csv.zst", ".parquet"])
def test_a_table_may_be_compressed_or_parquet(table, images, strict, tmp_path, ending):
    data = table()
    frame = pd.read_csv(data / "faces.csv")
    (data / "faces.csv").unlink()
    if ending == ".parquet":
        frame.to_parquet(data / "faces.parquet")
    else:
        (data / f"faces{ending}").write_bytes(compressed(ending, frame.to_csv(index=False)))
    ingest(data, tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out")
    assert (faces.images == images).all()
    assert faces.table["label"].tolist() == [number // 6 for number in range(42)]


def test_given_splits_are_kept_under_their_usual_names(table, strict, tmp_path):
    splits = ["Training", "train", "TRAIN", "train", "valid", "PrivateTest"] * 7
    ingest(table(split=splits), tmp_path / "out", strict)
    made = FaceSet.open(tmp_path / "out").table["split"].tolist()
    assert made == (["train"] * 4 + ["val", "test"]) * 7


def test_no_person_stands_in_two_splits(table, strict, tmp_path):
    persons = [f"S{number % 14:03d}" for number in range(42)]
    metrics = ingest(table(group=persons), tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out").table
    assert (faces.groupby("group")["split"].nunique() == 1).all()
    assert set(faces["split"]) == {"train", "val", "test"}
    assert metrics["groups_in_several_splits"] == 0


def test_persons_that_the_data_put_in_two_splits_are_counted(table, strict, tmp_path):
    splits = (["train"] * 4 + ["val", "test"]) * 7
    metrics = ingest(table(split=splits, group=["A"] * 42), tmp_path / "out", strict)
    assert metrics["groups_in_several_splits"] == 1


def test_other_columns_are_kept(table, strict, tmp_path):
    ingest(table(age=[str(n) for n in range(42)]), tmp_path / "out", strict)
    assert FaceSet.open(tmp_path / "out").table["age"].tolist() == [str(n) for n in range(42)]


def test_parquet_keeps_the_types_of_other_columns(table, strict, tmp_path):
    data = table()
    frame = pd.read_csv(data / "faces.csv").assign(age=range(42), seen=pd.Timestamp("2020-01-01"))
    frame.to_parquet(data / "faces.parquet")
    (data / "faces.csv").unlink()
    ingest(data, tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out").table
    assert faces["age"].tolist() == list(range(42))
    assert (faces["seen"] == pd.Timestamp("2020-01-01")).all()


def test_votes_take_the_place_of_labels(table, strict, tmp_path):
    votes = {
        name: ["9" if number % 3 == place else "0" for number in range(42)]
        for place, name in enumerate(VOTE_COLUMNS)
    }
    del votes["contempt"]  # seven classes
    metrics = ingest(table(label=None, **votes), tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out")
    assert faces.votes.argmax(axis=1).tolist() == [number % 3 for number in range(42)]
    assert not faces.votes[:, VOTE_COLUMNS.index("contempt")].any()
    assert (faces.table["label"] == -1).all()
    assert faces.table["named"].all()
    assert metrics["train.angry"] == 0
    # In proportion, too: each of the three has 14 faces.
    assert faces.table.groupby(faces.votes.argmax(axis=1))["split"].nunique().tolist() == [3] * 3


def test_affectnet_is_read_with_its_own_names_and_codes(table, strict, tmp_path):
    codes = ["6", "5", "4", "1", "2", "3", "0"]  # of angry to neutral
    expression = [code for code in codes for _ in range(6)]
    data = table(path=None, label=None, subDirectory_filePath=PATHS, expression=expression)
    columns = ColumnSettings(
        path="subDirectory_filePath", label="expression", split="split", group="group", id="id"
    )
    label_map = {"0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear"}
    label_map |= {"5": "disgust", "6": "angry"}
    chosen = strict.model_copy(update={"columns": columns, "label_map": label_map})
    ingest(data, tmp_path / "out", chosen)
    faces = FaceSet.open(tmp_path / "out").table
    assert faces["label"].tolist() == [number // 6 for number in range(42)]


def test_integers_mean_what_the_map_says_and_nothing_else(table, strict, refused):
    chosen = strict.model_copy(update={"label_map": {"1": "surprise"}})
    message = refused(table(label=column("0", 3, "1")), chosen)
    assert "faces.csv, line 5: label is '0', which is not in ingest.label_map" in message


def test_a_label_may_be_mapped_to_none(table, strict, tmp_path):
    data = with_row(table(), 0, label="contempt")
    chosen = strict.model_copy(update={"label_map": {"contempt": "none"}})
    ingest(data, tmp_path / "out", chosen)
    assert FaceSet.open(tmp_path / "out").table["label"][0] == -1


def test_integers_with_a_point_are_integers(table, images, strict, tmp_path):
    data = table(label=[f"{number // 6}.0" for number in range(42)])
    ingest(data, tmp_path / "out", strict)
    assert FaceSet.open(tmp_path / "out").table["label"].tolist() == [n // 6 for n in range(42)]


def test_paths_may_hold_spaces_and_any_script(table, strict, tmp_path):
    data = table()
    name = "pictures/ä 😀, “quoted”.png"
    (data / PATHS[5]).rename(data / name)
    with_row(data, 5, path=name)
    ingest(data, tmp_path / "out", strict)
    assert FaceSet.open(tmp_path / "out").table["path"][5] == name


# --- bad rows ----------------------------------------------------------------------------------

BAD_ROWS = {
    "missing file": ({"path": "pictures/100.png"}, "missing", "pictures/100.png is missing"),
    "no path": ({"path": ""}, "path", "its path is empty"),
    "climbing": ({"path": "../x.png"}, "path", "../x.png leads out of its folder; write paths"),
    "hidden climbing": ({"path": "pictures/../../x.png"}, "path", "leads out of its folder"),
    "absolute": ({"path": "/etc/hostname"}, "path", "/etc/hostname leads out of its folder"),
    "null": ({"path": "a\0b"}, "path", "a\\x00b is no possible path"),
    "same path": ({"path": PATHS[0]}, "id", "line 2 has the same path"),
    "unknown label": ({"label": "bored"}, "label", "label is 'bored', which is not in ingest"),
    "no label": ({"label": ""}, "label", "label is ''"),
    "code 7": ({"label": "7"}, "label", "label is '7'"),
    "unknown split": ({"split": "dev"}, "split", "split is 'dev', not train, val or test"),
    "fractional vote": ({"fear": "0.5"}, "votes", "fear has '0.5' votes, not an integer from 0"),
    "same id": ({"id": "face 0"}, "id", "line 2 has the same id"),
    "no id": ({"id": " "}, "id", "its id is empty"),
}


@pytest.fixture
def full_table(table):
    """A table with every column, and one bad row on line 9."""

    def write(case: str):
        cells, *_ = BAD_ROWS[case]
        columns = {"split": (["train"] * 4 + ["val", "test"]) * 7, "fear": ["1"] * 42}
        if case != "same path":
            columns["id"] = [f"face {number}" for number in range(42)]
        data = table(**({} if case == "no label" else columns))
        return with_row(data, 7, **cells)

    return write


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_ends_a_strict_run_and_is_named(full_table, strict, refused, case):
    data = full_table(case)
    message = refused(data, strict)
    assert message.startswith(f"{data / 'faces.csv'}, line 9: ")
    assert BAD_ROWS[case][2] in message
    assert message.endswith(
        "remove that line, or set ingest.strict to false to leave such rows out."
    )


@pytest.mark.parametrize("case", BAD_ROWS)
def test_otherwise_it_is_left_out_counted_and_named(full_table, lenient, tmp_path, rejected, case):
    _, reason, words = BAD_ROWS[case]
    metrics = ingest(full_table(case), tmp_path / "out", lenient)
    assert (metrics["rows"], metrics["faces"], metrics[f"rejected.{reason}"]) == (42, 41, 1)
    (row,) = rejected()
    assert (row["file"], row["line"], row["reason"]) == ("faces.csv", "9", reason)
    assert words in row["detail"]
    assert len(FaceSet.open(tmp_path / "out").table) == 41


def test_a_misshapen_row_is_named(table, lenient, tmp_path, rejected):
    data = table()
    lines = (data / "faces.csv").read_text().splitlines()
    lines[4] += ",more"
    lines.insert(2, "")
    (data / "faces.csv").write_text("\n".join(lines))
    metrics = ingest(data, tmp_path / "out", lenient)
    assert metrics["rejected.misshapen"] == 1
    assert rejected()[0]["line"] == "6"
    assert FaceSet.open(tmp_path / "out").table["source"].tolist()[:2] == [
        "faces.csv:2",
        "faces.csv:4",
    ]


# --- bad tables ----------------------------------------------------------------------------------


def test_a_table_without_labels_or_votes_is_refused(table, strict, refused):
    message = refused(table(label=None, NF=["1"] * 42), strict)
    assert "has neither a column 'label' nor votes (columns neutral, happiness" in message


def test_a_column_that_mien_would_overwrite_is_named(table, strict, refused):
    message = refused(table(source=["web"] * 42), strict)
    assert "has a column 'source', which mien would overwrite; rename it" in message


def test_a_column_that_stands_twice_is_named(table, strict, refused):
    data = table(age=["1"] * 42, years=["1"] * 42)
    text = (data / "faces.csv").read_text()
    (data / "faces.csv").write_text(text.replace("years", "age", 1))
    assert "has two columns 'age'; rename one of them" in refused(data, strict)


@pytest.mark.parametrize("kind", ["strict", "lenient"])
def test_one_class_only_is_refused(table, request, refused, kind):
    message = refused(table(label=["happy"] * 42), request.getfixturevalue(kind))
    assert "has no usable training face of class angry, disgust, fear, sad" in message


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_without_usable_rows_is_refused(table, lenient, refused, rows):
    data = table()
    shutil.rmtree(data / "pictures")
    lines = (data / "faces.csv").read_text().splitlines()
    (data / "faces.csv").write_text("\n".join(lines[: rows + 1]) + "\n")
    assert f"{data / 'faces.csv'} has no usable face" in refused(data, lenient)


def test_a_damaged_parquet_file_is_refused(table, strict, refused):
    data = table()
    pd.read_csv(data / "faces.csv").to_parquet(data / "faces.parquet")
    (data / "faces.csv").unlink()
    whole = (data / "faces.parquet").read_bytes()
    damaged = whole[:40] + bytes(200) + whole[240:]
    (data / "faces.parquet").write_bytes(damaged)
    assert f"{data / 'faces.parquet'} cannot be read" in refused(data, strict)


def test_faces_have_what_the_table_says_though_many_are_left_out(table, lenient, images, tmp_path):
    bad = np.random.default_rng(0).random(42) < 0.3
    bad[::6] = False  # every class stays
    labels = ["bored" if b else str(n // 6) for n, b in enumerate(bad)]
    data = table(label=labels, age=[str(n) for n in range(42)])
    ingest(data, tmp_path / "out", lenient)
    faces = FaceSet.open(tmp_path / "out")
    assert (faces.images == images[~bad]).all()
    assert faces.table["age"].tolist() == [str(n) for n in np.flatnonzero(~bad)]
