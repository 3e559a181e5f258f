"""Does the service still see what the model was made for?

    python -m pipelines.drift LOG [--reference FILE] [--out FOLDER]

Compares the newest faces of a prediction log (MIEN_PREDICTION_LOG) with those that the packaged
ensemble was measured on: the mix of answers, confidence, light, sharpness, and how far the
embeddings lie from their mean. Writes `report.html` (Evidently) and `verdict.json`. Exit status 3
is an alarm, 0 is none, 1 says that there is nothing to judge by. An earlier log may be the
reference; size of faces and detection scores are then compared as well.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components import settings
from components.data.disk import reading
from components.errors import InputError
from components.outputs import replacing, write_text
from components.settings import DriftSettings
from pipelines.drift_verdict import LABEL, MEASURED, judge, with_distance

REFERENCE = Path("artifacts/package/reference.parquet")
OUT = Path("artifacts/drift")
ALARM = 3
_NEEDED = {"time", "model_version", "embedding", LABEL, *MEASURED}


def read_log(path: Path) -> pd.DataFrame:
    """Reads a prediction log.

    Args:
        path: The folder, or one of its files. Lines that are cut off are passed over.

    Returns:
        A row a face, the oldest first.

    Raises:
        InputError: If there is no log, or not a whole line in it.
    """
    files = sorted(path.glob("predictions.jsonl*")) if path.is_dir() else [path]
    files = [file for file in files if file.is_file()]
    lines = []
    for file in files:
        with reading(file):
            text = file.read_text(encoding="utf-8", errors="replace")
        lines += [line for line in map(_parsed, text.splitlines()) if line]
    if not lines:
        raise InputError(
            f"{path} has no line of a prediction log; start the service with "
            "MIEN_PREDICTION_LOG=FOLDER and name that folder."
        )
    return pd.DataFrame(lines).sort_values("time", kind="stable", ignore_index=True)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and parsed.keys() >= _NEEDED else None


def read_reference(path: Path) -> pd.DataFrame:
    """Reads what a log is compared with: `reference.parquet`, or another log.

    Raises:
        InputError: If there is none.
    """
    if path.suffix != ".parquet":
        return read_log(path)
    if not path.is_file():
        raise InputError(f"{path} is missing; `make repro` packages it with the ensemble.")
    with reading(path):
        return pd.read_parquet(path)


def choose(log: pd.DataFrame, version: str, asked: DriftSettings) -> pd.DataFrame:
    """Chooses the faces to judge: of the last hours, evenly, answered by one model.

    Args:
        log: As `read_log` returns it.
        version: Of the model whose reference it is.
        asked: `hours` before the newest line, and how many faces at least and at most.

    Raises:
        InputError: If there are too few.
    """
    own = log[log["model_version"] == version]
    times = pd.to_datetime(own["time"], utc=True)
    own = own[times > times.max() - pd.Timedelta(hours=asked.hours)]
    if len(own) < asked.min_faces:
        others = ", ".join(sorted(set(log["model_version"]) - {version})) or "no other model"
        raise InputError(
            f"the log has {len(own)} faces of model {version} in {asked.hours:g} hours (and lines "
            f"of {others}); drift.min_faces asks for {asked.min_faces}."
        )
    even = np.linspace(0, len(own) - 1, min(len(own), asked.max_faces)).round().astype(int)
    return own.iloc[even].reset_index(drop=True)


def drift(log: Path, reference: Path, out: Path, asked: DriftSettings) -> dict[str, Any]:
    """Judges a log and writes report and verdict.

    Args:
        log: As for `read_log`.
        reference: As for `read_reference`.
        out: Folder to write `report.html` and `verdict.json` to.
        asked: The window and the significance.

    Returns:
        The verdict.

    Raises:
        InputError: If there is nothing to judge, or to judge by.
    """
    from pipelines.drift_report import write_report

    known = read_reference(reference)
    version = known["model_version"].iloc[-1]
    known = known[known["model_version"] == version]
    window = choose(read_log(log), version, asked)
    window, known = with_distance(window, known), with_distance(known, known)
    verdict = judge(window, known, asked.significance)
    about = {"model_version": version, "faces": len(window), "reference_faces": len(known)}
    about |= {"since": window["time"].iloc[0], "until": window["time"].iloc[-1]}
    verdict = about | verdict
    with replacing(out) as folder:
        write_report(window, known, verdict, folder / "report.html")
        write_text(folder / "verdict.json", json.dumps(verdict, indent=1) + "\n")
    return verdict


def main(arguments: list[str] | None = None) -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.drift", description=__doc__.splitlines()[0]
    )
    parser.add_argument("log", type=Path, help="folder of the prediction log")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="or an earlier log")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    asked = parser.parse_args(arguments)
    try:
        section = settings.load(Path("params.yaml")).drift
        verdict = drift(asked.log, asked.reference, asked.out, section)
    except InputError as error:
        print(f"mien drift: {error}", file=sys.stderr)
        return 1
    for name, column in verdict["columns"].items():
        word = "DRIFTED" if column["drifted"] else "as before"
        print(f"{name:20}{word:12}p {column['p']:.2g}")
    print(f"{'alarm' if verdict['alarm'] else 'no alarm'}; see {asked.out / 'report.html'}")
    return ALARM if verdict["alarm"] else 0


if __name__ == "__main__":
    sys.exit(main())
