"""The schema of `params.yaml`: one frozen class a step, no defaults, nothing extra.

Defaults live in `params.yaml` alone, so that DVC sees every value a stage used.
"""

from components.settings.data import (
    AugmentSettings,
    BalanceSettings,
    CleanSettings,
    ColumnSettings,
    IngestSettings,
    SplitSettings,
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
from components.settings.params import Params, load
from components.settings.section import Section, overlay
from components.settings.training import (
    DesignSettings,
    DistilSettings,
    HeadSettings,
    MixSettings,
    RefitSettings,
    SearchSettings,
    SizeSettings,
    TrainSection,
    TrainSettings,
)

__all__ = [
    "AugmentSettings",
    "BalanceSettings",
    "BaselineSettings",
    "CleanSettings",
    "ColumnSettings",
    "DesignSettings",
    "DistilSettings",
    "DriftSettings",
    "EnsembleSettings",
    "EvaluateSettings",
    "HeadSettings",
    "IngestSettings",
    "MixSettings",
    "PackageSettings",
    "Params",
    "PromoteSettings",
    "RefitSettings",
    "SearchSettings",
    "Section",
    "SizeSettings",
    "SplitSettings",
    "SynthesizeSettings",
    "TrainSection",
    "TrainSettings",
    "load",
    "overlay",
]
