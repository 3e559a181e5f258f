"""Step `promote`: the gate. A challenger becomes champion if nothing speaks against it.

It judges two packages by what each answered on the same frozen test faces, and knows nothing
of a registry: `components/registry.py` brings the packages and acts on the decision. Run it as
`python -m components promote`.
"""

import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from components.data.disk import reading
from components.errors import InputError
from components.metrics import Gains, evaluate, macro_f1_gains
from components.outputs import replacing
from components.predictions import FILE
from components.settings import PromoteSettings

GRAPH, MANIFEST = "ensemble.onnx", "manifest.json"
DECISION = "decision.json"
_RUNS = 30  # of one face, whose median is the latency


@dataclass(frozen=True)
class Check:
    """One thing that a challenger must fulfil.

    Attributes:
        name: What it is about.
        passed: Whether it does.
        said: What was measured, beside what is asked.
    """

    name: str
    passed: bool
    said: str


@dataclass(frozen=True)
class Candidate:
    """A package and what it answered on the test split.

    Attributes:
        manifest: As `components.package` writes it.
        labels: (N,) integers; None of a release, which holds no label of anybody's data.
        probabilities: (N, C).
    """

    manifest: dict[str, Any]
    labels: np.ndarray | None
    probabilities: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.manifest['name']} {self.manifest['version']}"


def promote(
    challenger: Path, champion: Path | None, out: Path, settings: PromoteSettings
) -> dict[str, float]:
    """Decides whether the challenger may replace the champion.

    Args:
        challenger: Folder with `manifest.json`, `predictions.parquet` and `ensemble.onnx`.
        champion: Folder with the first two, of the champion; None while there is none.
        out: Folder to write `decision.json` and `DECISION.md` to.
        settings: The gate.

    Returns:
        `promoted` (1 or 0), the challenger's `macro_f1`, `min_recall`, `ece`, `milliseconds`
        and `megabytes`; beside a champion `macro_f1_gain` with `_low` and `_high`.

    Raises:
        InputError: If a package lacks something or its parts do not belong together.
    """
    ours = read_candidate(challenger)
    graph = challenger / GRAPH
    measured = _quality(ours, ours.labels, settings) | _costs(ours, graph)
    theirs = None
    if champion is None:
        checks = _floors(measured, {}, settings)
    else:
        theirs = read_candidate(champion)
        same = _same_test(ours, theirs)
        known = _quality(theirs, ours.labels, settings) if same.passed else {}
        checks = [same, *_floors(measured, known, settings)]
        if same.passed:
            comparison = compare(_gains(ours, theirs, settings), settings)
            checks.append(comparison)
            measured |= comparison.figures
    promoted = all(check.passed for check in checks)
    with replacing(out) as folder:
        decision = {
            "promoted": promoted,
            "challenger": ours.manifest["version"],
            "champion": theirs.manifest["version"] if theirs else None,
            "reasons": [f"{check.name}: {check.said}" for check in checks if not check.passed],
            "checks": [asdict(check) for check in checks],
        }
        text = json.dumps(decision, indent=1) + "\n"
        (folder / DECISION).write_text(text, encoding="utf-8")
        page = _markdown(ours, theirs, checks, promoted)
        (folder / "DECISION.md").write_text(page, encoding="utf-8")
    return {"promoted": float(promoted)} | measured


@dataclass(frozen=True)
class Comparison(Check):
    """The check against the champion, with its figures for the metrics."""

    figures: dict[str, float]


def compare(gains: Gains, settings: PromoteSettings) -> Comparison:
    """Decides by how much the challenger's macro-F1 is above the champion's.

    Args:
        gains: Observed, and on resampled faces.
        settings: `compare`: with `no_loss`, what is not significantly worse passes; with
            `gain`, what is significantly better. `significance` is one-sided.

    Returns:
        The check.
    """
    alpha = settings.significance
    low, high = (float(end) for end in np.quantile(gains.samples, [alpha, 1 - alpha]))
    passed = high >= 0 if settings.compare == "no_loss" else low > 0
    asked = {"no_loss": "not be below 0 as a whole", "gain": "be above 0 as a whole"}
    said = (
        f"{100 * gains.observed:+.1f} points of macro-F1 ({100 * low:+.1f} to {100 * high:+.1f}, "
        f"{1 - 2 * alpha:.0%} interval, which must {asked[settings.compare]})"
    )
    figures = {"macro_f1_gain": gains.observed}
    figures |= {"macro_f1_gain_low": low, "macro_f1_gain_high": high}
    return Comparison("against the champion", passed, said, figures)


def read_candidate(folder: Path) -> Candidate:
    """Reads a package's manifest and its answers to the test split.

    Raises:
        InputError: If the two are damaged or do not belong together.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    with reading(folder / FILE):
        table = pd.read_parquet(folder / FILE)
    if "test_sha256" not in manifest or not set(manifest["classes"]) <= set(table):
        raise InputError(
            f"{folder / MANIFEST} does not say which test faces {folder / FILE} is of; "
            "package the ensemble again."
        )
    test = table[table["split"] == "test"]
    answers = test[manifest["classes"]].to_numpy(np.float64)
    labels = test["label"].to_numpy() if "label" in test else None
    return Candidate(manifest, labels, answers)


def _same_test(ours: Candidate, theirs: Candidate) -> Check:
    own, other = (one.manifest["test_sha256"] for one in (ours, theirs))
    if own == other:
        return Check("same test faces", True, f"{len(ours.labels):,} faces, sha256 {own[:12]}")
    return Check(
        "same test faces",
        False,
        f"the challenger was measured on faces {own[:12]}, the champion on {other[:12]}: package "
        "both on the same data, or begin anew without it: take the champion's alias away, or "
        "remove serving/released where the champion is what came with mien",
    )


def _gains(ours: Candidate, theirs: Candidate, settings: PromoteSettings) -> Gains:
    answers = (one.probabilities.argmax(axis=1) for one in (ours, theirs))
    resampling = {"bootstrap": settings.bootstrap, "seed": settings.seed}
    return macro_f1_gains(ours.labels, *answers, **resampling)


def _quality(one: Candidate, labels: np.ndarray, settings: PromoteSettings) -> dict[str, float]:
    classes = tuple(one.manifest["classes"])
    resampling = {"bootstrap": settings.bootstrap, "seed": settings.seed}
    scores = evaluate(one.probabilities, labels, classes, **resampling)
    present = [name for code, name in enumerate(classes) if (labels == code).any()]
    return {
        "macro_f1": scores["macro_f1"],
        "min_recall": min(scores[f"recall.{name}"] for name in present),
        "ece": scores["ece"],
    }


def _costs(ours: Candidate, graph: Path) -> dict[str, float]:
    return {
        "milliseconds": milliseconds(graph, ours.manifest["input"]["shape"]),
        "megabytes": graph.stat().st_size / 1e6,
    }


def milliseconds(graph: Path, shape: list[int], threads: int = 0) -> float:
    """Returns the median time of one face, after a few that warm up.

    Args:
        graph: An ensemble.
        shape: (H, W, C) of the face.
        threads: That ONNX Runtime may use; 0 for one a core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    face = {session.get_inputs()[0].name: np.zeros((1, *shape), np.uint8)}
    times = []
    for _ in range(_RUNS + 3):
        start = time.perf_counter()
        session.run(None, face)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[3:])


def _floors(
    measured: dict[str, float], champions: dict[str, float], settings: PromoteSettings
) -> list[Check]:
    """Checks what is asked of any package.

    A floor of quality that the champion misses, too, asks for no less than the champion has:
    otherwise nothing better could take its place before something was better by far.
    """

    def at_least(name: str, key: str, floor: float) -> Check:
        eased = min(floor, champions.get(key, floor))
        said = f"{measured[key]:.3f}, at least {floor:g} is asked"
        if eased < floor:
            said += f", or the champion's {eased:.3f}"
        return Check(name, measured[key] >= eased, said)

    def at_most(name: str, key: str, most: float) -> Check:
        eased = max(most, champions.get(key, most))
        said = f"{measured[key]:.3g}, at most {most:g} is allowed"
        if eased > most:
            said += f", or the champion's {eased:.3g}"
        return Check(name, measured[key] <= eased, said)

    return [
        at_least("macro-F1", "macro_f1", settings.min_macro_f1),
        at_least("recall of the worst class", "min_recall", settings.min_recall),
        at_most("calibration error", "ece", settings.max_ece),
        at_most("milliseconds a face", "milliseconds", settings.max_milliseconds),
        at_most("megabytes", "megabytes", settings.max_megabytes),
    ]


def _markdown(
    ours: Candidate, theirs: Candidate | None, checks: list[Check], promoted: bool
) -> str:
    against = f"against the champion {theirs.name}" if theirs else "without a champion so far"
    rows = "\n".join(
        f"| {check.name} | {'yes' if check.passed else '**no**'} | {check.said} |"
        for check in checks
    )
    verdict = "promoted" if promoted else "refused"
    return (
        f"# {ours.name}: {verdict}\n\nJudged {against}, on the published test split.\n\n"
        f"| | passed | |\n|---|---|---|\n{rows}\n"
    )
