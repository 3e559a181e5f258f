"""Sections of what combines, judges, packages, promotes and watches the ensemble."""

from typing import Annotated, Literal

from pydantic import Field

from components.settings.section import Count, Positive, Section, Seed, Share


class EnsembleSettings(Section):
    members: Annotated[list[str], Field(min_length=1)]
    tta: Literal["none", "flip", "two_scales"]
    weights: Literal["equal", "optimised", "greedy", "stacking", "auto"]
    risk: Share
    bootstrap: Annotated[int, Field(ge=100)]
    seed: Seed


class EvaluateSettings(Section):
    mistakes: Annotated[int, Field(ge=1, le=100)]
    bootstrap: Annotated[int, Field(ge=100)]
    seed: Seed


class BaselineSettings(Section):
    member: str
    components: Count
    words: Annotated[int, Field(ge=2)]
    bootstrap: Annotated[int, Field(ge=100)]
    seed: Seed


class PackageSettings(Section):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    weights: Literal["float32", "float16"]
    parity_tolerance: Positive


class PromoteSettings(Section):
    compare: Literal["no_loss", "gain"]
    significance: Annotated[float, Field(gt=0, lt=0.5)]
    min_macro_f1: Share
    min_recall: Share
    max_ece: Share
    max_milliseconds: Positive
    max_megabytes: Positive
    bootstrap: Annotated[int, Field(ge=1000)]
    seed: Seed


class DriftSettings(Section):
    hours: Positive
    min_faces: Annotated[int, Field(ge=50)]
    max_faces: Annotated[int, Field(ge=50)]
    significance: Annotated[float, Field(gt=0, lt=0.5)]
