"""The study of two experiments, killed in the second one and run again; and what it writes."""

import os
import signal
from pathlib import Path

import pytest
import yaml

from components import settings
from components.errors import InputError
from pipelines import study_plan
from pipelines.study import PLAN
from pipelines.study_page import Row, page
from tests.waiting import until

ROOT = Path(__file__).parents[2]
BUDGETS = {"quick": {"params": {}, "design": {"input_size": 32}, "train": {"epochs": 6}}}
TINY = {
    "budgets": BUDGETS,
    "networks": {"mini_xception": {"design": {"input_size": 48}, "train": {"batch_size": 16}}},
    "experiments": {
        "first": {
            "work": "A work",
            "title": "as it is",
            "members": ["mini_xception"],
            "claim": 0.64,
        },
        "second": {
            "work": "A work",
            "title": "oversampled",
            "members": ["mini_xception"],
            "params": {"balance": {"method": "random"}},
            "gain": {"points": 3, "over": "first"},
        },
    },
}


def test_a_killed_study_goes_on_and_a_finished_one_does_nothing(fresh_clone, tmp_path):
    clone = fresh_clone
    clone.run("python", "-m", "components", "synthesize")
    clone.run("dvc", "add", "--quiet", "data")
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(TINY, sort_keys=False))
    command = ["python", "-m", "pipelines.study", "--plan", str(plan)]

    log = tmp_path / "log"
    running = clone.start(*command, log=log)
    until(lambda: epochs_of_second(clone.path, log.read_text()) >= 2, running, log, 600)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert "| `second`: oversampled | +3 points over `first` | not run |" in written(clone.path)

    goes_on = clone.run(*command)
    assert "== quick-first" not in goes_on
    assert "== quick-second" in goes_on
    assert "Epoch 1/6" not in goes_on
    assert "Epoch 6/6" in goes_on
    text = written(clone.path)
    assert "| `first`: as it is | 0.64 | 0." in text
    assert "| `mini_xception`: 32 px, 6 epochs |" in text
    assert "; -" in text or "; +" in text

    assert "==" not in clone.run(*command)
    assert written(clone.path) == text
    experiments = clone.run("git", "-C", ".study", "for-each-ref", "refs/exps").splitlines()
    names = sorted(line.rsplit("/", 1)[-1] for line in experiments)
    assert [name for name in names if name.startswith("quick")] == ["quick-first", "quick-second"]
    assert not (clone.path / "artifacts").exists()


def written(clone: Path) -> str:
    return (clone / "docs" / "study.md").read_text()


def epochs_of_second(clone: Path, printed: str) -> int:
    logs = list((clone / ".study" / ".checkpoints" / "train").glob("*/*/curves.csv"))
    if "== quick-second" not in printed or not logs:
        return 0
    return len(logs[0].read_text().splitlines()) - 1


@pytest.fixture
def study() -> study_plan.Study:
    return study_plan.load(PLAN)


def compose(study: study_plan.Study, name: str, budget: str, there: bool) -> dict:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    chosen = study.experiments[name], study.budgets[budget]
    return study_plan.compose(params, study, *chosen, lambda file: there)


@pytest.mark.parametrize("budget", ["quick", "hours", "full"])
def test_every_experiment_is_a_params_yaml_that_is_right(study, budget, tmp_path):
    for name in study.experiments:
        for there in (True, False):
            path = tmp_path / "params.yaml"
            path.write_text(yaml.safe_dump(compose(study, name, budget, there)))
            settings.load(path)


def test_a_network_without_its_weights_is_trained_from_scratch(study):
    tuned, fresh = (compose(study, "vggface", "full", there) for there in (True, False))
    assert tuned["design"]["vggface"]["weights"].endswith("notop_vgg16.h5")
    assert tuned["train"]["members"]["vggface"]["head"] == {"epochs": 10, "learning_rate": 0.001}
    assert fresh["design"]["vggface"] == {"input_size": 48, "weights": None}
    assert fresh["train"]["members"]["vggface"]["head"] is None


def test_a_budget_may_give_a_network_its_own_share(study):
    large, small = (compose(study, name, "hours", False) for name in ("vggface", "smote"))
    assert large["train"]["members"]["vggface"]["epochs"] == 3
    assert small["train"]["members"]["mini_xception"]["epochs"] == 10


def test_an_experiment_may_change_a_network(study):
    defect, article = (
        compose(study, name, "quick", False) for name in ("article-relu", "article-network")
    )
    assert defect["design"].pop("detect_emotion") == {"input_size": 32, "relu_logits": True}
    assert article["design"].pop("detect_emotion") == {"input_size": 32}
    assert defect == article


def test_experiments_whose_outs_dvc_may_cache_search_only_for_what_they_train():
    plan = yaml.safe_load(study_plan.pipeline((ROOT / "dvc.yaml").read_text(), searched=False))
    assert "artifacts/search" not in plan["stages"]["design"]["deps"]
    assert "persist" not in str(plan["stages"])
    plan = yaml.safe_load(study_plan.pipeline((ROOT / "dvc.yaml").read_text(), searched=True))
    assert "artifacts/search" in plan["stages"]["design"]["deps"]


def test_a_study_that_names_what_it_does_not_have_is_refused(tmp_path):
    path = tmp_path / "plan.yaml"

    def refused(budget: dict | None = None, **change: object) -> str:
        second = TINY["experiments"]["second"] | change
        experiments = TINY["experiments"] | {"second": second}
        budgets = {"quick": BUDGETS["quick"] | (budget or {})}
        path.write_text(yaml.safe_dump(TINY | {"experiments": experiments, "budgets": budgets}))
        with pytest.raises(InputError) as caught:
            study_plan.load(path)
        return str(caught.value)

    assert "second names 'vggface', which networks does not have" in refused(members=["vggface"])
    assert "quick names 'resnet', which" in refused(budget={"networks": {"resnet": {}}})
    assert "'third'" in refused(gain={"points": 3, "over": "third"})
    assert "experiments.second.clams: Extra inputs" in refused(clams=0.5)


def test_a_row_says_what_was_claimed_measured_and_different(study):
    scores = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6, "n": 100.0}
    scores |= {"macro_f1": 0.3, "macro_f1_low": 0.2, "macro_f1_high": 0.4}
    metrics = {f"{split}.{k}": v for split in ("test", "test_leak_free") for k, v in scores.items()}
    rows = {
        name: Row(study.experiments[name], compose(study, name, "full", False), metrics)
        for name in ("uncleaned", "cleaned", "ensemble", "adasyn", "smote")
    }
    text = page(rows, "full", "abc", drawn=False)
    assert "0.500 (0.400–0.600); +0.0 points (-13.9 to +13.9) over `uncleaned`" in text
    assert "| none known | 0.500 (0.400–0.600); +0.0 points (-13.9 to +13.9) over `cleaned`" in text
    ensemble = "| 0.747 | 0.500 (0.400–0.600) | 0.500 (0.400–0.600) | 0.300 (0.200–0.400) |"
    assert ensemble in text
    assert "`vggface`, `vggface2`: 48 px, 30 epochs, no pretrained weights |" in text
    assert "ADASYN | none known |" in text
    assert "the report gave it up as too slow |" in text
    assert "drawn" not in text
