"""The BentoML service: an async front that reads pictures, a batching ensemble behind it.

`make serve` starts it with the ensemble that the `package` step left in BentoML's store.
"""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import bentoml
import cv2
import numpy as np
from bentoml.exceptions import InvalidArgument
from bentoml.models import BentoModel
from bentoml.validators import ContentType
from pydantic import BaseModel, Field

from components.preprocess import to_face
from serving.engine import Engine, read_manifest

MODEL = os.environ.get("MIEN_MODEL", "mien:latest")  # `pipelines.bento` pins the version
MAX_BYTES = 10 * 2**20
THREADS = 2

Picture = Annotated[Path, ContentType("image/*")]


class Answer(BaseModel):
    """What the ensemble says of one face."""

    label: str = Field(description="The class with the highest probability")
    probabilities: dict[str, float] = Field(description="Calibrated; they sum to one")
    model_version: str = Field(description="Leads back to the MLflow run and the data")
    data_md5: str = Field(description="md5 of the training data, as in data.dvc")


@bentoml.service(name="ensemble")
class Ensemble:
    """Answers faces in batches."""

    model = BentoModel(MODEL)

    def __init__(self) -> None:
        self.engine = Engine(Path(self.model.path), THREADS)

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        return self.engine.probabilities(faces)


@bentoml.service(name="mien")
class Mien:
    """Facial-expression recognition."""

    model = BentoModel(MODEL)
    ensemble = bentoml.depends(Ensemble)

    def __init__(self) -> None:
        self.manifest = read_manifest(Path(self.model.path))

    @bentoml.api
    async def predict(self, image: Picture) -> Answer:
        """Reads the expression of one cropped face (JPEG, PNG, WebP, BMP; at most 10 MiB)."""
        face = await asyncio.to_thread(read_face, image, tuple(self.manifest["input"]["shape"]))
        (probabilities,) = await self.ensemble.to_async.probabilities(face[None])
        classes = self.manifest["classes"]
        return Answer(
            label=classes[int(probabilities.argmax())],
            probabilities=dict(zip(classes, probabilities.tolist(), strict=True)),
            model_version=self.manifest["version"],
            data_md5=self.manifest["data_md5"],
        )


def read_face(image: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Decodes an uploaded picture and brings it to the ensemble's size.

    Args:
        image: Uploaded file.
        shape: (H, W, C) to bring it to.

    Returns:
        (H, W, C) uint8.

    Raises:
        InvalidArgument: HTTP 400, if the file is too large or no picture.
    """
    if image.stat().st_size > MAX_BYTES:
        raise InvalidArgument(f"the picture is larger than {MAX_BYTES // 2**20} MiB")
    encoded = np.fromfile(image, np.uint8)
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if picture is None:
        raise InvalidArgument("the file cannot be read as a picture (JPEG, PNG, WebP or BMP)")
    return to_face(picture, shape)
