"""Keep the packaged ensemble in the repository, with its evidence, and write what it reaches.

    python -m pipelines.release     (make release)

What `dvc repro` packaged goes to `serving/released/LABEL_SET`: the package, its members
as Keras reads them (another training may start there; from `NAME.selected.keras` of a member that a
refit showed the validation faces) with the curves of their training, what it
answered on the test faces (not their labels, which are the data set's), the settings, `dvc.lock`,
metrics and pictures, MLflow's runs, and checksums of it all. `docs/results.md` and the README's
table are written from that. `make serve` serves it where nothing else is champion, and the gate
(`components/gate.py`) takes it for the champion where there is none.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from components import settings
from components.errors import InputError, exit_status
from components.gate import RELEASED
from components.metrics import read
from components.outputs import replacing, write_text
from components.predictions import NETWORK, SELECTED
from components.promote import milliseconds
from pipelines.release_card import whole_card
from pipelines.results_page import page, summary
from serving.engine import read_manifest

PACKAGE = Path("artifacts/package")
TRAINED = Path("artifacts/train")
ANSWERS = Path("artifacts/ensemble/predictions.parquet")
EVIDENCE = [
    *("params.yaml", "dvc.lock"),
    *("plots/ensemble/confusion.png", "plots/ensemble/reliability.png"),
]
METRICS = Path("metrics")
STEPS = ["ingest", "clean", "balance", "design", "ensemble", "evaluate", "package"]
CARD = "MODEL_CARD.md"
SUMS = "SHA256SUMS"
MOST = 20  # megabytes of all graphs together, which every clone of the repository fetches
PAGE = Path("docs/results.md")
README = Path("README.md")
BEGIN, END = "<!-- written by make release -->", "<!-- until here -->"


def release() -> Path:
    """Copies what was packaged to `serving/released`, and writes the page of all releases.

    Returns:
        The folder of the release.

    Raises:
        InputError: If there is nothing packaged, a part of the evidence is not there or not of the
            package, or the graphs would be too large for Git.
    """
    manifest = read_manifest(PACKAGE)
    steps = [*STEPS, *(f"train/{member}" for member in manifest["members"])]
    metrics = [METRICS / f"{step}.json" for step in steps]
    evidence = [Path(path) for path in EVIDENCE]
    networks = [TRAINED / member / NETWORK for member in manifest["members"]]
    networks += [TRAINED / member / SELECTED for member in manifest["refitted"]]
    curves = [TRAINED / member / "curves.csv" for member in manifest["members"]]
    _check_evidence(manifest, [ANSWERS, *evidence, *metrics, *networks, *curves])
    _check_size(manifest["label_set"])
    out = RELEASED / manifest["label_set"]
    with replacing(out) as folder:
        for name in ("ensemble.onnx", "manifest.json"):
            shutil.copy(PACKAGE / name, folder)
        card = (PACKAGE / CARD).read_text(encoding="utf-8")
        told = whole_card(card, METRICS / "evaluate.json", manifest["label_set"])
        (folder / CARD).write_text(told, encoding="utf-8")
        (folder / "members").mkdir()
        for file in networks + curves:
            part = ".selected" if file.name == SELECTED else ""
            kept = f"{file.parent.name}{part}{file.suffix}"
            shutil.copy(file, folder / "members" / kept)
        _answers(manifest).to_parquet(folder / "predictions.parquet", index=False)
        for path in evidence:
            shutil.copy(path, folder)
        for path in metrics:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path)
        _write(_of_members(_runs(manifest), manifest["members"]), folder / "runs.json")
        cost = milliseconds(PACKAGE / "ensemble.onnx", manifest["input"]["shape"], threads=1)
        _write({"milliseconds": round(cost, 2)}, folder / "cost.json")
        (folder / SUMS).write_text(_sums(folder), encoding="utf-8")
    releases = sorted(RELEASED.iterdir())
    write_text(PAGE, page(releases))
    _summarise(releases)
    return out


def _summarise(releases: list[Path]) -> None:
    """Rewrites the README's table of results, between its two marks."""
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise InputError(
            f"{README} has no lines {BEGIN!r} and {END!r} for the table; put them back."
        )
    write_text(README, f"{before}{begin}\n{summary(releases)}{end}{after}")


def _write(values: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _sums(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in files
    )


def _check_evidence(manifest: dict[str, Any], files: list[Path]) -> None:
    missing = [str(path) for path in files if not path.exists()]
    if missing:
        raise InputError(f"{', '.join(missing)} is missing; run `dvc repro`.")
    if read(METRICS / "ensemble.json") != manifest["metrics"]:
        raise InputError(f"{METRICS} and {PACKAGE} are not of one ensemble; run `dvc repro`.")


def _check_size(label_set: str) -> None:
    others = [folder for folder in RELEASED.glob("*") if folder.name != label_set]
    graphs = [folder / "ensemble.onnx" for folder in (PACKAGE, *others)]
    megabytes = sum(graph.stat().st_size for graph in graphs) / 1e6
    if megabytes > MOST:
        raise InputError(
            f"the released graphs would come to {megabytes:.1f} MB, and {MOST} are allowed; "
            "release fewer members, or one that learnt from them (train.*.distil)."
        )


def _answers(manifest: dict[str, Any]) -> pd.DataFrame:
    """Returns the test faces' rows and probabilities, in the order that the gate compares by."""
    table = pd.read_parquet(ANSWERS)
    return table.loc[table["split"] == "test", ["row", "split", *manifest["classes"]]]


def _runs(manifest: dict[str, Any]) -> dict[str, Any]:
    """Returns the run that packaged the ensemble, and the last ones before it, by their names.

    Those of another `dvc exp run`, logged to the same store, are none of its.
    """
    from components.registry import Registry
    from components.tracking import DVC_EXPERIMENT, connect

    client = connect()
    version = Registry(manifest["name"], client).packaged(manifest)
    if version is None:
        raise InputError("MLflow's registry does not know the package; run `dvc repro` again.")
    own = client.get_run(version.run_id)
    query = f"attributes.start_time <= {own.info.start_time}"
    oldest_first = ["attributes.start_time"]
    before = client.search_runs([own.info.experiment_id], query, order_by=oldest_first)
    name = own.data.tags[DVC_EXPERIMENT]
    return {
        run.info.run_name: {
            "parameters": run.data.params,
            "metrics": run.data.metrics,
            "tags": {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")},
        }
        for run in before
        if run.info.status == "FINISHED" and run.data.tags.get(DVC_EXPERIMENT, name) == name
    }


def _of_members(runs: dict[str, Any], members: Iterable[str]) -> dict[str, Any]:
    """Returns the runs but for trainings of other networks, and for parents of no other run."""
    from components.tracking import KEY

    trained = {f"train {member}" for member in members}
    steps = {
        name: run
        for name, run in runs.items()
        if name != run["tags"].get(KEY) and (name in trained or not name.startswith("train "))
    }
    parents = {run["tags"].get(KEY) for run in steps.values()}
    return {name: run for name, run in runs.items() if name in steps or name in parents}


def main() -> int:
    """Releases what was packaged; returns the exit status."""
    settings.load(Path("params.yaml"))

    def work() -> int:
        out = release()
        print(f"{out} holds the release {PAGE} and {README} its figures; commit all three.")
        return 0

    return exit_status("mien release", work)


if __name__ == "__main__":
    sys.exit(main())
