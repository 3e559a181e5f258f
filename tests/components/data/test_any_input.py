"""Whatever the files hold, a reader gives faces or one `InputError`."""

import contextlib
import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from components.data.faces import FaceSet
from components.data.labels import LABEL_SETS, VOTE_COLUMNS
from components.errors import InputError
from components.ingest import ingest

CLASSES = LABEL_SETS["fer2013"]
PNG = io.BytesIO()
Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(PNG, "PNG")

anything = settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's, about odd files

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
COLUMNS = ["path", "label", "split", "group", "id", "age", "source", *VOTE_COLUMNS[:2], "", "NF"]
CELLS = st.one_of(
    TEXT,
    st.sampled_from(["0.png", "1.png", "2.png", "../0.png", "/0.png", ".", "", "happy", "train"]),
    st.integers(-1, 300).map(str),
)


@pytest.fixture
def attempt(tmp_path, strict, lenient):
    """Makes a folder with a function, ingests it, and checks what comes of it."""

    def run(make) -> None:
        data, out = tmp_path / "data", tmp_path / "out"
        for chosen in (strict, lenient):
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir()
            for number in range(3):
                (data / f"{number}.png").write_bytes(PNG.getvalue())
            make(data)
            with contextlib.suppress(InputError):
                metrics = ingest(data, out, chosen)
                faces = FaceSet.open(out)
                assert len(faces.table) == len(faces.images) == metrics["faces"]
                assert faces.table["id"].is_unique
                assert set(faces.table["split"]) <= {"train", "val", "test"}

    return run


@anything
@given(
    columns=st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=8),
    rows=st.lists(st.lists(CELLS, max_size=8), max_size=8),
    raw=st.binary(max_size=20),
)
def test_any_csv(attempt, columns, rows, raw):
    # Without one face of each class a set is refused, so that much is good in most of them.
    good = [["0.png" if c == "path" else "1" for c in columns]] if raw else []

    def make(folder: Path) -> None:
        with (folder / "faces.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["path", *columns], *good, *rows])
        with (folder / "faces.csv").open("ab") as file:
            file.write(raw)

    attempt(make)


@anything
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([*CLASSES, "8", "bored", ""]), TEXT, TEXT, CELLS), max_size=12
    )
)
def test_any_table_of_good_pictures(attempt, rows):
    def make(folder: Path) -> None:
        listed = [(label, "g", "", label) for label in CLASSES * 3] + rows
        with (folder / "faces.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(("path", "label", "group", "split", "note"))
            for number, (label, group, split, note) in enumerate(listed):
                (folder / f"{number}.png").write_bytes(PNG.getvalue())
                out.writerow((f"{number}.png", label, f"{group}{number % 9}", split, note))

    attempt(make)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    TEXT,
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(),
    st.lists(st.integers(0, 3), max_size=2),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-99, max_value=99),
)


@anything
@given(
    columns=st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=6),
    count=st.integers(0, 9),
    damage=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=3),
)
@example(columns={"label": "happy", "": "a column without a name"}, count=1, damage=[])
def test_any_parquet(attempt, columns, count, damage):
    columns = {"path": "0.png"} | columns
    table = pa.table({name: pa.array([value] * count) for name, value in columns.items()})

    def make(folder: Path) -> None:
        pq.write_table(table, folder / "faces.parquet")
        content = bytearray((folder / "faces.parquet").read_bytes())
        for place, value in damage:
            content[place % len(content)] = value
        (folder / "faces.parquet").write_bytes(content)

    attempt(make)


NAMES = st.one_of(
    st.sampled_from(
        ["train", "test", "valid", *CLASSES, "0", "happiness", "a.jpg", ".x", "FER2013Test"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=9),
).filter(lambda name: name not in (".", ".."))
CONTENTS = st.one_of(
    st.just(PNG.getvalue()), st.binary(max_size=30), st.sampled_from(["folder", "loop", "up"])
)


@anything
@given(tree=st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=4), CONTENTS), max_size=12))
def test_any_folders(attempt, tree):
    def make(folder: Path) -> None:
        for label in CLASSES * bool(tree):
            for number in range(3):
                path = folder / "train" / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(PNG.getvalue())
        for names, content in tree:
            path = folder.joinpath(*names)
            with contextlib.suppress(OSError):  # a file is already where a folder should be
                path.parent.mkdir(parents=True, exist_ok=True)
                match content:
                    case "folder":
                        path.mkdir()
                    case "loop":
                        path.symlink_to(path)
                    case "up":
                        path.symlink_to(folder)
                    case _:
                        path.write_bytes(content)

    attempt(make)


@anything
@given(
    text=st.lists(st.lists(CELLS, min_size=1, max_size=13), max_size=6), raw=st.binary(max_size=9)
)
def test_any_labels_of_ferplus(attempt, text, raw):
    def make(folder: Path) -> None:
        home = folder / "FER2013Train"
        home.mkdir()
        for number in range(3):
            shutil.move(folder / f"{number}.png", home)
        with (home / "label.csv").open("w", newline="", encoding="utf-8") as file:
            rows = [[f"{number}.png", *[number] * 10] for number in range(3)]
            csv.writer(file).writerows(rows + text)
        with (home / "label.csv").open("ab") as file:
            file.write(raw)

    attempt(make)


@anything
@given(
    lines=st.lists(st.lists(CELLS | st.just("1 2 3 4"), max_size=4), max_size=8), raw=st.binary()
)
@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.csv.gz", "fer2013.csv.zip"])
def test_any_fer2013(attempt, name, lines, raw):
    def make(folder: Path) -> None:
        rows = [["emotion", "pixels", "Usage"]]
        rows += [[str(n % 7), "1 2 3 4", "Training"] for n in range(21)]
        text = io.StringIO()
        csv.writer(text).writerows(rows + lines)
        content = text.getvalue().encode() + raw
        (folder / name).write_bytes(content if name.endswith(".csv") else raw)
        votes = pd.DataFrame({c: ["Training"] for c in ("Usage", "Image name", *VOTE_COLUMNS)})
        if len(raw) % 2:
            votes.to_csv(folder / "fer2013new.csv", index=False)

    attempt(make)
