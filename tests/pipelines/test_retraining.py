"""The loop with true trainings, of one small network on drawn faces: better, killed, worse."""

from pathlib import Path

import psutil
import pytest
import yaml
from mlflow.tracking import MlflowClient

from tests.waiting import until

MEMBER = "mini_xception"
UNTRAINED = {"epochs": 1, "learning_rate": 1e-6, "warmup_epochs": 0}
TRAINED = {"epochs": 10, "batch_size": 16, "learning_rate": 0.003}
RECIPE = f"train.members.{MEMBER}"
SETTINGS = {
    "synthesize.faces": 700,
    "design": {MEMBER: {"input_size": 48}},
    "train.members": {},
    "ensemble.members": [MEMBER],
    "ensemble.weights": "equal",
    "promote.min_macro_f1": 0.0,
    "promote.min_recall": 0.0,
    "promote.max_ece": 1.0,
}
LEFT_OUT = ("search", "datacard", "evaluate", "baseline")  # stages that no model depends on here


@pytest.fixture
def project(fresh_clone):
    """A clone with 700 faces and the stages that lead to a model of one member."""
    plan = yaml.safe_load((fresh_clone.path / "dvc.yaml").read_text())
    for stage in LEFT_OUT:
        del plan["stages"][stage]
    plan["stages"]["design"]["deps"].remove("artifacts/search")
    plan["plots"] = [plot for plot in plan["plots"] if set(plot) <= {"confusion_shares"}]
    (fresh_clone.path / "dvc.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    fresh_clone.change(SETTINGS | {RECIPE: UNTRAINED})
    fresh_clone.run("python", "-m", "components", "synthesize")
    fresh_clone.run("dvc", "add", "--quiet", "data")
    fresh_clone.run("git", "branch", "-M", "main")
    fresh_clone.commit()
    return fresh_clone


def retrain(clone, log: Path, *arguments: str) -> tuple[int, str]:
    process = clone.start("python", "-m", "pipelines.retrain", *arguments, log=log)
    return process.wait(), log.read_text()


def champion(clone) -> str:
    client = MlflowClient(f"sqlite:///{clone.path / 'mlflow.db'}")
    return str(client.get_model_version_by_alias("mien", "champion").version)


def done_epochs(clone) -> int:
    logs = list((clone.path / ".checkpoints" / "train" / MEMBER).glob("*/curves.csv"))
    return max((len(log.read_text().splitlines()) - 1 for log in logs), default=0)


def test_better_is_promoted_even_after_a_kill_and_worse_is_refused(project, tmp_path):
    log = tmp_path / "log"
    status, said = retrain(project, log)
    assert status == 0, said
    assert champion(project) == "1"

    project.change({RECIPE: TRAINED})
    project.commit()
    running = project.start("python", "-m", "pipelines.retrain", log=log)
    until(lambda: done_epochs(project) >= 3, running, log, 600)
    team = psutil.Process(running.pid).children(recursive=True)
    for process in [*team, running]:
        process.kill()
    running.wait()
    psutil.wait_procs(team, timeout=60)  # DVC takes one that nobody has buried yet for alive
    assert champion(project) == "1"

    status, said = retrain(project, log, "--against", "HEAD~1")
    assert status == 0, said
    assert "Epoch 1/10" not in said
    assert "Epoch 10/10" in said
    assert champion(project) == "2"
    report = (project.path / "artifacts" / "retrain" / "report.md").read_text()
    assert "| against the champion | yes |" in report
    assert "macro-F1, leak-free subset" in report
    assert (project.path / "artifacts" / "retrain" / "confusion_shares.png").stat().st_size > 5000

    project.change({RECIPE: UNTRAINED | {"seed": 1}})
    project.commit()
    status, said = retrain(project, log)
    assert status == 3, said
    assert champion(project) == "2"
    report = (project.path / "artifacts" / "retrain" / "report.md").read_text()
    assert "| against the champion | **no** |" in report
