"""What the service accepts at most. `MIEN_MAX_BYTES=1000000 make serve` changes one."""

import os

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt


class Limits(BaseModel):
    """Each is overridden by an environment variable of its name, as in `MIEN_MAX_BYTES`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: PositiveInt = 20 * 2**20  # of a request other than a video
    max_video_bytes: PositiveInt = 500 * 2**20
    max_pixels: PositiveInt = 64_000_000  # of a picture, and of a video's frame
    max_pictures: PositiveInt = 32  # in one request
    max_crops: PositiveInt = 256  # in one request
    max_frames: PositiveInt = 20_000  # sampled from one video
    max_waiting: PositiveInt = 64  # requests at a time; further ones are told to come back
    upload_seconds: PositiveFloat = 60  # until a request's body must have arrived
    upload_silence_seconds: PositiveFloat = 10  # between two pieces of it
    answer_seconds: PositiveFloat = 3600  # until an answer must have begun; videos take long


def from_environment() -> Limits:
    """Reads the limits that `MIEN_...` variables change.

    Raises:
        pydantic.ValidationError: If one is no positive number.
    """
    names = {name: f"MIEN_{name.upper()}" for name in Limits.model_fields}
    return Limits(**{name: os.environ[key] for name, key in names.items() if key in os.environ})
