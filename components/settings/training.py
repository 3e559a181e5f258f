"""Sections of the steps that look for networks, write them down and train them."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from components.settings.architecture import ArchitectureSettings
from components.settings.data import AugmentSettings
from components.settings.section import BatchSize, Count, Positive, Section, Seed, Share, overlay


class SearchSettings(Section):
    space: Literal["article", "wide"]
    oracle: Literal["random", "hyperband", "bayesian"]
    trials: Count
    minutes: Positive | None
    epochs: Count
    batch_size: BatchSize
    learning_rate: Positive
    max_images: Count
    max_mmacs: Positive
    input_size: Annotated[int, Field(ge=8)]
    seed: Seed


class DesignSettings(Section):
    network: str | None = None  # of components/models; without it, the one of the member's name
    input_size: Annotated[int, Field(ge=8)]
    weights: str | None = None  # file that a training starts from (components/weights.py)
    # What not every architecture has; without them it takes its own.
    dropout: Share | None = None
    width: Positive | None = None
    depth: Count | None = None
    relu_logits: bool | None = None
    normalise: Literal["local_contrast"] | None = None  # of mien and searched
    architecture: ArchitectureSettings | None = None  # of `searched`: an earlier search's find


class HeadSettings(Section):
    epochs: Count
    learning_rate: Positive


class MixSettings(Section):
    method: Literal["mixup", "cutmix"]
    alpha: Positive


class SizeSettings(Section):
    until: Annotated[float, Field(gt=0, lt=1)]
    size: Count


class DistilSettings(Section):
    teacher: str
    weight: Share
    temperature: Positive


class RefitSettings(Section):
    epochs: Count
    learning_rate: Positive
    held_back: Annotated[float, Field(gt=0, lt=1)]


class TrainSettings(Section):
    head: HeadSettings | None
    epochs: Annotated[int, Field(ge=0)]  # 0: none but the head's, or a refit's
    batch_size: BatchSize
    optimizer: Literal["adamw", "sgd"]
    learning_rate: Positive
    schedule: Literal["cosine", "plateau"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    patience: Count | None
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    draw_labels: bool
    mix: MixSettings | None
    sam: Positive | None
    sizes: list[SizeSettings]
    precision: Literal["float32", "mixed_bfloat16"]
    distil: DistilSettings | None
    votes: Positive | None
    refit: RefitSettings | None
    augment: AugmentSettings
    seed: Seed

    @model_validator(mode="after")
    def _a_warm_up_and_sizes_belong_to_the_cosine(self) -> "TrainSettings":
        if self.schedule == "plateau" and self.warmup_epochs:
            raise ValueError("train: schedule plateau has no warm-up; set warmup_epochs to 0")
        if self.schedule == "plateau" and self.sizes:
            raise ValueError("train: schedule plateau compares epochs of one size; set sizes to []")
        return self

    @model_validator(mode="after")
    def _sizes_come_one_after_another(self) -> "TrainSettings":
        ends = [step.until for step in self.sizes]
        if ends != sorted(set(ends)):
            raise ValueError("train: sizes are not in the order of their until; sort them")
        return self


class TrainSection(Section):
    """What all members share, and what each one changes."""

    common: TrainSettings
    members: dict[str, TrainSettings]

    @model_validator(mode="before")
    @classmethod
    def _members_start_from_common(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not isinstance(raw.get("members"), dict):
            return raw
        common = raw.get("common") or {}
        return raw | {"members": {n: overlay(common, m) for n, m in raw["members"].items()}}
