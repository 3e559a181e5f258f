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
import pyarrow as pa
import pytest

from components.data.faces import FaceSet
from components.errors import InputError
from components.ingest import ingest
from components.settings import IngestSettings, load

PARAMS = Path(__file__).parents[2] / "params.yaml"
STRICT = load(PARAMS).ingest.model_copy(update={"image_size": 8})
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
