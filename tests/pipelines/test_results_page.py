"""The figures that the repository states are those of the packages that it holds."""

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
