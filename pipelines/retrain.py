"""Retrain, report, judge, build, push: the whole loop, here and in CI (`make retrain`).

    python -m pipelines.retrain [--against REVISION] [--because TEXT] [--update] [--report] [--push]

Brings in the data, runs what `dvc repro` has to run, writes `artifacts/retrain/report.md` (what
changed against REVISION, with pictures), asks the gate, builds the Bento of a model that passes
and, with `--push`, pushes artifacts and `dvc.lock`. Exit status 3 says that the gate refused; the
champion is then what it was. After a kill the same again goes on where it was.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import yaml

from components import settings
from components.errors import InputError, exit_status
from components.outputs import replacing, write_text
from components.turns import turn
from pipelines.retrain_page import WORDS, Verdict, page, pictures

OUT = Path("artifacts/retrain")
PACKAGE = Path("artifacts/package/manifest.json")
PARAMS = Path("params.yaml")
POINTER = Path("data.dvc")
LOCK = Path(".dvc/tmp/retrain.lock")
PUSHED = ["dvc.lock", "metrics"]
REFUSED = 3  # as of `python -m components promote`, without its import of MLflow
_PYTHON = (sys.executable, "-m")
_DVC = (*_PYTHON, "dvc")


@dataclass(frozen=True)
class Loop:
    """What the parts of one retraining share.

    Attributes:
        asked: The command line.
        turn: The locked file; what runs below inherits it, so that nothing else starts while a
            part outlives this process.
    """

    asked: argparse.Namespace
    turn: TextIO

    def run(self, *command: str) -> None:
        """Runs a part of the loop.

        Raises:
            InputError: If it fails.
        """
        inherited = {"pass_fds": (self.turn.fileno(),), "start_new_session": True}
        with subprocess.Popen(command, **inherited) as process:
            try:
                status = process.wait()
            except BaseException:  # Ctrl-C or SIGTERM: take along what works below
                os.killpg(process.pid, signal.SIGTERM)
                raise
        if status:
            raise InputError(
                f"`{_shown(command)}` failed, see above; mend that and run again: what is done is "
                "not done twice."
            )


def retrain(loop: Loop) -> int:
    """Goes once around the loop; returns the exit status.

    Raises:
        InputError: If a part fails.
    """
    asked = loop.asked
    remotes = bool(_said(*_DVC, "remote", "list").strip())
    _check(asked)
    loop.run(*_PYTHON, "pipelines.data")
    if asked.update:
        update(loop)
    loop.run(*_DVC, "repro", *(["--pull"] if remotes else []))
    verdict = Verdict("reported") if asked.report else judge(loop)
    if verdict.word in ("promoted", "champion already"):
        verdict = verdict.with_bento(_said(*_PYTHON, "pipelines.bento").splitlines()[-1])
    _write(asked, verdict)
    if asked.push and verdict.word in ("promoted", "champion already"):
        push(loop, remotes)
    print(f"{WORDS[verdict.word]} See {OUT / 'report.md'}.")
    return REFUSED if verdict.word in ("refused", "rolled back") else 0


def _check(asked: argparse.Namespace) -> None:
    verify = ["git", "rev-parse", "--verify", "--quiet", f"{asked.against}^{{commit}}"]
    if subprocess.run(verify, stdout=subprocess.DEVNULL, check=False).returncode:
        raise InputError(f"there is no revision {asked.against!r} here; name one with --against.")
    others = ["--", ".", *(f":(exclude){path}" for path in PUSHED)]
    if asked.push and _said("git", "status", "--porcelain", "-uno", *others):
        raise InputError("--push would leave changes behind that made the model; commit them.")


def update(loop: Loop) -> None:
    """Asks where `data` was imported from (`dvc import-url`) for its newest state.

    Raises:
        InputError: If it cannot be had.
    """
    if "deps" not in yaml.safe_load(POINTER.read_text(encoding="utf-8")):
        print("data was not imported from elsewhere (`dvc import-url`): nothing to update.")
        return
    loop.run(*_DVC, "update", str(POINTER))
    if loop.asked.push and _said("git", "status", "--porcelain", str(POINTER)):
        # The model is then made of what a commit holds.
        loop.run("git", "commit", "--quiet", "--message", "Update the data", str(POINTER))


def judge(loop: Loop) -> Verdict:
    """Asks the gate about what lies in `artifacts/package`.

    Raises:
        InputError: If it cannot judge, or MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        return _judge(loop)
    except MlflowException as error:
        # Its own words name the address, which may carry a password.
        raise InputError(
            f"MLflow did not do what was asked ({error.error_code}); look after its server "
            "(MLFLOW_TRACKING_URI) and run again: what is trained is not trained twice."
        ) from None


def _judge(loop: Loop) -> Verdict:
    from components import gate
    from components.registry import CHALLENGER, CHAMPION, DECISION, ROLLED_BACK, Registry
    from components.tracking import connect

    manifest = json.loads(PACKAGE.read_text(encoding="utf-8"))
    registry = Registry(manifest["name"], connect())
    known = registry.packaged(manifest)
    if known is not None:
        champion = registry.version(CHAMPION)
        if champion is not None and champion.version == known.version:
            return Verdict("champion already", manifest["version"])
        if known.tags.get(DECISION) == ROLLED_BACK:
            return Verdict("rolled back", manifest["version"])
    challenger = registry.version(CHALLENGER)
    if known is None or challenger is None or challenger.version != known.version:
        # It came out of DVC's cache, or another was packaged since, such as an experiment's.
        loop.run(*_DVC, "repro", "--force", "--single-item", "package")
        manifest = json.loads(PACKAGE.read_text(encoding="utf-8"))
    refused = gate.promote(settings.load(PARAMS)) == gate.REFUSED
    decision = (gate.OUT / "DECISION.md").read_text(encoding="utf-8")
    return Verdict("refused" if refused else "promoted", manifest["version"], decision)


def push(loop: Loop, remotes: bool) -> None:
    """Pushes artifacts first, so that no commit names what cannot be had."""
    if remotes:
        loop.run(*_DVC, "push", "--quiet")
    if _said("git", "status", "--porcelain", "--", *PUSHED):
        loop.run("git", "add", "--", *PUSHED)
        loop.run("git", "commit", "--quiet", "--message", f"Retrain: {loop.asked.because}")
    loop.run("git", "push", "--quiet")


def _write(asked: argparse.Namespace, verdict: Verdict) -> None:
    """Writes the report, its pictures and, for programs, `outcome.json`."""
    against = asked.against
    metrics = json.loads(_said(*_DVC, "metrics", "diff", "--all", "--json", against))
    params = _said(*_DVC, "params", "diff", "--md", against)
    before = subprocess.run(
        ["git", "show", f"{against}:{POINTER}"], capture_output=True, text=True, check=False
    ).stdout
    md5s = [_md5(text) for text in (before, POINTER.read_text(encoding="utf-8"))]
    with replacing(OUT) as folder:
        drawn = pictures(json.loads(_said(*_DVC, "plots", "diff", "--json", against)), folder)
        text = page(
            verdict,
            because=asked.because,
            against=against,
            metrics=metrics,
            params=params,
            data=(md5s[0], md5s[1]),
            pictures=drawn,
            prefix=asked.pictures,
        )
        write_text(folder / "report.md", text)
        outcome = {"verdict": verdict.word, "version": verdict.version, "bento": verdict.bento}
        write_text(folder / "outcome.json", json.dumps(outcome) + "\n")


def _md5(pointer: str) -> str:
    return yaml.safe_load(pointer)["outs"][0]["md5"] if pointer else "none"


def _said(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise InputError(f"`{_shown(command)}` failed, see above; mend that and run again.")
    return done.stdout


def _shown(command: tuple[str, ...]) -> str:
    # Without the rest of a longer command: an address may carry a password.
    words = command[2:] if command[:2] == _PYTHON else command
    return " ".join(words[:2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.retrain", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--against", default="main", help="revision that the report compares with")
    parser.add_argument("--because", default="by hand", help="the report says so")
    parser.add_argument("--update", action="store_true", help="fetch imported data anew, first")
    parser.add_argument("--report", action="store_true", help="judge and push nothing")
    parser.add_argument("--push", action="store_true", help="push what was made, if it passes")
    parser.add_argument("--pictures", default="", help="address that the pictures will have")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Returns the process's exit status."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return exit_status("mien retrain", lambda: _do(asked))


def _do(asked: argparse.Namespace) -> int:
    settings.load(PARAMS)
    if os.environ.get("MLFLOW_TRACKING_URI") == "":
        raise InputError("MLFLOW_TRACKING_URI is empty; name a server, or take it away.")
    with turn(LOCK, "retraining") as locked:
        return retrain(Loop(asked, locked))


if __name__ == "__main__":
    sys.exit(main())
