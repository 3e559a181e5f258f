"""Saving a Keras model so that the same weights give the same bytes."""

import json
import zipfile
from pathlib import Path

import keras

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip archive can hold


def save_model(model: keras.Model, path: Path) -> None:
    """Saves `model` as a `.keras` archive without the date and time of saving.

    Keras stamps both the archive and its metadata, which would make DVC see a new model
    where nothing changed.

    Args:
        model: Any Keras model.
        path: Where to write; ends with `.keras`.
    """
    stamped = path.with_name(f"stamped-{path.name}")
    model.save(stamped)
    with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "metadata.json":
                metadata = json.loads(content)
                content = json.dumps({"keras_version": metadata["keras_version"]}).encode()
            target.writestr(zipfile.ZipInfo(name, EPOCH), content)
    stamped.unlink()
