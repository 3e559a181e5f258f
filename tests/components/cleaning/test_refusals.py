from pathlib import Path

import pandas as pd
import pytest

from components.clean import clean
from components.errors import InputError
from tests.components.cleaning.few_faces import ALL


def refused(folder: Path, **changes) -> str:
    """The sentence that refuses a face set, having left an earlier output as it was."""
    out = folder.parent / "kept"
    out.mkdir()
    (out / "kept.parquet").write_bytes(b"earlier")
    with pytest.raises(InputError) as caught:
        clean(folder, out, ALL.model_copy(update=changes))
    assert [path.read_bytes() for path in out.iterdir()] == [b"earlier"]
    return str(caught.value)


def test_a_class_without_training_faces_left_is_refused(faces):
    faces.images[7] = faces.images[3]
    folder = faces.write()
    message = refused(folder)
    assert message.startswith(f"{folder / 'faces.parquet'} has no training face of class happy ")
    assert "switch off a rule under clean in params.yaml, or add faces" in message


@pytest.mark.parametrize("name", ["faces.npy", "faces.parquet"])
def test_a_missing_file_is_named(faces, name):
    folder = faces.write()
    (folder / name).unlink()
    assert refused(folder) == f"{folder / name} is missing; run the ingest step first."


@pytest.mark.parametrize("name", ["faces.npy", "faces.parquet"])
def test_a_file_that_is_cut_short_is_named(faces, name):
    folder = faces.write()
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    assert refused(folder).startswith(f"{folder / name} cannot be read to its end (")


def test_images_and_table_of_different_length_are_refused(faces):
    folder = faces.write()
    table = pd.read_parquet(folder / "faces.parquet")
    table[:-1].to_parquet(folder / "faces.parquet")
    message = refused(folder)
    assert message.startswith(f"{folder / 'faces.npy'} holds uint8 (21, 8, 8) where ")
    assert message.endswith("has 20 rows; run the ingest step again.")


def test_ferplus_without_votes_is_refused(faces):
    folder = faces.write()
    message = refused(folder, label_set="ferplus")
    assert message.startswith(f"{folder / 'faces.parquet'} has no FER+ votes; put fer2013new.csv")
