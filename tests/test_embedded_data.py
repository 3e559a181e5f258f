import hashlib
import json
from pathlib import Path

import pytest
import yaml

from components import settings
from components.clean import clean
from components.ingest import ingest
from components.synthesize import synthesize

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def drawn_set(tmp_path_factory) -> Path:
    """The embedded set, as `make data` draws it."""
    folder = tmp_path_factory.mktemp("embedded")
    chosen = settings.load(ROOT / "params.yaml").synthesize
    synthesize(folder, faces=chosen.faces, seed=chosen.seed)
    return folder


def test_the_pointer_in_git_is_of_the_set_that_this_machine_draws(drawn_set):
    files = [
        {"md5": hashlib.md5(path.read_bytes()).hexdigest(), "relpath": path.name}
        for path in sorted(drawn_set.iterdir())
    ]
    # The way in which DVC identifies a folder.
    drawn = hashlib.md5(json.dumps(files, sort_keys=True).encode()).hexdigest() + ".dir"
    pointer = yaml.safe_load((ROOT / "data.dvc").read_text(encoding="utf-8"))
    assert pointer["outs"][0]["md5"] == drawn


@pytest.mark.parametrize("label_set", ["fer2013", "ferplus"])
def test_what_is_planted_is_found_and_little_else(drawn_set, tmp_path, label_set):
    params = settings.load(ROOT / "params.yaml")
    chosen = params.clean.model_copy(update={"label_set": label_set, "decisions": None})
    ingest(drawn_set, tmp_path / "faces", params.ingest)
    metrics = clean(tmp_path / "faces", tmp_path / "kept", chosen)
    scores = {key: value for key, value in metrics.items() if key.startswith("truth.")}
    assert {key.split(".")[1] for key in scores} >= {"non_face", "copy", "leak", "near_copy"}
    assert {key: value for key, value in scores.items() if value < 0.99} == {}
