"""The pipeline that Kubeflow gets, and what its tasks do; `tests/test_pipeline.py` runs it."""

import shutil
from pathlib import Path

import pytest
import yaml
from kfp import compiler, dsl
from mlflow.tracking import MlflowClient

from components import settings
from components.data.labels import LABEL_SETS
from components.metrics import read
from components.synthesize import synthesize
from pipelines import kubeflow, pod

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "mien.yaml"
PARAMS = (ROOT / "params.yaml").read_text()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> str:
    """The pipeline as Kubeflow takes it, with no settings in it yet."""
    out = tmp_path_factory.mktemp("compiled") / "mien.yaml"
    compiler.Compiler().compile(kubeflow.pipeline(), str(out))
    return out.read_text()


@pytest.fixture(scope="module")
def tasks(compiled) -> dict[str, dict]:
    """The tasks by name, that of a member beside the others."""
    spec = yaml.safe_load(compiled)
    (loop,) = [part["dag"]["tasks"] for part in spec["components"].values() if "dag" in part]
    return spec["root"]["dag"]["tasks"] | loop


@pytest.fixture
def artifact(tmp_path):
    """Makes an artifact of a kind, at a path of its own."""

    def made(kind: type[dsl.Artifact], name: str) -> dsl.Artifact:
        return kind(name=name, uri=str(tmp_path / name))

    return made


def test_the_compiled_pipeline_is_the_one_in_git(compiled):
    told = (
        "python -m pipelines.kubeflow compile --no-defaults --out tests/pipelines/golden/mien.yaml"
    )
    assert compiled == GOLDEN.read_text(), f"if this is meant, run `{told}`"


def test_every_stage_is_a_task_with_the_command_and_the_inputs_that_dvc_has(compiled, tasks):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(tasks) == {*stages, "begin", "data", "for-loop-1"}
    executors = yaml.safe_load(compiled)["deploymentSpec"]["executors"]
    made = {"data": "data"}
    for name, stage in stages.items():
        (source,) = [
            part for part in executors[f"exec-{name}"]["container"]["command"] if "pod." in part
        ]
        command = stage["cmd"] if isinstance(stage["cmd"], str) else stage["cmd"][0]
        assert command.removeprefix("python -m ").replace("${item.member}", "{member}") in source
        given = {
            key.removeprefix("pipelinechannel--") for key in tasks[name]["inputs"]["artifacts"]
        }
        paths = [
            path
            for path in stage["deps"]
            if Path(path).parts[0] in ("artifacts", "metrics", "plots", "data")
        ]
        assert given == {
            maker for path in paths for out, maker in made.items() if path.startswith(out)
        }
        for out in (*stage["outs"], *stage["metrics"]):
            (path,) = out
            made[path.removesuffix("/${item.member}").removesuffix(".json")] = name


def test_every_task_has_requests_limits_and_retries(compiled, tasks):
    for name, container in yaml.safe_load(compiled)["deploymentSpec"]["executors"].items():
        resources = container["container"]["resources"]
        assert 0 < resources["cpuRequest"] <= resources["cpuLimit"], name
        assert 0 < resources["memoryRequest"] <= resources["memoryLimit"], name
    for name, task in tasks.items():
        if name != "for-loop-1":
            assert task["retryPolicy"]["maxRetryCount"] == 2, name
            assert task["cachingOptions"].get("enableCache", False) == (name != "begin"), name


@pytest.fixture
def store(tmp_path, empty_store, monkeypatch) -> MlflowClient:
    """An MLflow store that the steps log to."""
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path)}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return MlflowClient(uri)


@pytest.fixture
def faces(artifact) -> dsl.Dataset:
    """What the task `data` makes."""
    made = artifact(dsl.Dataset, "data")
    folder = Path(made.path, "data")
    folder.mkdir(parents=True)
    synthesize(folder, faces=140, seed=1)
    return made


def test_a_task_makes_what_its_step_wrote_and_nothing_else(faces, artifact, store):
    ingested, cleaned = (artifact(dsl.Dataset, name) for name in ("ingest", "clean"))
    counts, found = (artifact(dsl.Metrics, name) for name in ("counts", "found"))
    pod.run("components ingest", PARAMS, [faces], ingested, counts)
    pod.run("components clean", PARAMS, [ingested], cleaned, found)
    for step, made, metrics in (("ingest", ingested, counts), ("clean", cleaned, found)):
        written = [path for path in Path(made.path).rglob("*") if not path.is_dir()]
        assert not any(path.is_symlink() for path in written)
        assert {path.relative_to(made.path).parts[:2] for path in written} == {
            ("artifacts", step),
            ("metrics", f"{step}.json"),
        }
        assert metrics.metadata == read(Path(made.path, "metrics", f"{step}.json"))
    assert found.metadata["kept.train"] > 0


def test_the_steps_of_one_run_are_below_the_run_that_begin_opens(faces, artifact, store):
    members = pod.begin(PARAMS)
    assert members == yaml.safe_load(PARAMS)["ensemble"]["members"]
    made, metrics = artifact(dsl.Dataset, "ingest"), artifact(dsl.Metrics, "metrics")
    pod.run("components ingest", PARAMS, [faces], made, metrics)
    experiment = store.get_experiment_by_name("mien").experiment_id
    runs = {run.info.run_name: run for run in store.search_runs([experiment])}
    (parent,) = [run.info.run_id for name, run in runs.items() if name.startswith("repro-")]
    for step in ("kubeflow", "ingest"):
        assert runs[step].data.tags["mlflow.parentRunId"] == parent
        assert len(runs[step].data.tags["mien.git_revision"]) >= 40


def test_a_step_that_fails_ends_its_task(artifact, store, capfd):
    made, metrics = artifact(dsl.Dataset, "out"), artifact(dsl.Metrics, "metrics")
    with pytest.raises(SystemExit) as ended:
        pod.run("components ingest", PARAMS, [], made, metrics)
    assert ended.value.code == 1
    assert "mien ingest: data" in capfd.readouterr().err


def test_wrong_settings_end_the_pipeline_before_anything_is_done(tmp_path, capsys):
    wrong = PARAMS.replace("strict:", "strickt:")
    with pytest.raises(SystemExit) as ended:
        pod.begin(wrong)
    assert "did you mean 'strict'?" in str(ended.value)
    file = tmp_path / "params.yaml"
    file.write_text(wrong)
    assert kubeflow.main(["compile", "--params", str(file), "--out", str(tmp_path / "out")]) == 1
    assert "did you mean 'strict'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_image_with_other_data_is_refused(artifact):
    with pytest.raises(SystemExit) as ended:
        pod.fetch("0" * 32, artifact(dsl.Dataset, "data"))
    assert "build the image again" in str(ended.value)


def test_settings_survive_being_a_parameter(tmp_path):
    out = tmp_path / "mien.yaml"
    assert kubeflow.main(["compile", "--out", str(out), "--env", "A=b=c", "--image", "mine:1"]) == 0
    spec = yaml.safe_load(out.read_text())
    given = spec["root"]["inputDefinitions"]["parameters"]["params"]["defaultValue"]
    (tmp_path / "params.yaml").write_text(given)
    assert settings.load(tmp_path / "params.yaml") == settings.load(ROOT / "params.yaml")
    for executor in spec["deploymentSpec"]["executors"].values():
        assert executor["container"]["image"] == "mine:1"
        assert executor["container"]["env"] == [{"name": "A", "value": "b=c"}]


def test_kubeflow_is_shown_the_confusion_matrix(artifact):
    made, shown = artifact(dsl.Model, "out"), artifact(dsl.ClassificationMetrics, "confusion")
    table = Path(made.path, "plots", "ensemble", "confusion.csv")
    table.parent.mkdir(parents=True)
    table.write_text("label,predicted\nfear,happy\nfear,happy\nhappy,happy\n")
    pod.show_confusion(made, PARAMS, shown)
    matrix = shown.metadata["confusionMatrix"]
    classes = [entry["displayName"] for entry in matrix["annotationSpecs"]]
    assert classes == list(LABEL_SETS["fer2013"])
    rows = {name: row["row"] for name, row in zip(classes, matrix["rows"], strict=True)}
    assert rows["fear"][classes.index("happy")] == 2
    assert rows["happy"][classes.index("happy")] == 1
    assert sum(map(sum, rows.values())) == 3
