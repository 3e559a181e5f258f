"""Run the search step, with workers if SEARCH_WORKERS asks for some (`make search WORKERS=2`).

With workers a chief draws the trials and keeps the results, and every worker is a process that
trains them one by one. More machines can take part: each needs the repository, the `.checkpoints`
folder of the chief (NFS or the like) and Keras Tuner's three variables, and runs
`python -m components search`.
"""

import subprocess
import sys
import time

from components.errors import exit_status
from pipelines import team
from pipelines.allocation import environment

RESTARTS = 2  # of each worker; after that something is wrong with more than one process
STEP = [sys.executable, "-m", "components", "search"]


def main() -> int:
    """Runs the search; returns the exit status."""

    def work() -> int:
        workers = team.asked("SEARCH_WORKERS")
        if workers == 1:
            return subprocess.run(STEP, env=environment(), check=False).returncode
        return run_team(workers)

    return exit_status("mien search", work)


def run_team(workers: int) -> int:
    """Runs a chief and its workers; returns the chief's exit status, or 1 if the workers died.

    Keras Tuner's chief waits for ever for workers that are gone, so somebody must watch: a
    worker that dies is started again under its name and gets its trial back.
    """
    port = team.free_port()
    names = [f"worker{number}" for number in range(workers)]
    deaths = dict.fromkeys(names, 0)
    with team.ending() as processes:
        for name in ("chief", *names):
            processes[name] = _start(name, port)
        while processes["chief"].poll() is None:
            for name in names:
                if not (status := processes[name].poll()):
                    continue
                deaths[name] += 1
                told = f"mien search: {name} died with status {status}"
                if deaths[name] > RESTARTS:
                    print(f"{told} for the last time; the search ends.", file=sys.stderr)
                    return 1
                print(f"{told}; starting it again.", file=sys.stderr)
                processes[name] = _start(name, port)
            time.sleep(0.5)
        return processes["chief"].returncode


def _start(name: str, port: int) -> subprocess.Popen:
    role = {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
    }
    return subprocess.Popen(STEP, env=environment() | role)


if __name__ == "__main__":
    sys.exit(main())
