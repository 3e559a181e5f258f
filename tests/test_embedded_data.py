import hashlib
import json
from pathlib import Path

import yaml

from components import settings
from components.synthesize import synthesize

ROOT = Path(__file__).parents[1]


def test_the_pointer_in_git_is_of_the_set_that_this_machine_draws(tmp_path):
    chosen = settings.load(ROOT / "params.yaml").synthesize
    synthesize(tmp_path, faces=chosen.faces, seed=chosen.seed)
    files = [
        {"md5": hashlib.md5(path.read_bytes()).hexdigest(), "relpath": path.name}
        for path in sorted(tmp_path.iterdir())
    ]
    # The way in which DVC identifies a folder.
    drawn = hashlib.md5(json.dumps(files, sort_keys=True).encode()).hexdigest() + ".dir"
    pointer = yaml.safe_load((ROOT / "data.dvc").read_text(encoding="utf-8"))
    assert pointer["outs"][0]["md5"] == drawn
