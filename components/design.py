"""Write down the network of every member, so that `train` depends on that and no more.

A member whose network stays the same is not trained again when another architecture's
file, or the search behind `searched`, changes. Run it as `python -m components design`.
"""

import json
from pathlib import Path

import keras

from components import models
from components.cost import macs
from components.data.faces import FaceSet
from components.outputs import replacing
from components.settings import DesignSettings


def design(
    faces: Path,
    search: Path,
    out: Path,
    settings: dict[str, DesignSettings],
    *,
    classes: int,
) -> dict[str, float]:
    """Writes each member's Keras configuration.

    Args:
        faces: Face set written by `ingest`; the networks take pictures of its shape.
        search: Folder written by `search`; `searched` is built from what it found, where the
            settings have no `architecture` of their own.
        out: Folder to write `MEMBER.json` files to.
        settings: For each member, what its network needs to know.
        classes: Number of classes.

    Returns:
        `MEMBER.parameters` and `MEMBER.mmacs` (millions of multiply-accumulates a face).

    Raises:
        InputError: If there is no such architecture or it cannot take the input size.
    """
    shape = FaceSet.open(faces).shape
    metrics = {}
    with replacing(out) as folder:
        for member, chosen in settings.items():
            name = chosen.network or member
            options = chosen.model_dump(
                exclude={"network", "input_size", "weights"}, exclude_none=True
            )
            if name == "searched" and chosen.architecture is None:
                found = (search / "architecture.json").read_text(encoding="utf-8")
                options["architecture"] = json.loads(found)
            keras.utils.clear_session()  # a plan's layer names do not tell what stands before it
            model = models.build(name, shape, classes, chosen.input_size, **options)
            (folder / f"{member}.json").write_text(model.to_json(indent=1), encoding="utf-8")
            metrics[f"{member}.parameters"] = float(model.count_params())
            metrics[f"{member}.mmacs"] = round(macs(model) / 1e6, 3)
    return metrics
