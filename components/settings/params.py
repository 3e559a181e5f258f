"""All of `params.yaml`, and how it is read."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError, model_validator

from components.errors import InputError
from components.settings.data import (
    BalanceSettings,
    CleanSettings,
    IngestSettings,
    SynthesizeSettings,
)
from components.settings.ensemble import (
    BaselineSettings,
    DriftSettings,
    EnsembleSettings,
    EvaluateSettings,
    PackageSettings,
    PromoteSettings,
)
from components.settings.section import Section
from components.settings.training import (
    DesignSettings,
    SearchSettings,
    TrainSection,
)


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
