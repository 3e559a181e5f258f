"""Bring `data/` into the working tree as `data.dvc` in git names it.

Run it as `python -m pipelines.data` (`make data` and `make repro` do). What is there stays as
it is. What is missing is pulled when a DVC remote is set up, and drawn when `data.dvc` names
the embedded data set.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

DATA = Path("data")
POINTER = Path("data.dvc")
CHECKED = Path(".dvc/tmp/data.checked")  # what data/ looked like when DVC last compared it


def main() -> int:
    """Returns the process's exit status."""
    if DATA.exists():
        if CHECKED.exists() and CHECKED.read_text(encoding="utf-8") == _looks():
            return 0
        if _uncommitted():
            return _differs()
        CHECKED.parent.mkdir(parents=True, exist_ok=True)
        CHECKED.write_text(_looks(), encoding="utf-8")
        return 0
    if _dvc("checkout", "--quiet", str(POINTER)) == 0:
        return 0
    remotes = subprocess.run(_command("remote", "list"), capture_output=True, check=True).stdout
    if remotes:
        return _dvc("pull", str(POINTER))
    print("Drawing the embedded data set into data/ ...")
    pointer = POINTER.read_text(encoding="utf-8")
    step = [sys.executable, "-m", "components", "synthesize", "--out", str(DATA)]
    subprocess.run(step, check=True)
    subprocess.run(_command("add", "--quiet", str(DATA)), check=True)
    if POINTER.read_text(encoding="utf-8") != pointer:
        POINTER.write_text(pointer, encoding="utf-8")
        shutil.rmtree(DATA)
        return _unknown()
    return 0


def _looks() -> str:
    """Names data/ by its files' sizes and times, because DVC takes seconds to compare bytes."""
    digest = hashlib.blake2b(POINTER.read_bytes(), digest_size=16)
    for path in sorted(DATA.rglob("*")) if DATA.is_dir() else [DATA]:
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _uncommitted() -> bool:
    """Whether data/ holds other bytes than `data.dvc` says; in the cache or not is all one."""
    command = _command("data", "status", "--json")
    status = subprocess.run(command, capture_output=True, check=True).stdout
    changes = json.loads(status).get("uncommitted", {})
    # Outs of a stage that was killed before DVC noted them are listed here, too.
    return any(path.startswith(f"{DATA}/") for paths in changes.values() for path in paths)


def _differs() -> int:
    print(
        "data/ is not what data.dvc names. If you changed it on purpose, run `dvc add data`; "
        "if not, remove it and run `make data`.",
        file=sys.stderr,
    )
    return 1


def _unknown() -> int:
    md5 = yaml.safe_load(POINTER.read_text(encoding="utf-8"))["outs"][0]["md5"]
    print(
        f"data.dvc names a data set (md5 {md5}) that is neither the embedded one nor in DVC's "
        "cache, and no DVC remote is set up: run `dvc remote add --default NAME URL`, or put "
        "the files into data/.",
        file=sys.stderr,
    )
    return 1


def _dvc(*arguments: str) -> int:
    return subprocess.run(_command(*arguments), check=False).returncode


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


if __name__ == "__main__":
    sys.exit(main())
