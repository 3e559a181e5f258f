"""What can be said of the workflows without GitHub."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = {
    file.stem: yaml.safe_load(file.read_text())
    for file in (ROOT / ".github" / "workflows").glob("*.yaml")
}
STEPS = [
    pytest.param(step, id=f"{name}-{job}-{number}")
    for name, workflow in WORKFLOWS.items()
    for job, its in workflow["jobs"].items()
    for number, step in enumerate(its["steps"])
]


@pytest.mark.parametrize("step", STEPS)
def test_actions_are_pinned_and_scripts_take_nothing_from_strangers(step):
    if "uses" in step:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
    else:
        assert "${{" not in step["run"]  # it would be pasted into the script; `env` is not


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_may_do_only_what_they_say(name):
    workflow = WORKFLOWS[name]
    assert set(workflow["permissions"].values()) <= {"read"}
    for job, its in workflow["jobs"].items():
        allowed = its.get("permissions", workflow["permissions"])
        writes = {what for what, how in allowed.items() if how == "write"}
        assert writes <= ({"contents", "pull-requests"} if job in ("retrain", "publish") else set())


def test_a_pull_request_gets_no_secret_that_can_write():
    text = yaml.safe_dump(WORKFLOWS["retrain"]["jobs"]["report"])
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"DVC_READ_KEY_ID", "DVC_READ_KEY"}
    assert "secrets." not in yaml.safe_dump(WORKFLOWS["retrain"]["jobs"]["publish"])


def test_what_they_make_is_a_verb_of_the_makefile():
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = {
        verb
        for step in STEPS
        for verb in re.findall(r"^make (\S+)", step.values[0].get("run", ""), re.MULTILINE)
    }
    assert made == {"lint", "lock", "test", "retrain"}
    assert made <= set(verbs)


def test_pictures_are_published_on_a_branch_of_their_own(tmp_path):
    (script,) = [
        step["run"]
        for step in WORKFLOWS["retrain"]["jobs"]["publish"]["steps"]
        if step.get("name") == "Publish"
    ]
    origin, work, report = tmp_path / "origin.git", tmp_path / "work", tmp_path / "report"
    report.mkdir()
    (report / "report.md").write_text("# Retrained\n")
    (report / "models.png").write_bytes(b"picture")
    environment = os.environ | {
        f"GIT_{role}_{key}": "test" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    environment |= {"REPORT": str(report), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    environment |= {"PULL_REQUEST": ""}

    def run(*command: str, where: Path = work, **more: str) -> str:
        done = subprocess.run(
            command, cwd=where, env=environment | more, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("git", "init", "--quiet", "--bare", "-b", "main", str(origin), where=tmp_path)
    run("git", "clone", "--quiet", str(origin), str(work), where=tmp_path)
    (work / "README.md").write_text("ours\n")
    run("git", "add", ".")
    run("git", "commit", "--quiet", "-m", "first")
    run("git", "push", "--quiet", "origin", "HEAD:main")
    for number in ("7", "8"):
        run("git", "switch", "--quiet", "--detach", "origin/main")
        run("bash", "-euo", "pipefail", "-c", script, GITHUB_RUN_ID=number)
    listed = run("git", "ls-tree", "-r", "--name-only", "retrain-reports", where=origin)
    assert listed.split() == ["7/models.png", "8/models.png"]
    assert (tmp_path / "summary").read_text().count("# Retrained") == 2
