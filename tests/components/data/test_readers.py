"""Which layout is seen in a folder, and what each bad picture comes to in every one of them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.data.blocks import CONVERSIONS, REASONS
from components.data.class_folders import ClassFolders
from components.data.faces import FaceSet
from components.data.fer2013 import Fer2013
from components.data.ferplus_folders import FerplusFolders
from components.data.manifest import Manifest
from components.data.readers import reader
from components.ingest import ingest

# --- looking -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.csv.zst", "icml_face_data.csv"])
def test_fer2013_is_known_by_its_name(tmp_path, strict, name):
    (tmp_path / name).touch()
    (tmp_path / "truth.csv").write_text("id,kind\n")  # as in the embedded data set
    assert isinstance(reader(tmp_path, strict), Fer2013)


@pytest.mark.parametrize("path", ["train/angry", "Training/ANGRY", "test/what", "happy", "3"])
def test_folders_are_known_by_the_names_of_splits_or_labels(tmp_path, strict, path):
    (tmp_path / path).mkdir(parents=True)
    assert isinstance(reader(tmp_path, strict), ClassFolders)


def test_folders_of_ferplus_are_known_by_their_labels(tmp_path, strict):
    (tmp_path / "FER2013Valid").mkdir()
    (tmp_path / "FER2013Valid" / "label.csv").touch()
    assert isinstance(reader(tmp_path, strict), FerplusFolders)


def test_a_table_is_known_by_its_column_of_paths(tmp_path, strict):
    (tmp_path / "any.csv").write_text("path,label\n")
    (tmp_path / "other.csv").write_text("id,label\n")
    assert reader(tmp_path, strict).path == tmp_path / "any.csv"
    assert isinstance(reader(tmp_path / "any.csv", strict), Manifest)


def test_two_layouts_are_named_and_the_choice_is_left(tmp_path, strict, refused):
    (tmp_path / "fer2013.csv").touch()
    (tmp_path / "train" / "happy").mkdir(parents=True)
    (tmp_path / "faces.csv").write_text("path,label\n")
    assert refused(tmp_path, strict) == (
        f"{tmp_path} holds fer2013.csv and the folder train of pictures by label and faces.csv; "
        "move all but one away, or name the one to use in ingest.source."
    )
    assert isinstance(reader(tmp_path / "faces.csv", strict), Manifest)
    assert isinstance(reader(tmp_path / "fer2013.csv", strict), Fer2013)


def test_no_layout_says_what_is_there_instead(tmp_path, strict, refused):
    (tmp_path / "faces").mkdir()
    (tmp_path / "labels.csv").write_text("file,label\n")
    message = refused(tmp_path, strict)
    assert "no table with a column 'path' (it has faces, labels.csv); put fer2013.csv" in message


def test_a_damaged_table_is_named_if_there_is_nothing_else(tmp_path, strict, refused):
    (tmp_path / "faces.parquet").write_bytes(b"PAR1 and no more")
    assert refused(tmp_path, strict).startswith(f"{tmp_path / 'faces.parquet'} cannot be read")
    (tmp_path / "happy").mkdir()
    assert isinstance(reader(tmp_path, strict), ClassFolders)


def test_a_file_of_neither_kind_is_told_what_it_lacks(tmp_path, strict, refused):
    (tmp_path / "faces.csv").write_text("file,label\n")
    message = refused(tmp_path / "faces.csv", strict)
    assert "has neither a column 'pixels', as FER-2013, nor a column 'path'" in message


# --- bad pictures, in every layout of pictures ---------------------------------------------


def encoded(kind: str, **options) -> bytes:
    sink = io.BytesIO()
    noise = np.random.default_rng(9).integers(0, 256, (2, 32, 32), np.uint8)
    frames = [Image.fromarray(frame) for frame in noise]
    if options:
        options["append_images"] = frames[1:]
    frames[0].save(sink, kind, **options)
    return sink.getvalue()


def loop(path: Path) -> None:
    path.symlink_to(path)


BAD = {
    "truncated": (lambda path: path.write_bytes(encoded("JPEG")[:400]), "unreadable"),
    "zero bytes": (lambda path: path.touch(), "empty"),
    "folder": (lambda path: path.mkdir(), "folder"),
    "loop": (loop, "link_loop"),
    "gone": (lambda path: path.symlink_to(path.with_name("nothing")), "missing"),
    "animated": (lambda path: path.write_bytes(encoded("GIF", save_all=True)), "animated"),
}


@pytest.fixture(params=["class folders", "FER+ folders", "table"])
def layout(request, folders, table, tmp_path) -> tuple[Path, Path, str]:
    """A data set, one training picture of disgust in it, and where that is listed."""
    if request.param == "class folders":
        return folders, folders / "train" / "disgust" / "Training_6.png", ""
    if request.param == "FER+ folders":
        data = ferplus(folders, tmp_path / "ferplus")
        return data, data / "FER2013Train" / "fer0000006.png", "FER2013Train/label.csv, line 5"
    data = table(split=(["train"] * 4 + ["val", "test"]) * 7)
    for folder in ("train", "test"):  # the folders of the other fixture
        (data / folder).rename(tmp_path / folder)
    return data, data / "pictures" / "6.png", "faces.csv, line 8"


def ferplus(folders: Path, out: Path) -> Path:
    """The same pictures, under the names that FER+ gives them, with ten votes for a column."""
    homes = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
    rows = {home: [] for home in homes.values()}
    for path in sorted(folders.rglob("*.png"), key=lambda path: int(path.stem.split("_")[1])):
        usage, number = path.stem.split("_")
        target = out / homes[usage] / f"fer{int(number):07d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        votes = [0] * 10
        votes[int(number) % 10] = 10
        rows[homes[usage]].append([target.name, "(0, 0, 8, 8)", *votes])
    for home, listed in rows.items():
        with (out / home / "label.csv").open("w", newline="") as file:
            csv.writer(file).writerows(listed)
    return out


def test_the_layouts_hold_the_same_pictures(layout, strict, tmp_path, images):
    data, *_ = layout
    metrics = ingest(data, tmp_path / "out", strict)
    assert (metrics["faces"], metrics["rejected"]) == (42, 0)
    faces = FaceSet.open(tmp_path / "out")
    numbers = faces.table["id"].str.extract(r"(\d+)\.?\w*$")[0].astype(int)
    assert (faces.images == images[numbers]).all()
    usages = np.array(["train"] * 4 + ["val", "test"])
    assert (faces.table["split"] == usages[numbers % 6]).all()


@pytest.mark.parametrize("case", BAD)
def test_a_bad_picture_ends_a_strict_run_and_is_named(layout, strict, refused, case):
    data, picture, place = layout
    picture.unlink()
    BAD[case][0](picture)
    message = refused(data, strict)
    assert message.startswith(f"{data / place if place else picture}: ")
    assert picture.name in message
    assert "or set ingest.strict to false to leave such" in message


@pytest.mark.parametrize("case", BAD)
def test_otherwise_it_is_left_out_counted_and_named(layout, lenient, tmp_path, rejected, case):
    data, picture, place = layout
    spoil, reason = BAD[case]
    picture.unlink()
    spoil(picture)
    metrics = ingest(data, tmp_path / "out", lenient)
    assert (metrics["rows"], metrics["faces"], metrics["rejected"]) == (42, 41, 1)
    assert [r for r in REASONS if metrics[f"rejected.{r}"]] == [reason]
    assert len(FaceSet.open(tmp_path / "out").images) == 41
    (row,) = rejected()
    assert row["reason"] == reason
    file = place.partition(", ")[0] or str(picture.relative_to(data))
    assert (row["file"], row["line"]) == (file, place.rpartition(" ")[2])


def test_all_kinds_of_bad_pictures_in_one_set_are_told_apart(folders, lenient, tmp_path):
    for number, (spoil, _) in enumerate(BAD.values()):
        spoil(folders / "train" / "sad" / f"bad {number}.jpg")
    metrics = ingest(folders, tmp_path / "out", lenient)
    assert metrics["faces"] == 42
    assert {r: metrics[f"rejected.{r}"] for _, r in BAD.values()} == {r: 1 for _, r in BAD.values()}


def cmyk(path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 200, 90, 0)).save(path, "JPEG")


def lying(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (8, 8), 9).save(path, "JPEG", exif=exif)


UNUSUAL = {
    "cmyk": cmyk,
    "turned": lying,
    "16_bit": lambda path: Image.fromarray(np.full((8, 8), 999, np.uint16)).save(path, "PNG"),
    "alpha": lambda path: Image.new("RGBA", (8, 8), (9, 9, 9, 99)).save(path, "PNG"),
    "first_picture": lambda path: Image.new("L", (8, 8), 5).save(
        path, "MPO", save_all=True, append_images=[Image.new("L", (8, 8), 9)]
    ),
}


def test_every_conversion_has_a_test():
    assert set(UNUSUAL) == set(CONVERSIONS)


@pytest.mark.parametrize("kind", UNUSUAL)
def test_an_unusual_picture_is_used_and_named_even_in_a_strict_run(layout, strict, tmp_path, kind):
    data, picture, place = layout
    assert "converted" not in " ".join(ingest(data, tmp_path / "out", strict))
    assert not (tmp_path / "out" / "converted.csv").exists()
    UNUSUAL[kind](picture)
    metrics = ingest(data, tmp_path / "out", strict)
    assert (metrics["faces"], metrics["rejected"]) == (42, 0)
    assert {key: n for key, n in metrics.items() if "converted" in key} == {f"converted.{kind}": 1}
    with (tmp_path / "out" / "converted.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    name = place.partition(", ")[0] or str(picture.relative_to(data))
    assert (row["file"], row["line"]) == (name, place.rpartition(" ")[2])
    assert row["conversion"] == kind


# --- colour and size -----------------------------------------------------------------------


@pytest.mark.parametrize("data", ["folders", "table"])
def test_pictures_come_in_the_size_and_colour_of_the_settings(request, strict, tmp_path, data):
    data = request.getfixturevalue(data)
    data = data() if callable(data) else data
    chosen = strict.model_copy(update={"image_size": 12, "colour": "rgb"})
    ingest(data, tmp_path / "out", chosen)
    faces = FaceSet.open(tmp_path / "out")
    assert faces.images.shape == (42, 12, 12, 3)
    assert faces.shape == (12, 12, 3)
    assert (faces.images[..., 0] == faces.images[..., 2]).all()


def test_the_same_data_give_the_same_bytes(table, strict, tmp_path):
    data = table(group=[str(number % 20) for number in range(42)])
    for out in ("one", "two"):
        ingest(data, tmp_path / out, strict)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / o).iterdir()} for o in ("one", "two"))
    assert one == two
