"""Train a member, in several processes if TRAIN_WORKERS asks for some.

With TRAIN_WORKERS=2 two processes share out every batch (`components/parallel.py`), under JAX.
More machines can take part: each needs the repository with its artifacts, the `.checkpoints`
folder of the first (NFS or the like) and Keras's three variables, and runs
`python -m components train MEMBER`.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time

from components import rank
from components.errors import exit_status
from pipelines import team
from pipelines.allocation import environment

GRACE = 100  # seconds that a chief has to say itself what is wrong


def main(arguments: list[str] | None = None) -> int:
    """Runs the training; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.train",
        description="Train one member, in TRAIN_WORKERS processes that share out every batch.",
    )
    parser.add_argument("member", help="one of train.members in params.yaml")
    step = [sys.executable, "-m", "components", "train", parser.parse_args(arguments).member]

    def work() -> int:
        workers = team.asked("TRAIN_WORKERS")
        if workers == 1:
            return subprocess.run(step, env=environment(), check=False).returncode
        return run_team(step, workers)

    return exit_status("mien train", work)


def run_team(step: list[str], workers: int) -> int:
    """Runs a training in processes that share it; returns the first one's exit status.

    A training that lost one of them cannot go on, but it can be run again: it begins where the
    last whole epoch ended.
    """
    told = {
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "jax"),
        rank.ADDRESS: f"127.0.0.1:{team.free_port()}",
        rank.PROCESSES: str(workers),
    }
    with tempfile.TemporaryFile() as unsaid, team.ending() as processes:
        for number in range(workers):
            processes[f"process {number}"] = subprocess.Popen(
                step,
                env=environment() | told | {rank.PROCESS: str(number)},
                # They would all say the same.
                stdout=unsaid if number else None,
                stderr=unsaid if number else None,
            )
        chief, *others = processes.values()
        while chief.poll() is None and not any(other.poll() for other in others):
            time.sleep(0.2)
        lost = {name: other.poll() for name, other in processes.items() if other.poll()}
        if not lost or chief.poll() is not None:
            return chief.wait()
        with contextlib.suppress(subprocess.TimeoutExpired):
            chief.wait(GRACE)
        for name, status in lost.items():
            if status != 1:  # a wrong input is the same for all, and the chief has told of it
                unsaid.seek(0)
                sys.stderr.write(unsaid.read().decode(errors="replace"))
                print(
                    f"mien train: {name} ended with status {status}; run the same again to go on.",
                    file=sys.stderr,
                )
        return chief.returncode or 1


if __name__ == "__main__":
    sys.exit(main())
