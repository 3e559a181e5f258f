import json
from pathlib import Path

import pytest

from components.errors import InputError
from components.promote import promote
from components.settings import PromoteSettings

SETTINGS = PromoteSettings(
    compare="no_loss",
    significance=0.05,
    min_macro_f1=0.5,
    min_recall=0.2,
    max_ece=0.2,
    max_milliseconds=1000.0,
    max_megabytes=1.0,
    bootstrap=1000,
    seed=0,
)


def judge(tmp_path: Path, challenger: Path, champion: Path | None = None, **changes: object):
    """Returns whether the challenger is promoted, the reasons against it, and the metrics."""
    settings = SETTINGS.model_copy(update=changes)
    metrics = promote(challenger, champion, tmp_path / "out", settings)
    decision = json.loads((tmp_path / "out" / "decision.json").read_text())
    assert decision["promoted"] == bool(metrics["promoted"]) == (not decision["reasons"])
    return decision["promoted"], " ".join(decision["reasons"]), metrics


def test_without_a_champion_the_floors_decide(tmp_path, make_package):
    promoted, _, metrics = judge(tmp_path, make_package("first", skill=2.0))
    assert promoted
    assert "macro_f1_gain" not in metrics
    assert "without a champion" in (tmp_path / "out" / "DECISION.md").read_text()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"min_macro_f1": 0.99}, "macro-F1: 0."),
        ({"min_recall": 0.99}, "recall of the worst class: 0."),
        ({"max_ece": 0.0}, "calibration error: 0."),
        ({"max_milliseconds": 1e-6}, "milliseconds a face: "),
        ({"max_megabytes": 1e-6}, "megabytes: "),
    ],
)
def test_every_floor_can_refuse(tmp_path, make_package, change, reason):
    promoted, reasons, _ = judge(tmp_path, make_package("first", skill=2.0), **change)
    assert not promoted
    assert reasons.startswith(reason)


@pytest.mark.parametrize("change", [{"min_macro_f1": 0.99}, {"min_recall": 0.99}, {"max_ece": 0.0}])
def test_a_floor_that_the_champion_misses_asks_for_what_the_champion_has(
    tmp_path, make_package, change
):
    champion = make_package("champion", skill=2.0)
    better, worse = make_package("better", skill=2.5), make_package("worse", skill=1.5)
    assert judge(tmp_path, champion, champion, **change)[0]
    if "max_ece" not in change:  # skill says nothing of calibration
        assert judge(tmp_path, better, champion, **change)[0]
        promoted, reasons, _ = judge(tmp_path, worse, champion, **change)
        assert not promoted
        assert "at least 0.99 is asked, or the champion's 0." in reasons


def test_a_budget_binds_whatever_the_champion_costs(tmp_path, make_package):
    champion = make_package("champion", skill=2.0)
    promoted, reasons, _ = judge(tmp_path, champion, champion, max_megabytes=1e-6)
    assert not promoted
    assert reasons.startswith("megabytes: ")


def test_what_loses_significantly_is_refused(tmp_path, make_package):
    good, bad = make_package("good", skill=2.5), make_package("bad", skill=1.5)
    promoted, reasons, metrics = judge(tmp_path, bad, good)
    assert not promoted
    assert reasons.startswith("against the champion: -")
    assert metrics["macro_f1_gain_high"] < 0


def test_what_is_better_or_the_same_is_promoted(tmp_path, make_package):
    good, better = make_package("good", skill=2.0), make_package("better", skill=2.5)
    assert judge(tmp_path, better, good)[0]
    assert judge(tmp_path, good, good)[0]


def test_where_a_gain_is_asked_the_same_is_not_enough(tmp_path, make_package):
    good, better = make_package("good", skill=2.0), make_package("better", skill=2.8)
    assert not judge(tmp_path, good, good, compare="gain")[0]
    assert judge(tmp_path, better, good, compare="gain")[0]


def test_one_measured_on_other_faces_never_replaces_a_champion(tmp_path, make_package):
    best = make_package("best", skill=5.0, test="b" * 64)
    promoted, reasons, metrics = judge(tmp_path, best, make_package("bad", skill=1.5))
    assert not promoted
    assert reasons.startswith("same test faces: the challenger was measured on faces bbbb")
    assert "macro_f1_gain" not in metrics


def test_a_package_from_before_test_faces_were_named_is_refused(tmp_path, make_package):
    package = make_package("old", skill=2.0)
    manifest = json.loads((package / "manifest.json").read_text())
    del manifest["test_sha256"]
    (package / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="package the ensemble again"):
        judge(tmp_path, package)
