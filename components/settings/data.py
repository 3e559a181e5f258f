"""Sections of the steps that make, read, clean and balance the faces."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from components.data.foreign import label_codes
from components.settings.section import Count, Section, Seed, Share

Method = Literal["none", "random", "smote", "adasyn", "class_weight", "augment_minority"]


class SynthesizeSettings(Section):
    faces: Annotated[int, Field(ge=70)]
    seed: Seed


class ColumnSettings(Section):
    path: str
    label: str
    split: str
    group: str
    id: str


class SplitSettings(Section):
    val: Annotated[float, Field(gt=0, lt=0.5)]
    test: Annotated[float, Field(gt=0, lt=0.5)]
    seed: Seed


class IngestSettings(Section):
    source: str
    strict: bool
    image_size: Annotated[int, Field(ge=1, le=1024)]
    colour: Literal["grey", "rgb"]
    columns: ColumnSettings
    label_map: dict[str, str]
    split: SplitSettings

    @field_validator("label_map", mode="before")
    @classmethod
    def _labels_may_be_integers(cls, raw: Any) -> Any:
        return {str(k): str(v) for k, v in raw.items()} if isinstance(raw, dict) else raw

    @field_validator("label_map")
    @classmethod
    def _labels_lead_to_ours(cls, label_map: dict[str, str]) -> dict[str, str]:
        label_codes(label_map)
        return label_map

    @field_serializer("label_map")
    def _as_one_value(self, label_map: dict[str, str]) -> str:
        return json.dumps(label_map)  # MLflow allows few characters in a key


class CleanSettings(Section):
    label_set: Literal["fer2013", "ferplus"]
    rule: Literal["report", "named", "majority"]
    targets: Literal["hard", "soft"]
    non_faces: bool
    blank_std: Annotated[float, Field(ge=0, le=128)]
    duplicates: bool
    leaks: bool
    conflicts: bool
    near_copies: bool
    hash_radius: Annotated[int, Field(ge=0, le=32)]
    similarity: Annotated[float, Field(ge=0.5, le=1)]
    mislabels: bool
    folds: Annotated[int, Field(ge=2)]
    seed: Seed
    detector: str | None
    detector_confidence: Share
    decisions: str | None

    @model_validator(mode="after")
    def _soft_targets_are_votes(self) -> "CleanSettings":
        if self.targets == "soft" and self.label_set != "ferplus":
            raise ValueError(
                "clean.targets is soft, for which clean.label_set must be ferplus; FER-2013 has "
                "one label a face"
            )
        return self


class AugmentSettings(Section):
    flip: bool
    shift: Share
    rotate: Annotated[float, Field(ge=0, le=180)]
    zoom: Annotated[float, Field(ge=0, lt=1)]
    contrast: Annotated[float, Field(ge=0, lt=1)]
    brightness: Annotated[float, Field(ge=0, le=255)]
    erase: Share


class BalanceSettings(Section):
    method: Annotated[list[Method], Field(min_length=1)]
    neighbours: Count
    minority_times: Annotated[int, Field(ge=2)]
    augment: AugmentSettings
    seed: Seed

    @field_validator("method", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, raw: Any) -> Any:
        return [raw] if isinstance(raw, str) else raw

    @field_validator("method")
    @classmethod
    def _weights_come_last(cls, methods: list[str]) -> list[str]:
        if "none" in methods and len(methods) > 1:
            raise ValueError("balance.method has none beside other methods; leave it out")
        if "class_weight" in methods[:-1]:
            raise ValueError("balance.method has class_weight before another; put it last")
        return methods
