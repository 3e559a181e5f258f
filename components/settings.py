"""The schema of `params.yaml`: one frozen class a step, no defaults, nothing extra.

Defaults live in `params.yaml` alone, so that DVC sees every value a stage used.
"""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from components.data.foreign import label_codes
from components.errors import InputError

Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=2, multiple_of=2)]  # see components/batches.py
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Method = Literal["none", "random", "smote", "adasyn", "class_weight", "augment_minority"]


class Section(BaseModel):
    """A part of `params.yaml`; unknown keys and implicit type changes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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
    input_size: Annotated[int, Field(ge=8)]
    weights: str | None = None  # file that a training starts from (components/weights.py)
    # What not every architecture has; without them it takes its own.
    dropout: Share | None = None
    width: Positive | None = None
    depth: Count | None = None
    relu_logits: bool | None = None


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


class TrainSettings(Section):
    head: HeadSettings | None
    epochs: Count
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
    distil: DistilSettings | None
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


class EnsembleSettings(Section):
    members: Annotated[list[str], Field(min_length=1)]
    flip: bool
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


class Params(Section):
    """All of `params.yaml`, one field a step."""

    synthesize: SynthesizeSettings
    ingest: IngestSettings
    clean: CleanSettings
    balance: BalanceSettings
    search: SearchSettings
    design: dict[str, DesignSettings]
    train: TrainSection
    ensemble: EnsembleSettings
    evaluate: EvaluateSettings
    baseline: BaselineSettings
    package: PackageSettings
    promote: PromoteSettings
    drift: DriftSettings

    @model_validator(mode="after")
    def _every_member_has_settings(self) -> "Params":
        sections = {"design": self.design, "train.members": self.train.members}
        for name in self.ensemble.members:
            for section, known in sections.items():
                if name not in known:
                    raise ValueError(
                        f"ensemble.members names {name!r}, which {section} does not have "
                        f"(it has {', '.join(known)})"
                    )
        return self

    @model_validator(mode="after")
    def _the_baseline_uses_a_member(self) -> "Params":
        if self.baseline.member not in self.ensemble.members:
            raise ValueError(
                f"baseline.member is {self.baseline.member!r}, which ensemble.members does not "
                f"name (it has {', '.join(self.ensemble.members)})"
            )
        return self


def load(path: Path) -> Params:
    """Reads and checks `params.yaml`.

    Args:
        path: The YAML file.

    Returns:
        The checked settings.

    Raises:
        InputError: One sentence that names the file, the key, what is wrong with it
            and, for an unknown key, the nearest known one.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run from the repository root.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise InputError(f"{path}{line} is not valid YAML; mend it there.") from None
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error)}") from None


def overlay(base: dict[str, Any], over: Any) -> Any:
    """Lays `over` on `base`, sections key by key; anything but a mapping replaces it."""
    if not isinstance(over, dict):
        return over
    mixed = {
        key: overlay(base[key], value) if isinstance(base.get(key), dict) else value
        for key, value in over.items()
    }
    return base | mixed


def _sentence(error: ValidationError) -> str:
    # A misspelt key is also a missing one, and a bad common key repeats in every member:
    # what is extra comes first, and of equals the first is the cause.
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "extra_forbidden":
            close = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(first["loc"]), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it."
            return f"{key} is not a setting; {hint}"
        case "missing":
            return f"{key} is missing; add it (params.yaml in git has every key)."
        case "value_error":
            return f"{first['ctx']['error']}."
    return f"{key} is {first['input']!r}: {_lower(first['msg'])}."


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    section: Any = Params
    for part in loc[:-1]:
        fields = getattr(section, "model_fields", {})
        if part in fields:  # else it is a member's name
            annotation = fields[part].annotation
            inside = [kind for kind in get_args(annotation) if hasattr(kind, "model_fields")]
            section = inside[0] if inside else annotation
    return list(getattr(section, "model_fields", {}))


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
