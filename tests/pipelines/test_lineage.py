"""The way back from a registered model, in a git repository and an MLflow store of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from components import settings, tracking
from components.registry import FILES
from pipelines import lineage

ROOT = Path(__file__).parents[2]
MD5 = "0123456789abcdef0123456789abcdef.dir"


@pytest.fixture
def workplace(workplace):
    """The same, committed, with a data.dvc."""
    (workplace / "data.dvc").write_text(f"outs:\n- md5: {MD5}\n  path: data\n")
    git("init", "--quiet")
    commit()
    return workplace


@pytest.fixture
def register(workplace, make_package):
    """Packages and registers a model, as the step `package` does; returns the package."""

    def made(name: str = "first", md5: str = MD5, **how: str) -> Path:
        package = make_package(name, skill=2.0, data_md5=md5, **how)
        params = settings.load(workplace / "params.yaml")
        with tracking.step_run("package", params.model_dump()) as run:
            run.artifacts(*(package / file for file in FILES))
            run.register(package)
        return package

    return made


def git(*arguments: str) -> str:
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit() -> None:
    git("add", "params.yaml", "data.dvc")
    git("commit", "--quiet", "--message", "test")


def refusal(capsys, version: str = "1") -> str:
    """What `lineage` says when a link is broken."""
    capsys.readouterr()  # MLflow talks while it registers
    assert lineage.main([version]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("mien lineage: ")
    return said


def test_the_whole_way_is_printed_and_a_missing_bento_is_named(register, tmp_path, monkeypatch):
    package = register()
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bento"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "pipelines.lineage"]
    without = subprocess.run([*command, "1"], capture_output=True, text=True, check=False)
    assert without.returncode == 1
    assert "no Bento here holds model first" in without.stderr

    (package / "MODEL_CARD.md").write_text("# card\n")
    build = "import sys, pathlib, pipelines.bento as b; print(b.store(pathlib.Path(sys.argv[1])))"
    command_line = [sys.executable, "-c", build, str(package)]
    built = subprocess.run(command_line, capture_output=True, text=True, check=True)
    tag = built.stdout.splitlines()[-1]
    run = MlflowClient().get_model_version("mien", "1").run_id
    for version in ("1", "challenger", "first"):
        done = subprocess.run([*command, version], capture_output=True, text=True, check=True)
        words = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        assert [link for link, _ in words] == ["model", "data", "git", "dvc", "mlflow", "bento"]
        said = dict(words)
        assert said["model"] == "mien version 1 (challenger), first"
        assert said["data"] == f"md5 {MD5}"
        assert said["git"] == git("rev-parse", "HEAD")
        assert said["mlflow"].startswith(f"run {run}, below ")
        assert said["bento"] == tag


def test_an_unknown_version_is_named(register, capsys):
    register()
    assert "has no version '7'; the registry has 1." in refusal(capsys, "7")


def test_other_data_than_the_commit_names_are_a_broken_link(register, capsys):
    register(md5="f" * 32 + ".dir")
    assert f"its data are {'f' * 32}.dir, but data.dvc in commit" in refusal(capsys)


def test_changes_that_nobody_committed_are_a_broken_link(register, workplace, capsys):
    with (workplace / "params.yaml").open("a") as file:
        file.write("\n# changed\n")
    register()
    assert "changes to" in refusal(capsys)
    commit()
    register("first again", graph="first")  # the same graph, packaged again once it was committed
    lineage.main(["1"])
    assert git("rev-parse", "HEAD") in capsys.readouterr().out


def test_an_experiment_is_found_by_its_name(register, workplace, capsys, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "brave-lion")
    with (workplace / "params.yaml").open("a") as file:
        file.write("\n# changed\n")
    register()
    assert "made from DVC experiment brave-lion, which is gone" in refusal(capsys)
    git("commit", "--quiet", "--all", "--message", "experiment")
    made = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/ab/{'c' * 38}/brave-lion", "HEAD")
    git("reset", "--quiet", "--hard", "HEAD~1")
    lineage.main(["1"])
    said = capsys.readouterr().out
    assert made in said
    assert "experiment brave-lion" in said


def test_a_commit_that_is_not_here_is_a_broken_link(register, capsys):
    register()
    client = MlflowClient()
    client.set_model_version_tag("mien", "1", "git_revision", "d" * 40)
    assert f"commit {'d' * 12}, which made the model, is not in this repository" in refusal(capsys)


def test_a_deleted_run_is_a_broken_link(register, capsys):
    register()
    client = MlflowClient()
    client.delete_run(client.get_model_version("mien", "1").run_id)
    assert "mlflow runs restore --run-id" in refusal(capsys)


def test_a_graph_with_other_bytes_is_a_broken_link(register, capsys):
    register()
    (graph,) = Path("mlruns").rglob("model.onnx")
    graph.write_bytes(graph.read_bytes() + b"\0")
    assert "was registered; package it again" in refusal(capsys)


def test_a_graph_that_is_gone_is_a_broken_link(register, capsys):
    register()
    (graph,) = Path("mlruns").rglob("model.onnx")
    graph.unlink()
    assert "has lost artifacts" in refusal(capsys)
