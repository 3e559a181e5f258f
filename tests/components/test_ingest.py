import csv
import gzip
import io
import lzma
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.data import fer2013
from components.data.faces import FaceSet
from components.errors import InputError
from components.ingest import ingest
from components.settings import IngestSettings, load

PARAMS = Path(__file__).parents[2] / "params.yaml"
STRICT = load(PARAMS).ingest.model_copy(update={"image_size": 8})
LENIENT = STRICT.model_copy(update={"strict": False})
USAGE_OF = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}


def compressed(ending: str, text: bytes) -> bytes:
    """`text` as a file with that ending holds it."""
    sink = io.BytesIO()
    match ending:
        case ".gz":
            return gzip.compress(text)
        case ".xz":
            return lzma.compress(text)
        case ".zst":
            buffer = pa.BufferOutputStream()
            with pa.CompressedOutputStream(buffer, "zstd") as stream:
                stream.write(text)
            return buffer.getvalue().to_pybytes()
        case ".zip":
            with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("some folder/fer2013.csv", text)
        case _:
            return text
    return sink.getvalue()


def edit(path: Path, line: int, change) -> None:
    """Changes one line of a file; line 1 is the first."""
    lines = path.read_text().splitlines()
    lines[line - 1] = change(lines[line - 1])
    path.write_text("\n".join(lines) + "\n")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(source: Path, out: Path, settings: IngestSettings = STRICT) -> str:
    """The one sentence that refuses `source`, having left an earlier `out` as it was."""
    out.mkdir()
    (out / "faces.npy").write_bytes(b"earlier")
    with pytest.raises(InputError) as caught:
        ingest(source, out, settings)
    assert contents(out) == {"faces.npy": b"earlier"}
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


# --- good data ---------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".zst", ".zip"])
def test_pixels_labels_and_splits_come_out_as_they_went_in(data, pictures, tmp_path, ending):
    plain = data / "fer2013.csv"
    text = plain.read_bytes()
    plain.unlink()
    (data / f"fer2013.csv{ending}").write_bytes(compressed(ending, text))

    metrics = ingest(data, tmp_path / "out", STRICT)

    faces = FaceSet.open(tmp_path / "out")
    assert faces.images.dtype == np.uint8
    assert (faces.images == pictures).all()
    assert faces.table["label"].tolist() == [row % 7 for row in range(28)]
    assert faces.table["label"].dtype == np.int8
    assert faces.table["split"].tolist() == ["train"] * 14 + ["val"] * 7 + ["test"] * 7
    assert faces.table["id"].tolist()[:2] == ["fer0000000", "fer0000001"]
    assert faces.table["source"].tolist()[0] == f"fer2013.csv{ending}:2"
    assert faces.votes is None
    assert (metrics["rows"], metrics["faces"], metrics["rejected"]) == (28, 28, 0)
    assert (metrics["train.angry"], metrics["test.neutral"]) == (2, 1)
    assert (tmp_path / "out" / "rejected.csv").read_text() == "file,line,reason,detail\n"


def test_a_file_can_be_named_instead_of_its_folder(data, tmp_path):
    renamed = (data / "fer2013.csv").rename(data / "mine.csv")
    assert ingest(renamed, tmp_path / "out", STRICT)["faces"] == 28


def test_votes_beside_a_named_file_are_read(voted_data, tmp_path):
    ingest(voted_data / "fer2013.csv", tmp_path / "out", STRICT)
    assert FaceSet.open(tmp_path / "out").votes is not None


def test_columns_come_in_any_order_with_spaces_in_the_header(data, pictures, tmp_path):
    rows = [line.split(",") for line in (data / "fer2013.csv").read_text().splitlines()[1:]]
    lines = ["emotion, Usage, pixels", *(f"{e}, {u}, {p}" for e, p, u in rows)]
    (data / "icml_face_data.csv").write_text("\n".join(lines))
    (data / "fer2013.csv").unlink()
    ingest(data, tmp_path / "out", STRICT)
    assert (FaceSet.open(tmp_path / "out").images == pictures).all()


def test_windows_line_ends_quotes_and_a_byte_order_mark_do_no_harm(data, pictures, tmp_path):
    path = data / "fer2013.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    text = "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
    path.write_bytes(text.encode("utf-8-sig"))
    ingest(data, tmp_path / "out", STRICT)
    assert (FaceSet.open(tmp_path / "out").images == pictures).all()


def test_votes_go_with_their_rows(voted_data, tmp_path):
    ingest(voted_data, tmp_path / "out", STRICT)
    faces = FaceSet.open(tmp_path / "out")
    assert faces.votes.dtype == np.int8
    assert faces.votes.argmax(axis=1).tolist() == [row % 8 for row in range(28)]
    assert (faces.table["vote_NF"] == 1).all()
    assert np.flatnonzero(~faces.table["named"]).tolist() == [3]


def test_the_same_data_gives_the_same_bytes(voted_data, tmp_path):
    ingest(voted_data, tmp_path / "one", STRICT)
    ingest(voted_data, tmp_path / "two", STRICT)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


LINES = st.lists(st.sampled_from(["good", "good", "good", "bad", "short", "blank"]), max_size=60)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kinds=LINES, side=st.integers(1, 4), seed=st.integers(0, 99))
def test_good_rows_come_through_and_bad_ones_are_named_by_line(
    tmp_path, monkeypatch, kinds, side, seed
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

    chosen = LENIENT.model_copy(update={"image_size": side})
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


# --- bad rows ----------------------------------------------------------------------------


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
def test_a_bad_row_ends_a_strict_run_and_is_named(data, tmp_path, case):
    change, reason = BAD_ROWS[case]
    edit(data / "fer2013.csv", 5, change)
    message = refused(data, tmp_path / "out")
    assert message.startswith(f"{data / 'fer2013.csv'}, line 5: {reason}")
    assert "mend or remove that line, or set ingest.strict to false" in message


@pytest.mark.parametrize("case", BAD_VOTES)
def test_bad_votes_end_a_strict_run_and_are_named(voted_data, tmp_path, case):
    change, reason = BAD_VOTES[case]
    edit(voted_data / "fer2013new.csv", 5, change)
    message = refused(voted_data, tmp_path / "out")
    start = f"{voted_data / 'fer2013.csv'}, line 5: fer2013new.csv, line 5: {reason}"
    assert message.startswith(start)
    assert "ingest.strict" in message


def test_the_first_of_several_bad_rows_is_named(data, tmp_path):
    edit(data / "fer2013.csv", 6, pixel("256"))
    edit(data / "fer2013.csv", 5, lambda line: line + ",1")
    edit(data / "fer2013.csv", 4, lambda line: "9" + line[1:])
    assert "line 4: emotion" in refused(data, tmp_path / "out")


@pytest.mark.parametrize("case", [*BAD_ROWS, *BAD_VOTES])
def test_otherwise_a_bad_row_is_left_out_counted_and_named(voted_data, pictures, tmp_path, case):
    change, reason = (BAD_ROWS | BAD_VOTES)[case]
    edit(voted_data / ("fer2013.csv" if case in BAD_ROWS else "fer2013new.csv"), 5, change)
    metrics = ingest(voted_data, tmp_path / "out", LENIENT)
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


def test_a_misshapen_last_row_has_its_votes(voted_data, tmp_path):
    edit(voted_data / "fer2013.csv", 29, lambda line: line + ",1")
    assert ingest(voted_data, tmp_path / "out", LENIENT)["faces"] == 27


def test_pictures_that_are_not_square_are_refused(data, tmp_path):
    path = data / "fer2013.csv"
    for line in range(2, 30):
        edit(path, line, pixel("1 2"))
    message = refused(data, tmp_path / "out")
    assert message.startswith(f"{path}, line 2: there are 65 pixels, which is not a square number")


# --- bad files ---------------------------------------------------------------------------


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    message = refused(tmp_path / "data", tmp_path / "out")
    assert message.startswith(f"{tmp_path / 'data'} is missing; put fer2013.csv")
    assert "make data" in message


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    (tmp_path / "data").mkdir()
    message = refused(tmp_path / "data", tmp_path / "out")
    assert message.startswith(f"{tmp_path / 'data'} holds no fer2013.csv or icml_face_data.csv")
    assert "make data" in message


@pytest.mark.parametrize("other", ["fer2013.csv.gz", "icml_face_data.csv"])
def test_several_files_to_choose_from_are_refused(data, tmp_path, other):
    shutil.copy(data / "fer2013.csv", data / other)
    message = refused(data, tmp_path / "out")
    assert message.startswith(f"{data} holds fer2013.csv and {other}; keep the one to use")


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst", ".zip"])
@pytest.mark.parametrize("damage", ["cut short", "garbage", "empty"])
def test_a_damaged_archive_is_refused(data, tmp_path, ending, damage):
    whole = compressed(ending, (data / "fer2013.csv").read_bytes())
    path = data / f"fer2013.csv{ending}"
    (data / "fer2013.csv").unlink()
    path.write_bytes({"cut short": whole[:-30], "garbage": b"garbage" * 99, "empty": b""}[damage])
    message = refused(data, tmp_path / "out")
    assert str(path) in message
    if damage != "empty":  # an empty .xz or .gz is a good archive of nothing
        assert "damaged or cut short: copy or download it again" in message


def test_a_zip_with_another_file_in_it_is_refused(data, tmp_path):
    path = data / "fer2013.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
    (data / "fer2013.csv").unlink()
    message = refused(data, tmp_path / "out")
    assert message.startswith(f"{path} holds 0 files called fer2013.csv or icml_face_data.csv; ")


@pytest.mark.parametrize("column", ["emotion", "pixels", "Usage"])
def test_a_missing_column_is_named(data, tmp_path, column):
    edit(data / "fer2013.csv", 1, lambda line: line.replace(column, "other"))
    message = refused(data, tmp_path / "out")
    assert message.startswith(f"{data / 'fer2013.csv'}, line 1 has no column '{column}'; name the")


def test_a_missing_column_of_votes_is_named(voted_data, tmp_path):
    edit(voted_data / "fer2013new.csv", 1, lambda line: line.replace("contempt", "scorn"))
    message = refused(voted_data, tmp_path / "out")
    path = voted_data / "fer2013new.csv"
    assert message.startswith(f"{path}, line 1 has no column 'contempt'; FER+'s file has Usage,")


@pytest.mark.parametrize("settings", [STRICT, LENIENT], ids=["strict", "lenient"])
@pytest.mark.parametrize(("change", "rows"), [(lambda r: r[:-1], "27"), (lambda r: r + r[-1:], 29)])
def test_votes_of_another_length_are_refused(voted_data, tmp_path, settings, change, rows):
    path = voted_data / "fer2013new.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    message = refused(voted_data, tmp_path / "out", settings)
    assert message.startswith(f"{path} has {rows} rows where {voted_data / 'fer2013.csv'} has ")
    assert message.endswith("get the two that belong together.")


@pytest.mark.parametrize("settings", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_votes_of_other_rows_are_refused(voted_data, tmp_path, settings):
    path = voted_data / "fer2013new.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[-1], *lines[1:-1]]) + "\n")
    message = refused(voted_data, tmp_path / "out", settings)
    assert message.startswith(f"{path}, line 2 has Usage 'PrivateTest' where ")
    assert "line 2 has 'Training'; get the two that belong together" in message


@pytest.mark.parametrize("settings", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_a_class_without_a_training_face_is_refused(data, tmp_path, settings):
    path = data / "fer2013.csv"
    for line in (3, 10):
        edit(path, line, lambda line: "0" + line[1:])
    message = refused(data, tmp_path / "out", settings)
    assert message.startswith(f"{path} has no usable training face of class disgust; ")
    assert "add faces with the label disgust (or 1)" in message


@pytest.mark.parametrize("text", ["", "emotion,pixels,Usage\n", "emotion,pixels,Usage\n\n\n"])
def test_a_file_without_rows_is_refused(data, tmp_path, text):
    (data / "fer2013.csv").write_text(text)
    assert str(data / "fer2013.csv") in refused(data, tmp_path / "out")


def test_a_line_without_end_is_refused(data, tmp_path):
    with (data / "fer2013.csv").open("a") as file:
        file.write("1," + "7 " * (1 << 20))
    message = refused(data, tmp_path / "out")
    assert message.startswith(f"{data / 'fer2013.csv'} has a line of more than 1048576 bytes")
    assert message.endswith("mend it there.")


# --- bad disks ---------------------------------------------------------------------------


def test_a_full_disk_is_told_and_leaves_the_earlier_output(data, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))  # faces.npy needs 1920 bytes
    try:
        message = refused(data, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message.startswith(f"{tmp_path / 'out'} cannot be written (File too large); free space")


UNPRIVILEGED = """
import sys
from pathlib import Path
from components.errors import InputError
from components.ingest import ingest
from components.settings import load

params, *paths = sys.argv[1:]
for source, out in zip(paths[::2], paths[1::2]):
    try:
        ingest(Path(source), Path(out), load(Path(params)).ingest)
    except InputError as error:
        print(error)
"""


def test_missing_permissions_are_told_and_leave_the_earlier_output(data, tmp_path):
    locked, secret = tmp_path / "locked", tmp_path / "secret.csv"
    ingest(data, locked / "out", STRICT)
    before = contents(locked / "out")
    shutil.copy(data / "fer2013.csv", secret)
    locked.chmod(0o500)
    secret.chmod(0o000)
    command = [
        sys.executable,
        "-c",
        UNPRIVILEGED,
        PARAMS,
        data,
        locked / "out",
        secret,
        tmp_path / "out",
    ]
    if os.geteuid() == 0:  # root may write anywhere until it gives that right away
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    written, read = result.stdout.splitlines()
    assert written.startswith(f"{locked / 'out'} cannot be written (Permission denied); give")
    assert f"write permission on {locked}" in written
    assert read == f"{secret} may not be read; give yourself read permission (chmod u+r)."
    assert contents(locked / "out") == before


# --- the real data -----------------------------------------------------------------------


def test_the_real_data_has_its_published_counts(real_faces):
    folder, metrics = real_faces
    faces = FaceSet.open(folder)
    assert faces.images.shape == (35_887, 48, 48)
    assert faces.table["split"].value_counts().to_dict() == {
        "train": 28_709,
        "val": 3_589,
        "test": 3_589,
    }
    assert (metrics["rejected"], metrics["train.disgust"]) == (0, 436)
    assert (~faces.table["named"]).sum() == 173
