"""The gate and the registry, on a real MLflow store."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from components import gate, settings, tracking
from components.errors import InputError
from components.registry import CHALLENGER, CHAMPION, FILES, PREVIOUS
from serving.champion import is_whole

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params(workplace):
    file = workplace / "params.yaml"
    text = file.read_text(encoding="utf-8").replace("max_ece: 0.1", "max_ece: 1")
    file.write_text(text, encoding="utf-8")
    return settings.load(file)


@pytest.fixture
def register(params, make_package):
    """Packages and registers a model of some skill, as the step `package` does."""

    def made(name: str, **how) -> str:
        package = make_package(name, **how)
        with tracking.step_run("package", params.model_dump()) as run:
            run.artifacts(*(package / file for file in FILES))
            run.register(package)
        return aliases()[CHALLENGER]

    return made


def aliases() -> dict[str, str]:
    return MlflowClient().get_registered_model("mien").aliases


def tags(version: str) -> dict[str, str]:
    return MlflowClient().get_model_version("mien", version).tags


def test_promoted_refused_promoted_rolled_back(params, register, capsys):
    first = register("first", skill=2.0)
    assert gate.promote(params) == 0
    assert aliases() == {CHALLENGER: first, CHAMPION: first}

    worse = register("worse", skill=1.5)
    assert gate.promote(params) == gate.REFUSED
    assert aliases() == {CHALLENGER: worse, CHAMPION: first}
    assert tags(worse)["gate.decision"] == "refused"
    assert "against the champion: -" in tags(worse)["gate.reasons"]
    assert "worse: refused" in capsys.readouterr().out

    better = register("better", skill=2.5)
    assert gate.promote(params) == 0
    assert aliases() == {CHALLENGER: better, CHAMPION: better, PREVIOUS: first}
    assert tags(better)["gate.decision"] == "promoted"
    assert gate.promote(params) == 0
    assert "is champion already" in capsys.readouterr().out

    best = register("best", skill=3.0)
    assert gate.promote(params) == 0
    assert gate.roll_back(params) == 0
    assert aliases() == {CHAMPION: better, PREVIOUS: first}
    assert tags(best)["gate.decision"] == "rolled back"
    with pytest.raises(InputError, match="has no challenger"):
        gate.promote(params)
    gate.roll_back(params)
    assert aliases() == {CHAMPION: first}
    with pytest.raises(InputError, match="no previous champion to go back to"):
        gate.roll_back(params)


def test_a_first_champion_must_not_be_worse_than_what_was_released(
    params, register, make_package, capsys
):
    out = gate.RELEASED / "x"
    shutil.copytree(make_package("released", skill=2.0), out)
    answers = pd.read_parquet(out / "predictions.parquet")
    answers.drop(columns="label").to_parquet(out / "predictions.parquet")
    register("worse", skill=1.5)
    assert gate.promote(params) == gate.REFUSED
    assert "against the champion mien released" in capsys.readouterr().out
    assert CHAMPION not in aliases()
    register("other", skill=3.0, test="b" * 64)
    assert gate.promote(params) == gate.REFUSED
    assert "remove serving/released" in capsys.readouterr().out
    better = register("better", skill=2.5)
    assert gate.promote(params) == 0
    assert aliases()[CHAMPION] == better


def served() -> str:
    return json.loads((gate.SERVED_FROM / "manifest.json").read_text())["version"]


def test_what_is_served_is_the_champion_whatever_is_packaged(params, register):
    register("first", skill=2.0)
    gate.promote(params)
    assert {file.name for file in gate.SERVED_FROM.iterdir()} == {*FILES, "ensemble.onnx"}
    register("worse", skill=1.5)
    gate.promote(params)
    assert served() == "first"
    register("better", skill=2.5)
    gate.promote(params)
    assert served() == "better"
    assert is_whole(gate.SERVED_FROM)
    gate.roll_back(params)
    assert served() == "first"


def test_a_champion_that_was_taken_away_is_brought_back(params, register):
    register("first", skill=2.0)
    gate.promote(params)
    shutil.rmtree(gate.SERVED_FROM)
    gate.promote(params)
    assert served() == "first"


def test_the_decision_is_an_artifact_of_a_run(params, register, tmp_path):
    register("first", skill=2.0)
    gate.promote(params)
    client = MlflowClient()
    (run,) = client.search_runs(
        [client.get_experiment_by_name("mien").experiment_id], "tags.`mien.step` = 'promote'"
    )
    assert run.data.metrics["promoted"] == 1
    page = Path(client.download_artifacts(run.info.run_id, "DECISION.md", str(tmp_path)))
    assert page.read_text().startswith("# mien first: promoted")


def test_an_empty_registry_is_named(params):
    with pytest.raises(InputError, match="the registry has no challenger for mien"):
        gate.promote(params)
    with pytest.raises(InputError, match="no previous champion"):
        gate.roll_back(params)


def test_a_champion_whose_artifact_is_gone_stays_and_says_so(params, register):
    first = register("first", skill=2.0)
    gate.promote(params)
    register("second", skill=2.5)
    run = MlflowClient().get_model_version("mien", first).run_id
    (gone,) = [file for file in Path("mlruns").rglob("predictions.parquet") if run in file.parts]
    gone.unlink()
    with pytest.raises(InputError, match=r"version 1 \(champion\) has lost artifacts") as caught:
        gate.promote(params)
    assert "\n" not in str(caught.value)
    assert aliases()[CHAMPION] == first


def test_one_does_not_roll_back_to_a_model_that_is_gone(params, register):
    register("first", skill=2.0)
    gate.promote(params)
    second = register("second", skill=2.5)
    gate.promote(params)
    source = MlflowClient().get_model_version("mien", "1").source
    (gone,) = [file for file in Path("mlruns").rglob("model.onnx") if file.parts[-3] in source]
    gone.unlink()
    with pytest.raises(InputError, match=r"version 1 \(previous\) has lost artifacts"):
        gate.roll_back(params)
    assert aliases()[CHAMPION] == second


def test_a_changed_test_set_is_a_version_of_its_own_and_is_refused(params, register):
    first = register("first", skill=2.0)
    gate.promote(params)
    again = register("first again", skill=2.0, graph="first", test="b" * 64)
    assert again != first
    assert gate.promote(params) == gate.REFUSED
    assert "measured on faces bbbb" in tags(again)["gate.reasons"]
    assert aliases()[CHAMPION] == first


def test_the_same_package_is_the_same_version(params, register):
    first, second = register("first", skill=2.0), register("second", skill=2.5)
    assert register("first again", skill=2.0, graph="first") == first != second


def test_of_two_promotions_at_once_the_second_is_told_to_wait(params, register, workplace):
    register("first", skill=2.0)
    script = "from pathlib import Path; from components.turns import turn; import sys\n"
    script += f"with turn(Path({gate.LOCK!r}), 'x'): print('mine', flush=True); sys.stdin.read()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as other:
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(InputError, match="another promotion or rollback is at work"):
            gate.promote(params)
        other.communicate()
    assert gate.promote(params) == 0


def test_a_champion_made_meanwhile_elsewhere_is_not_overrun(params, register, monkeypatch):
    first, second = register("first", skill=2.0), register("second", skill=2.5)
    judge = gate.judge

    def slowly(*arguments):
        MlflowClient().set_registered_model_alias("mien", CHAMPION, first)
        return judge(*arguments)

    monkeypatch.setattr(gate, "judge", slowly)
    with pytest.raises(InputError, match=r"another champion \(version 1\)"):
        gate.promote(params)
    assert aliases() == {CHALLENGER: second, CHAMPION: first}
