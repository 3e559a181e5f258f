"""Run the search step, with workers if SEARCH_WORKERS asks for some (`make search WORKERS=2`).

With workers a chief draws the trials and keeps the results, and every worker is a process that
trains them one by one. More machines can take part: each needs the repository, the `.checkpoints`
folder of the chief (NFS or the like) and Keras Tuner's three variables, and runs
`python -m components search`.
"""

import os
import signal
import socket
import subprocess
import sys
import time

RESTARTS = 2  # of each worker; after that something is wrong with more than one process
STEP = [sys.executable, "-m", "components", "search"]


def main() -> int:
    """Runs the search; returns the exit status."""
    asked = os.environ.get("SEARCH_WORKERS", "1")
    if not asked.isdigit() or int(asked) < 1:
        print(f"mien search: SEARCH_WORKERS is {asked!r}; give a number from 1.", file=sys.stderr)
        return 1
    if asked == "1":
        return subprocess.run(STEP, check=False).returncode
    # As for Ctrl-C: take the team along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return run_team(int(asked))


def run_team(workers: int) -> int:
    """Runs a chief and its workers; returns the chief's exit status, or 1 if the workers died.

    Keras Tuner's chief waits for ever for workers that are gone, so somebody must watch: a
    worker that dies is started again under its name and gets its trial back.
    """
    port = _free_port()
    chief = _start("chief", port)
    team = {f"worker{number}": _start(f"worker{number}", port) for number in range(workers)}
    deaths = dict.fromkeys(team, 0)
    try:
        while chief.poll() is None:
            for name, worker in team.items():
                if worker.poll() in (None, 0):
                    continue
                deaths[name] += 1
                told = f"mien search: {name} died with status {worker.returncode}"
                if deaths[name] > RESTARTS:
                    print(f"{told} for the last time; the search ends.", file=sys.stderr)
                    return 1
                print(f"{told}; starting it again.", file=sys.stderr)
                team[name] = _start(name, port)
            time.sleep(0.5)
        return chief.returncode
    finally:
        for process in (chief, *team.values()):
            process.terminate()
        for process in (chief, *team.values()):
            process.wait()


def _start(name: str, port: int) -> subprocess.Popen:
    role = {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
    }
    return subprocess.Popen(STEP, env=os.environ | role)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
