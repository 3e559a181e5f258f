"""FER-2013's own file, with FER+'s votes beside it: what may be wrong with it, and what is said."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.data import fer2013
from components.data.faces import FaceSet
from components.ingest import ingest
from components.settings import IngestSettings


@pytest.fixture(params=["strict", "lenient"])
def settings(request) -> IngestSettings:
    return request.getfixturevalue(request.param)


def edit(path: Path, line: int, change) -> None:
    """Changes one line of a file; line 1 is the first."""
    lines = path.read_text().splitlines()
    lines[line - 1] = change(lines[line - 1])
    path.write_text("\n".join(lines) + "\n")


def pixel(value: str):
    def change(line: str) -> str:
        emotion, pixels, usage = line.split(",")
        return f"{emotion},{' '.join([*pixels.split()[:9], value, *pixels.split()[10:]])},{usage}"

    return change


BAD_ROWS = {
    "too bright": (pixel("256"), "pixel 10 is '256', not an integer from 0 to 255"),
    "far too bright": (pixel("300"), "pixel 10 is '300'"),
    "four digits": (pixel("1000"), "pixel 10 is '1000'"),
    "negative": (pixel("-1"), "pixel 10 is '-1'"),
    "fraction": (pixel("1.5"), "pixel 10 is '1.5'"),
    "letters": (pixel("x7"), "pixel 10 is 'x7'"),
    "pixel missing": (pixel(""), "there are 63 pixels where the other rows have 64"),
    "pixel too many": (pixel("1 2"), "there are 65 pixels where the other rows have 64"),
    "other size": (lambda line: "3,1 2 3 4,Training", "there are 4 pixels where the other"),
    "class 7": (lambda line: "7" + line[1:], "emotion is '7', not an integer from 0 to 6"),
    "class by name": (lambda line: "sad" + line[1:], "emotion is 'sad'"),
    "class missing": (lambda line: line[1:], "emotion is ''"),
    "unknown split": (lambda line: line.replace("Training", "Train"), "Usage is 'Train', not"),
    "column too many": (lambda line: line + ",1", "it has 4 columns where the header has 3"),
    "cut short": (lambda line: line[:20], "it has 2 columns where the header has 3"),
}
BAD_VOTES = {
    "negative vote": (lambda line: line[:-1] + "-1", "NF has '-1' votes, not an integer"),
    "fractional vote": (lambda line: line[:-1] + "0.5", "NF has '0.5' votes"),
    "vote missing": (lambda line: line[:-1], "NF has '' votes"),
    "huge vote": (lambda line: line[:-1] + "128", "NF has '128' votes"),
    "votes cut short": (lambda line: line[:4], "it has 1 columns where the header has 12"),
    "vote column missing": (lambda line: line[:-2], "it has 11 columns where the header has 12"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_ends_a_strict_run_and_is_named(data, case, refused, strict):
    change, reason = BAD_ROWS[case]
    edit(data / "fer2013.csv", 5, change)
    message = refused(data, strict)
    assert message.startswith(f"{data / 'fer2013.csv'}, line 5: {reason}")
    assert "mend or remove that line, or set ingest.strict to false" in message


@pytest.mark.parametrize("case", BAD_VOTES)
def test_bad_votes_end_a_strict_run_and_are_named(voted_data, case, refused, strict):
    change, reason = BAD_VOTES[case]
    edit(voted_data / "fer2013new.csv", 5, change)
    message = refused(voted_data, strict)
    start = f"{voted_data / 'fer2013.csv'}, line 5: fer2013new.csv, line 5: {reason}"
    assert message.startswith(start)
    assert "ingest.strict" in message


def test_the_first_of_several_bad_rows_is_named(data, refused, strict):
    edit(data / "fer2013.csv", 6, pixel("256"))
    edit(data / "fer2013.csv", 5, lambda line: line + ",1")
    edit(data / "fer2013.csv", 4, lambda line: "9" + line[1:])
    assert "line 4: emotion" in refused(data, strict)


@pytest.mark.parametrize("case", [*BAD_ROWS, *BAD_VOTES])
def test_otherwise_a_bad_row_is_left_out_counted_and_named(
    voted_data, pictures, tmp_path, case, lenient
):
    change, reason = (BAD_ROWS | BAD_VOTES)[case]
    edit(voted_data / ("fer2013.csv" if case in BAD_ROWS else "fer2013new.csv"), 5, change)
    metrics = ingest(voted_data, tmp_path / "out", lenient)
    assert (metrics["rows"], metrics["faces"], metrics["rejected"]) == (28, 27, 1)
    with (tmp_path / "out" / "rejected.csv").open() as file:
        _, (name, line, kind, listed) = csv.reader(file)
    assert (name, line) == ("fer2013.csv", "5")
    assert reason in listed
    assert metrics[f"rejected.{kind}"] == 1
    faces = FaceSet.open(tmp_path / "out")
    assert (faces.images == np.delete(pictures, 3, axis=0)).all()
    assert faces.table["id"].tolist()[2:4] == ["fer0000002", "fer0000004"]
    assert faces.votes.argmax(axis=1).tolist()[2:4] == [2, 4]
    assert faces.table["named"].all()  # row 3 alone had no name


def test_a_misshapen_last_row_has_its_votes(voted_data, tmp_path, lenient):
    edit(voted_data / "fer2013.csv", 29, lambda line: line + ",1")
    assert ingest(voted_data, tmp_path / "out", lenient)["faces"] == 27


def test_pictures_that_are_not_square_are_refused(data, refused, strict):
    path = data / "fer2013.csv"
    for line in range(2, 30):
        edit(path, line, pixel("1 2"))
    message = refused(data, strict)
    assert message.startswith(f"{path}, line 2: there are 65 pixels, which is not a square number")


LINES = st.lists(st.sampled_from(["good", "good", "good", "bad", "short", "blank"]), max_size=60)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kinds=LINES, side=st.integers(1, 4), seed=st.integers(0, 99))
def test_good_rows_come_through_and_bad_ones_are_named_by_line(
    tmp_path, monkeypatch, kinds, side, seed, strict, lenient
):
    monkeypatch.setattr(fer2013, "_BLOCK", 256)  # so that even these files are many blocks
    rng = np.random.default_rng(seed)
    kinds = ["good"] * 9 + kinds  # every class in training, a face in each other split
    pictures = rng.integers(0, 256, (len(kinds), side, side))
    lines = ["emotion,pixels,Usage"]
    for place, (kind, picture) in enumerate(zip(kinds, pictures, strict=True)):
        usage = {7: "PublicTest", 8: "PrivateTest"}.get(place, "Training")
        good = f"{place % 7},{' '.join(map(str, picture.ravel()))},{usage}"
        bad = f"7,{' '.join(map(str, picture.ravel()))},Training"
        lines.append({"good": good, "bad": bad, "short": "3,1 2", "blank": ""}[kind])
    (tmp_path / "fer2013.csv").write_text("\n".join(lines) + "\n")

    chosen = lenient.model_copy(update={"image_size": side})
    metrics = ingest(tmp_path / "fer2013.csv", tmp_path / "out", chosen)

    faces = FaceSet.open(tmp_path / "out")
    kept = [place for place, kind in enumerate(kinds) if kind == "good"]
    assert (faces.images == pictures[kept]).all()
    assert faces.table["source"].tolist() == [f"fer2013.csv:{place + 2}" for place in kept]
    rows = [place for place, kind in enumerate(kinds) if kind != "blank"]
    assert faces.table["id"].tolist() == [f"fer{rows.index(place):07d}" for place in kept]
    rejected = pd.read_csv(tmp_path / "out" / "rejected.csv")
    wrong = [place for place, kind in enumerate(kinds) if kind in ("bad", "short")]
    assert rejected["line"].tolist() == [place + 2 for place in wrong]
    assert metrics["rejected"] == len(wrong)
    assert metrics["rows"] == len(rows)


@pytest.mark.parametrize("column", ["emotion", "pixels", "Usage"])
def test_a_missing_column_is_named(data, column, refused, strict):
    edit(data / "fer2013.csv", 1, lambda line: line.replace(column, "other"))
    message = refused(data, strict)
    assert message.startswith(f"{data / 'fer2013.csv'}, line 1 has no column '{column}'; name the")


def test_a_missing_column_of_votes_is_named(voted_data, refused, strict):
    edit(voted_data / "fer2013new.csv", 1, lambda line: line.replace("contempt", "scorn"))
    message = refused(voted_data, strict)
    path = voted_data / "fer2013new.csv"
    assert message.startswith(f"{path}, line 1 has no column 'contempt'; FER+'s file has Usage,")


@pytest.mark.parametrize(("change", "rows"), [(lambda r: r[:-1], "27"), (lambda r: r + r[-1:], 29)])
def test_votes_of_another_length_are_refused(voted_data, settings, change, rows, refused):
    path = voted_data / "fer2013new.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    message = refused(voted_data, settings)
    assert message.startswith(f"{path} has {rows} rows where {voted_data / 'fer2013.csv'} has ")
    assert message.endswith("get the two that belong together.")


def test_votes_of_other_rows_are_refused(voted_data, settings, refused):
    path = voted_data / "fer2013new.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[-1], *lines[1:-1]]) + "\n")
    message = refused(voted_data, settings)
    assert message.startswith(f"{path}, line 2 has Usage 'PrivateTest' where ")
    assert "line 2 has 'Training'; get the two that belong together" in message


def test_a_class_without_a_training_face_is_refused(data, settings, refused):
    path = data / "fer2013.csv"
    for line in (3, 10):
        edit(path, line, lambda line: "0" + line[1:])
    message = refused(data, settings)
    assert message.startswith(f"{path} has no usable training face of class disgust; ")
    assert "add faces with the label disgust (or 1)" in message


@pytest.mark.parametrize("text", ["", "emotion,pixels,Usage\n", "emotion,pixels,Usage\n\n\n"])
def test_a_file_without_rows_is_refused(data, text, refused, strict):
    (data / "fer2013.csv").write_text(text)
    assert str(data / "fer2013.csv") in refused(data, strict)


def test_a_line_without_end_is_refused(data, refused, strict):
    with (data / "fer2013.csv").open("a") as file:
        file.write("1," + "7 " * (1 << 20))
    message = refused(data, strict)
    assert message.startswith(f"{data / 'fer2013.csv'} has a line of more than 1048576 bytes")
    assert message.endswith("mend it there.")
