"""The page of what is released: every figure beside what the two works and the literature state."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HEAD = """# Results

Written by `make release`; do not edit. Of the packages in
[`serving/released`](../serving/released), trained by this project's pipeline, from random
weights or from one another, with the settings and the `dvc.lock` that lie beside them. Everything
was chosen on the validation split (PublicTest); the test split (PrivateTest) was scored once a
package. Accuracy on the test split as published and, beside it, without the pictures that have a
byte-identical copy in the published training split, each with its 95% bootstrap interval.
Milliseconds are those of one face on one core of the machine that made the release.

What others state is theirs, on the split as published; nobody measured it here.
"""
TABLE = """
| | accuracy | leak-free | macro-F1 | ECE | parameters | MMACs | ms |
|---|---|---|---|---|---|---|---|
"""
SUMMARY = """| | PrivateTest | leak-free | ECE | ms a face, one core | the report states |
|---|---|---|---|---|---|
"""
TESTS = ("test", "test_leak_free")
KEYS = ("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece")
MAJORITY = ("slice.taggers.majority", "slice_leak_free.taggers.majority")
TITLES = {"fer2013": "FER-2013's seven classes", "ferplus": "FER+'s eight classes"}

PASSES = {"none": 1, "flip": 2, "two_scales": 4}  # through the network, for a face
SEEN = {
    "none": "",
    "flip": "; a face and its mirror image are averaged",
    "two_scales": "; a face, its middle enlarged, and their mirror images are averaged",
}
REPORT = {"fer2013": 0.747, "ferplus": 0.8432}


class Stated(NamedTuple):
    """An accuracy that somebody states, and for what."""

    accuracy: float
    of: str


PEERS = {
    "fer2013": [
        Stated(0.640, "the article: mini-Xception"),
        Stated(0.693, "the article: the best of a generator of random architectures"),
        Stated(REPORT["fer2013"], "the report: VGGFace and VGGFace2, pretrained on faces"),
        Stated(0.733, "Pramerdorfer & Kampel (2016): one network, ten crops"),
        Stated(0.752, "Pramerdorfer & Kampel (2016): eight networks"),
    ],
    "ferplus": [
        Stated(REPORT["ferplus"], "the report: VGGFace and VGGFace2, pretrained on faces"),
        Stated(0.8499, "Barsoum et al. (2016): VGG13, drawn labels; `majority` rule"),
    ],
}


def page(releases: list[Path]) -> str:
    """Returns the page as Markdown.

    Args:
        releases: Folders that `pipelines.release` wrote.
    """
    return HEAD + "".join(_section(folder) for folder in releases)


def summary(releases: list[Path]) -> str:
    """Returns the README's table: a line a release.

    Args:
        releases: Folders that `pipelines.release` wrote.
    """
    lines = []
    for folder in releases:
        manifest = _read(folder / "manifest.json")
        label_set, scores = manifest["label_set"], manifest["metrics"]
        networks = sum(weight > 0 for weight in manifest["members"].values())
        title = TITLES[label_set] + (f", {networks} networks" if networks > 1 else ", one network")
        cells = [title, *(_accuracy(scores, split) for split in TESTS)]
        cells += [f"{scores['test.ece']:.3f}", f"{_read(folder / 'cost.json')['milliseconds']:.1f}"]
        lines.append(f"| {' | '.join([*cells, str(REPORT[label_set])])} |\n")
    return SUMMARY + "".join(lines)


def _section(folder: Path) -> str:
    manifest = _read(folder / "manifest.json")
    # Not by `components.settings`, which knows today's keys: these are those of the release's day.
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    label_set = manifest["label_set"]
    rule = f", `{params['clean']['rule']}` rule" if label_set == "ferplus" else ""
    rows = [
        *_ours(folder, manifest),
        *(f"| {one.of} | {one.accuracy:g} | | | | | | |" for one in PEERS[label_set]),
    ]
    scores = manifest["metrics"]
    there = f"../serving/released/{folder.name}"
    return (
        f"\n## {TITLES[label_set]}{rule}\n\n"
        f"`{manifest['name']}` {manifest['version']}, on {scores['test.n']:.0f} test faces, "
        f"{scores['test_leak_free.n']:.0f} of them leak-free{SEEN[_tta(manifest)]}. "
        f"[Model card]({there}/MODEL_CARD.md), [settings]({there}/params.yaml).\n"
        f"{_refitted(manifest)}"
        f"{TABLE}{chr(10).join(rows)}\n\n"
        f"![Confusion matrix]({there}/confusion.png)\n\n"
        f"![Reliability diagram]({there}/reliability.png)\n"
    )


def _tta(manifest: dict[str, Any]) -> str:
    """Returns the test-time augmentation of a release, which had another key up to run 11."""
    return manifest["tta"] if "tta" in manifest else ("flip" if manifest["flip"] else "none")


def _refitted(manifest: dict[str, Any]) -> str:
    names = manifest.get("refitted")  # which a release before run 22 does not have
    if not names:
        return ""
    return (
        f"\n{' and '.join(f'`{name}`' for name in names)} learnt PublicTest's faces, too, once all "
        "had been chosen by them, but for those that the temperature is from (`train.*.refit`).\n"
    )


def _ours(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Returns a row for the ensemble and, if there are several, for each of its members."""
    design = _read(folder / "metrics/design.json")
    each = _read(folder / "metrics/evaluate.json")
    heard = [name for name, weight in manifest["members"].items() if weight > 0]
    passes = PASSES[_tta(manifest)]
    parameters = {name: design[f"{name}.parameters"] for name in heard}
    mmacs = {name: passes * design[f"{name}.mmacs"] for name in heard}
    whole = " + ".join(f"`{name}`" for name in heard)
    milliseconds = _read(folder / "cost.json")["milliseconds"]
    rows = [
        _row(
            f"**mien: {whole}**",
            manifest["metrics"],
            [sum(parameters.values()), sum(mmacs.values())],
            f"{milliseconds:.1f}",
        )
    ]
    if len(heard) > 1:
        rows += [
            _row(
                f"`{name}` alone",
                {
                    f"{split}.{key}": each[f"{split}.{name}.{key}"]
                    for split in TESTS
                    for key in KEYS
                },
                [parameters[name], mmacs[name]],
                "",
            )
            for name in heard
        ]
    if manifest["label_set"] == "ferplus":
        rows += _by_majority(each)
    return rows


def _by_majority(each: dict[str, float]) -> list[str]:
    """Returns a row for the faces that the rule `majority` keeps, if they were told apart."""
    if f"{MAJORITY[0]}.n" not in each:
        return []
    told = [_accuracy(each, one) for one in MAJORITY]
    faces = each[f"{MAJORITY[0]}.n"]
    title = f"the same by the `majority` rule: {faces:,.0f} faces that most taggers agree on"
    return [f"| {' | '.join([title, *told])} | | | | | |"]


def _row(title: str, scores: dict[str, float], cost: list[float], milliseconds: str) -> str:
    cells = [title]
    cells += [_accuracy(scores, split) for split in TESTS]
    cells += [f"{scores['test.macro_f1']:.3f}", f"{scores['test.ece']:.3f}"]
    cells += [f"{cost[0]:,.0f}", f"{cost[1]:.0f}", milliseconds]
    return f"| {' | '.join(cells)} |"


def _accuracy(scores: dict[str, float], split: str) -> str:
    value, low, high = (scores[f"{split}.accuracy{bound}"] for bound in ("", "_low", "_high"))
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))
