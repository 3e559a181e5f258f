import shutil

import numpy as np
import pytest
from PIL import Image

from components.data.faces import FaceSet
from components.ingest import ingest

FACE = Image.fromarray(np.full((8, 8), 7, np.uint8))


def test_labels_and_the_published_split_come_from_the_names(folders, strict, tmp_path):
    metrics = ingest(folders, tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out").table.set_index("id")
    assert faces.loc["test/fear/PublicTest_16.png", ["split", "label"]].tolist() == ["val", 2]
    assert faces.loc["test/fear/PrivateTest_17.png", ["split", "label"]].tolist() == ["test", 2]
    assert faces.loc["train/fear/Training_12.png", ["split", "label"]].tolist() == ["train", 2]
    assert (faces["source"] == faces.index).all()
    assert (metrics["train.fear"], metrics["val.fear"]) == (4, 1)


def test_where_names_do_not_tell_the_folder_does(folders, strict, tmp_path):
    (folders / "train").rename(folders / "Training")
    (folders / "test").rename(folders / "validation")
    for number, path in enumerate(sorted(folders.rglob("*.png"))):
        path.rename(path.with_name(f"{number}.png"))
    metrics = ingest(folders, tmp_path / "out", strict)
    splits = FaceSet.open(tmp_path / "out").table.set_index("id")["split"]
    assert set(splits[splits.index.str.startswith("validation")]) == {"val"}
    assert set(splits[splits.index.str.startswith("Training")]) == {"train", "test"}  # made
    assert sum(metrics[f"test.{name}"] for name in ("angry", "happy", "sad")) > 0


def test_without_split_folders_the_splits_are_made(folders, strict, tmp_path):
    for number, path in enumerate(sorted(folders.rglob("*.png"))):
        target = folders / path.parent.name / f"{number}.png"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    shutil.rmtree(folders / "train")
    shutil.rmtree(folders / "test")
    (folders / "README.txt").touch()  # beside the folders, anything may lie
    ingest(folders, tmp_path / "out", strict)
    counts = FaceSet.open(tmp_path / "out").table["split"].value_counts()
    assert set(counts.index) == {"train", "val", "test"}


def test_foreign_names_go_through_the_label_map(folders, strict, tmp_path, refused):
    for split in ("train", "test"):
        (folders / split / "happy").rename(folders / split / "Happiness")
        (folders / split / "sad").rename(folders / split / "SAD")
    ingest(folders, tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out").table.set_index("id")["label"]
    assert faces["train/Happiness/Training_18.png"] == 3
    assert faces["train/SAD/Training_24.png"] == 4
    without = strict.model_copy(update={"label_map": {}})
    shutil.rmtree(tmp_path / "out")
    message = refused(folders, without)
    assert "its folder 'Happiness' is no label; add it to ingest.label_map" in message


def test_an_unknown_folder_is_counted_picture_by_picture(folders, lenient, tmp_path, rejected):
    (folders / "train" / "bored").mkdir()
    for name in ("a.jpg", "b.jpg"):
        FACE.save(folders / "train" / "bored" / name)
    metrics = ingest(folders, tmp_path / "out", lenient)
    assert (metrics["faces"], metrics["rejected.label"]) == (42, 2)
    assert [row["file"] for row in rejected()] == ["train/bored/a.jpg", "train/bored/b.jpg"]


def test_a_picture_in_no_class_is_named(folders, strict, refused):
    FACE.save(folders / "test" / "lost.png")
    message = refused(folders, strict)
    assert message.startswith(f"{folders / 'test' / 'lost.png'}: it lies in no folder that is")


def test_names_may_hold_spaces_and_any_script(folders, strict, tmp_path):
    name = "Прыгажуня №1 – süß 😀.png"
    FACE.save(folders / "train" / "happy" / name)
    ingest(folders, tmp_path / "out", strict)
    faces = FaceSet.open(tmp_path / "out")
    (row,) = np.flatnonzero(faces.table["id"] == f"train/happy/{name}")
    assert (faces.images[row] == 7).all()


def test_a_name_that_is_not_utf8_is_told(folders, lenient, tmp_path, rejected):
    path = folders / "train" / "happy" / "caf\udce9\n.png"
    FACE.save(tmp_path / "face.png")
    try:
        (tmp_path / "face.png").rename(path)
    except OSError:
        pytest.skip("this disk takes UTF-8 only")
    metrics = ingest(folders, tmp_path / "out", lenient)
    assert metrics["rejected.path"] == 1
    assert rejected()[0]["file"] == "train/happy/caf\\udce9\\n.png"


def test_what_file_managers_leave_behind_is_no_picture(folders, strict, tmp_path):
    for name in (".DS_Store", "Thumbs.db"):
        (folders / "train" / "happy" / name).touch()
    assert ingest(folders, tmp_path / "out", strict)["rows"] == 42


def test_a_folder_may_be_a_link_and_a_link_in_a_circle_ends(folders, lenient, tmp_path):
    (folders / "train").rename(tmp_path / "elsewhere")
    (folders / "train").symlink_to(tmp_path / "elsewhere")
    (folders / "train" / "happy" / "up").symlink_to(folders)
    (folders / "valid").symlink_to(folders)
    metrics = ingest(folders, tmp_path / "out", lenient)
    assert metrics["faces"] == 42
    assert metrics["rejected.folder"] == 1
    assert metrics["rejected.label"] == 7 + 7 + 3  # in valid/train, valid/test and valid/valid


@pytest.mark.parametrize("kind", ["strict", "lenient"])
def test_one_class_only_is_refused(folders, request, refused, kind):
    for path in folders.glob("*/*"):
        if path.name != "happy":
            shutil.rmtree(path)
    message = refused(folders, request.getfixturevalue(kind))
    assert "has no usable training face of class angry, disgust, fear, sad, surprise" in message
    assert "say in ingest.label_map what yours is called" in message


def test_empty_folders_are_refused(tmp_path, strict, refused):
    (tmp_path / "data" / "train" / "happy").mkdir(parents=True)
    assert "has no usable face" in refused(tmp_path / "data", strict)
