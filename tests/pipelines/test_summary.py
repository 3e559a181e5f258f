import subprocess
import sys
from pathlib import Path

from pipelines.summary import SPLITS, summary

ROOT = Path(__file__).parents[2]


def test_every_split_has_a_line_with_its_own_figures():
    metrics = {}
    for number, split in enumerate(SPLITS, start=1):
        metrics |= {f"{split}.n": 100.0 * number, f"{split}.ece": number / 100}
        for name in ("accuracy", "macro_f1"):
            for end, by in {"": 0, "_low": -0.05, "_high": 0.05}.items():
                metrics[f"{split}.{name}{end}"] = number / 10 + by
    head, *lines = summary(metrics).splitlines()
    assert len(lines) == 3
    assert "0.200 (0.150-0.250)  0.200 (0.150-0.250)  0.020" in lines[1]
    assert lines[2].startswith("test, leak-free     300")
    assert head.index("macro-F1") == lines[0].rindex("0.100 (")


def test_without_a_pipeline_it_says_what_to_do(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.summary"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "`make repro` makes it" in done.stderr
