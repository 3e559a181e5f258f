"""What the endpoint takes and gives, with examples; FastAPI makes the OpenAPI document of it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_PROBABILITIES = {"angry": 0.01, "disgust": 0.0, "fear": 0.02, "happy": 0.9, "sad": 0.01}
_FACE = {
    "label": "happy",
    "probabilities": _PROBABILITIES | {"surprise": 0.02, "neutral": 0.04},
    "certain": True,
    "box": {"left": 118.0, "top": 64.5, "width": 92.0, "height": 117.0},
    "landmarks": {
        "right_eye": (143.0, 109.0),
        "left_eye": (186.0, 108.0),
        "nose": (165.0, 135.0),
        "right_mouth": (147.0, 155.0),
        "left_mouth": (183.0, 154.0),
    },
    "detection_score": 0.99,
}
_MODEL = {"label_set": "fer2013", "model_version": "ebb98848f165", "data_md5": "c479c962….dir"}
_SECONDS = {"decode": 0.004, "detect": 0.02, "classify": 0.003}


def _example(value: dict) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class ProblemDetail(BaseModel):
    """Why a request got no answer, as RFC 9457 describes it (`application/problem+json`)."""

    type: str = Field(description="For a program; `urn:mien:` and the title in lower case")
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do, for a person")


class CropOptions(BaseModel):
    """How a face is answered."""

    model_config = ConfigDict(extra="forbid")

    label_set: Literal["fer2013", "ferplus"] | None = Field(
        None,
        description="The model's own, if none is named. `fer2013` leaves out contempt and lets the "
        "other probabilities sum to one",
    )
    top_k: int | None = Field(None, ge=1, description="Only so many of the likeliest labels")


class Options(CropOptions):
    """How a picture is searched for faces."""

    detector: Literal["auto", "yunet", "mtcnn"] = Field(
        "auto", description="`auto` is YuNet where its file was packaged, else MTCNN"
    )
    min_face: int = Field(32, ge=12, le=10_000, description="Pixels of the smallest face's height")
    max_faces: int = Field(100, ge=1, le=500, description="The largest ones are answered")
    turned: bool = Field(
        False, description="Look for faces at any angle, too; takes eight times as long"
    )
    align: Literal["none", "landmarks"] = Field(
        "none", description="`landmarks` turns and scales each face by its eyes, nose and mouth"
    )


class PictureOptions(Options):
    """How a picture is searched, and what else is told of its faces."""

    heat: bool = Field(
        False,
        description="Tell where the ensemble looked, too; takes as long as 64 further faces a "
        "face, and needs `align=none`",
    )

    @model_validator(mode="after")
    def _upright(self) -> Self:
        if self.heat and self.align != "none":
            raise ValueError("heat needs align=none, so that its grid fits the picture")
        return self


class VideoOptions(Options):
    """How a video is sampled and searched."""

    fps: float = Field(5, gt=0, le=60, description="Frames a second to look at")


class Expression(BaseModel):
    """What the ensemble says of one face."""

    label: str = Field(description="The class with the highest probability")
    probabilities: dict[str, float] = Field(description="Calibrated; all of them sum to one")
    certain: bool | None = Field(
        description="Whether the label's probability, in the model's own label set, reaches the "
        "manifest's `abstain_below`; null where the model comes without one"
    )


class Box(BaseModel):
    """Where a face is, in pixels of the upright picture; it may reach beyond the edge."""

    left: float
    top: float
    width: float
    height: float


class Face(Expression):
    """A face and its expression."""

    model_config = _example(_FACE)

    box: Box
    landmarks: dict[str, tuple[float, float]] = Field(
        description="x and y; right and left are the person's own"
    )
    detection_score: float = Field(description="From 0 to 1; of the detector, not calibrated")


class Heat(BaseModel):
    """Where the ensemble looked: what its answer loses when a part of the face is hidden."""

    frame: Box = Field(description="The square of the picture that the ensemble saw")
    grid: list[list[float]] = Field(
        description="Rows from the top: how much the part speaks for the label, as the bits of "
        "its log odds that are lost when it is painted over; negative where it speaks against it"
    )


class PictureFace(Face):
    """A face of a picture."""

    heat: Heat | None = Field(None, description="Only if it was asked for")


class Model(BaseModel):
    """Which model answered."""

    model_config = ConfigDict(protected_namespaces=())

    label_set: str = Field(description="The answer's")
    model_version: str = Field(description="Leads back to the MLflow run and the data")
    data_md5: str = Field(description="md5 of the training data, as in data.dvc")


class Prediction(Expression, Model):
    """The answer to one ready crop."""

    model_config = _example(
        {key: _FACE[key] for key in ("label", "probabilities", "certain")} | _MODEL
    )


class CropsAnswer(Model):
    """The answer to ready crops, in their order."""

    crops: list[Expression]


class Picture(BaseModel):
    """The faces of one picture, the largest first."""

    faces: list[PictureFace]
    width: int = Field(description="Of the upright picture")
    height: int
    detector: str = Field(description="The one that was used")
    seconds: dict[str, float] = Field(description="Spent in each stage")


class PictureAnswer(Picture, Model):
    """The answer to one picture."""

    model_config = _example(
        {"faces": [_FACE], "width": 640, "height": 480, "detector": "yunet", "seconds": _SECONDS}
        | _MODEL
    )


class PicturesAnswer(Model):
    """The answer to many pictures, in their order; one that cannot be read has its problem."""

    pictures: list[Picture | ProblemDetail]


class TrackedFace(Face):
    """A face of a video."""

    track: int = Field(description="The same for the same face in neighbouring frames")


class Frame(BaseModel):
    """One line of the answer to a video."""

    frame: int = Field(description="Number in the video, from 0")
    seconds: float = Field(description="Time in the video")
    faces: list[TrackedFace]


class VideoEnd(Model):
    """The last line of the answer to a video."""

    frames: int = Field(description="How many were looked at")
    complete: bool = Field(description="false: damaged, or longer than the service's limit")


class ModelAnswer(Model):
    """The model that answers."""

    name: str
    classes: list[str]
    input_shape: list[int] = Field(description="Height, width and channels of a ready crop")
    members: dict[str, float] = Field(description="Weight of each network in the ensemble")
    temperature: float
    abstain_below: float | None
    detectors: list[str] = Field(description="The preferred one first")
    max_bytes: int = Field(description="Of a request other than a video")
    metrics: dict[str, float] = Field(description="As metrics/ensemble.json")
    lineage: dict[str, str] = Field(description="What leads back to the run and the data")
    card: str = Field(description="The model card, in Markdown")
