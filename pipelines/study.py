"""Run the experiments of the two student works, one at a time, and write docs/study.md.

    python -m pipelines.study [--budget BUDGET] [NAME ...]     (make study BUDGET=hours)

Each entry of `study.yaml` is a DVC experiment of that name in `.study`, a Git and DVC repository
of its own that holds the working tree as it is now and shares its DVC cache, so that neither
disturbs the other. What was run is not run again: a finished experiment is looked up, a stage that
several experiments share comes from DVC's run cache, and a training that was killed goes on from
its last epoch. Look closer with `cd .study && dvc exp show`.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import yaml

from components import settings
from components.errors import InputError, exit_status
from components.outputs import write_text
from pipelines.study_page import Row, page
from pipelines.study_plan import Study, compose, load, pipeline

PLAN = Path(__file__).with_suffix(".yaml")
PAGE = Path("docs/study.md")
WORK = Path(".study")
DRAWN = Path("data/truth.csv")  # only the embedded set has one
# All that a stage can depend on; a change elsewhere makes no finished experiment an old one.
PATHS = [
    *("components", "pipelines", "serving", "data.dvc", "decisions.csv"),
    *("dvc.yaml", "params.yaml", ".dvc", ".dvcignore", ".gitignore", ":!pipelines/study*"),
]
NOBODY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {
        "NAME": "mien",
        "EMAIL": "study@localhost",
        "DATE": "2000-01-01T00:00:00Z",
    }.items()
}


class Workplace:
    """The repository that experiments run in.

    Args:
        root: The working tree that it holds a copy of.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / WORK
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.path),
        }
        self.environment.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        for name in ("DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME"):
            self.environment.pop(name, None)

    def renew(self) -> None:
        """Makes it hold the working tree, uncommitted changes included.

        The commit's name follows from its content alone, so that experiments of a tree that comes
        back are found again.
        """
        if not (self.path / ".git").exists():
            self._run("git", "init", "--quiet", str(self.path), where=self.root)
        cache = self._run(*_dvc("cache", "dir"), where=self.root).strip()
        repository = ["git", f"--git-dir={self.path / '.git'}", f"--work-tree={self.root}"]
        fresh = {"GIT_INDEX_FILE": str(self.path / ".git" / "snapshot")}
        self._run(*repository, "add", "--all", "--", *PATHS, where=self.root, **fresh)
        tree = self._run(*repository, "write-tree", where=self.root, **fresh).strip()
        self.head = self._run("git", "commit-tree", tree, "-m", "working tree", **NOBODY).strip()
        self._run("git", "update-ref", "refs/heads/study", self.head)
        self._run("git", "symbolic-ref", "HEAD", "refs/heads/study")
        self._clear()
        config = f"[cache]\n    dir = {cache}\n"
        (self.path / ".dvc" / "config.local").write_text(config, encoding="utf-8")
        weights = self.path / "weights"
        if (self.root / "weights").is_dir() and not weights.is_symlink():
            weights.symlink_to(self.root / "weights")
        self._run(*_dvc("checkout", "--quiet", "data.dvc"))

    def results(self, name: str, files: dict[str, str]) -> dict[str, float] | None:
        """Returns the metrics of a finished experiment that had these files, if there is one."""
        reference = self._reference(name)
        if any(self._shown(reference, file) != text for file, text in files.items()):
            return None
        metrics = {}
        for step in ("ensemble", "baseline"):
            text = self._shown(reference, f"metrics/{step}.json")
            metrics |= {step: json.loads(text)} if text else {}
        return metrics

    def experiment(self, name: str, files: dict[str, str], target: str) -> None:
        """Runs a DVC experiment; if it fails, DVC says why and `results` finds none."""
        self._clear()
        for file, text in files.items():
            (self.path / file).write_text(text, encoding="utf-8")
        if self._shown(self._reference(name), "params.yaml"):  # of other settings
            self._run("git", "update-ref", "-d", self._reference(name))
        command = _dvc("exp", "run", "--name", name, target)
        subprocess.run(command, cwd=self.path, env=self.environment, check=False)

    def _clear(self) -> None:
        """Takes away what the experiment before left; what can be used again is in DVC's cache."""
        self._run("git", "reset", "--quiet", "--hard", self.head)
        self._run("git", "clean", "-xdfq", "artifacts", "plots", "metrics", "dvc.lock")

    def _reference(self, name: str) -> str:
        return f"refs/exps/{self.head[:2]}/{self.head[2:]}/{name}"

    def _shown(self, reference: str, file: str) -> str | None:
        command = ["git", "show", f"{reference}:{file}"]
        shown = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=False)
        return shown.stdout if shown.returncode == 0 else None

    def _run(self, *command: str, where: Path | None = None, **variables: str) -> str:
        done = subprocess.run(
            command,
            cwd=where or self.path,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            told = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise InputError(f"`{' '.join(command[:3])} ...` failed: {' '.join(told)}")
        return done.stdout


def run(study: Study, budget: str, chosen: list[str], root: Path) -> int:
    """Runs what was not run yet and writes the page, anew after every experiment.

    Args:
        study: What to run.
        budget: One of its budgets.
        chosen: Names of the experiments; of the others what is known is shown.
        root: The working tree.

    Returns:
        How many experiments failed.
    """
    workplace = Workplace(root)
    workplace.renew()
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    stages = (root / "dvc.yaml").read_text(encoding="utf-8")
    md5 = yaml.safe_load((root / "data.dvc").read_text(encoding="utf-8"))["outs"][0]["md5"]
    drawn = (root / DRAWN).exists()
    rows, planned, failed = {}, {}, []

    def there(file: str) -> bool:
        return (root / file).is_file()

    for name, experiment in study.experiments.items():
        composed = compose(params, study, experiment, study.budgets[budget], there)
        planned[name] = {
            "params.yaml": yaml.safe_dump(composed, sort_keys=False),
            "dvc.yaml": pipeline(stages, "searched" in experiment.members),
        }
        known = workplace.results(f"{budget}-{name}", planned[name])
        rows[name] = Row(experiment, composed, known and known[experiment.target])
    write_text(root / PAGE, page(rows, budget, md5, drawn=drawn))
    for name in chosen:
        row = rows[name]
        if row.metrics is not None:
            continue
        print(f"\n== {budget}-{name}: {row.experiment.title}", flush=True)
        workplace.experiment(f"{budget}-{name}", planned[name], row.experiment.target)
        metrics = workplace.results(f"{budget}-{name}", planned[name])
        if metrics is None:
            failed.append(name)
            continue
        rows[name] = replace(row, metrics=metrics[row.experiment.target])
        write_text(root / PAGE, page(rows, budget, md5, drawn=drawn))
    if failed:
        print(f"mien study: {', '.join(failed)} failed, see above.", file=sys.stderr)
    return len(failed)


def main(arguments: list[str] | None = None) -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.study", description=__doc__)
    parser.add_argument("--budget", default="quick", help="one of study.yaml (default: quick)")
    parser.add_argument("names", nargs="*", help="experiments of study.yaml; all if none is named")
    parser.add_argument("--plan", type=Path, default=PLAN, help="another study.yaml")
    asked = parser.parse_args(arguments)
    return exit_status("mien study", lambda: _do(asked))


def _do(asked: argparse.Namespace) -> int:
    settings.load(Path("params.yaml"))
    study = load(asked.plan)
    for kind, known, given in (
        ("experiment", study.experiments, asked.names),
        ("budget", study.budgets, [asked.budget]),
    ):
        if unknown := [name for name in given if name not in known]:
            told = f"{asked.plan} has no {kind} {unknown[0]!r}; it has {', '.join(known)}."
            raise InputError(told)
    names = asked.names or list(study.experiments)
    return run(study, asked.budget, names, Path.cwd()) > 0


def _dvc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


if __name__ == "__main__":
    sys.exit(main())
