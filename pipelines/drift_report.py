"""Evidently's page about a window of faces, by the tests that the verdict is made of."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.drift_verdict import LABEL, mix_test

_MIX = "two_sample_chi_square"


def write_report(
    window: pd.DataFrame, reference: pd.DataFrame, verdict: dict[str, Any], file: Path
) -> dict[str, float]:
    """Writes the page; it needs no network to be looked at.

    Args:
        window: The faces that were judged.
        reference: What they were compared with.
        verdict: As `pipelines.drift_verdict.judge` returns it.
        file: To write HTML to.

    Returns:
        p of each column, as Evidently has it.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
    from evidently.legacy.core import ColumnType
    from evidently.presets import DataDriftPreset

    test = StatTest(_MIX, "two-sample chi-square", allowed_feature_types=[ColumnType.Categorical])
    register_stattest(test, lambda one, other, _, most: (p := mix_test(one, other), p < most))
    names, threshold = list(verdict["columns"]), verdict["threshold"]
    numbers = [name for name in names if name != LABEL]
    schema = DataDefinition(categorical_columns=[LABEL], numerical_columns=numbers)
    preset = DataDriftPreset(
        columns=names,
        cat_method=_MIX,
        num_method="ks",
        cat_threshold=threshold,
        num_threshold=threshold,
        drift_share=1 / len(names),  # one is enough, as for the verdict
    )
    now, before = (Dataset.from_pandas(table[names], schema) for table in (window, reference))
    snapshot = Report([preset]).run(now, before)
    snapshot.save_html(str(file))
    return {
        metric["config"]["column"]: float(metric["value"])
        for metric in snapshot.dict()["metrics"]
        if "column" in metric["config"]
    }
