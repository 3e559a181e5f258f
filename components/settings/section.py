"""What every section of `params.yaml` has in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=2, multiple_of=2)]  # see components/batches.py
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A part of `params.yaml`; unknown keys and implicit type changes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def overlay(base: dict[str, Any], over: Any) -> Any:
    """Lays `over` on `base`, sections key by key; anything but a mapping replaces it."""
    if not isinstance(over, dict):
        return over
    mixed = {
        key: overlay(base[key], value) if isinstance(base.get(key), dict) else value
        for key, value in over.items()
    }
    return base | mixed
