"""The figures that the repository states are those of the packages that it holds."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from pipelines.results_page import page, summary

ROOT = Path(__file__).parents[2]


@pytest.fixture
def releases() -> list[Path]:
    return sorted((ROOT / "serving" / "released").iterdir())


def test_the_pages_say_what_the_releases_hold(releases):
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == page(releases)
    assert summary(releases) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_release_may_have_settings_of_another_day(releases, tmp_path):
    old = []
    for release in releases:
        old.append(shutil.copytree(release, tmp_path / release.name))
        params = yaml.safe_load((old[-1] / "params.yaml").read_text(encoding="utf-8"))
        del params["train"], params["search"]
        (old[-1] / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    assert page(old) == page(releases)


def test_faces_that_most_taggers_agree_on_have_a_row_of_their_own(releases, tmp_path):
    release = next(one for one in releases if one.name == "ferplus")
    copy = shutil.copytree(release, tmp_path / release.name)
    file = copy / "metrics" / "evaluate.json"
    scores = json.loads(file.read_text(encoding="utf-8"))
    told = {"n": 3153.0, "accuracy": 0.8712, "accuracy_low": 0.8613, "accuracy_high": 0.8814}
    for prefix in ("slice", "slice_leak_free"):
        scores |= {f"{prefix}.taggers.majority.{key}": value for key, value in told.items()}
    file.write_text(json.dumps(scores), encoding="utf-8")
    (row,) = [line for line in page([copy]).splitlines() if "3,153 faces" in line]
    assert row.count("0.871 (0.861–0.881)") == 2
    (head,) = [line for line in page([copy]).splitlines() if "macro-F1" in line]
    assert row.count("|") == head.count("|")
