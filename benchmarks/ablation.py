"""What each piece of training craft is worth: one change at a time from a member's recipe.

    python -m benchmarks.ablation [MEMBER] [--epochs N] [--only NAME ...]

Trains on what `dvc repro` left in artifacts/, every variant for the same epochs, and compares it
with the recipe as it is on the validation split; the interval of the gain is a bootstrap over
faces (both answers to a face are drawn together), and says nothing of another seed. A variant that
was trained is not trained again (.checkpoints/ablation).
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components import settings
from components.data.faces import FaceSet
from components.data.labels import LABEL_SETS, TTA
from components.settings import TrainSettings
from components.train import train

ARTIFACTS = Path("artifacts")
RESULTS = Path(".checkpoints/ablation")
RESAMPLES = 2000
STILL = {
    "flip": False,
    "shift": 0,
    "rotate": 0,
    "zoom": 0,
    "contrast": 0,
    "brightness": 0,
    "erase": 0,
}
LIGHT, PLACE = ("contrast", "brightness"), ("shift", "rotate", "zoom")

Change = dict[str, Any]


def variants(recipe: TrainSettings, input_size: int) -> dict[str, Change]:
    """Returns what each variant changes in the recipe of a network at `input_size`."""
    augment = recipe.augment.model_dump()
    without = {key: 0 for key in (*LIGHT, *PLACE)}
    small = max(8, input_size * 2 // 3)
    sgd = {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.0}
    return {
        "recipe": {},
        "label smoothing off" if recipe.label_smoothing else "label smoothing 0.1": {
            "label_smoothing": 0.0 if recipe.label_smoothing else 0.1
        },
        "no augmentation": {"augment": STILL},
        "mirrored faces only": {"augment": STILL | {"flip": True}},
        "no geometric augmentation": {"augment": augment | {key: 0 for key in PLACE}},
        "no photometric augmentation": {"augment": augment | {key: 0 for key in LIGHT}},
        "random erasing off" if augment["erase"] else "random erasing 0.25": {
            "augment": augment | {"erase": 0 if augment["erase"] else 0.25}
        },
        "erasing alone": {"augment": augment | without},
        "mixup 0.2": {"mix": {"method": "mixup", "alpha": 0.2}},
        "CutMix 1.0": {"mix": {"method": "cutmix", "alpha": 1.0}},
        "SAM 0.05": {"sam": 0.05},
        f"half of the epochs at {small} px": {"sizes": [{"until": 0.5, "size": small}]},
        "steps in bfloat16": {"precision": "mixed_bfloat16"},
        "distilled from the packaged ensemble": {
            "distil": {"teacher": str(ARTIFACTS / "package"), "weight": 0.5, "temperature": 2.0}
        },
        "votes as a second task": {"votes": 0.5},
        "averaged weights 0.99": {"ema": 0.99},
        "averaged weights 0.999": {"ema": 0.999},
        "SGD with Nesterov momentum": sgd,
        "plateau schedule": {"schedule": "plateau", "warmup_epochs": 0},
        "labels drawn": {"draw_labels": True},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("member", nargs="?", default="mini_xception")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--only", nargs="+", help="these variants (and the recipe)")
    asked = parser.parse_args()
    params = settings.load(Path("params.yaml"))
    recipe = params.train.members[asked.member]
    if asked.epochs:
        recipe = recipe.model_copy(update={"epochs": asked.epochs})
    chosen = variants(recipe, params.design[asked.member].input_size)
    if params.clean.targets == "hard":  # a label that is drawn from one label is that label
        del chosen["labels drawn"]
    if FaceSet.open(ARTIFACTS / "ingest").votes is None:
        del chosen["votes as a second task"]
    if asked.only:
        if unknown := set(asked.only) - set(chosen):
            parser.error(
                f"--only: no variant {', '.join(sorted(unknown))} for these data and this recipe; "
                f"there are {', '.join(chosen)}."
            )
        chosen = {name: chosen[name] for name in ("recipe", *asked.only)}
    classes = LABEL_SETS[params.clean.label_set]
    base = None
    print(f"{asked.member}, {recipe.epochs} epochs, validation split\n")
    print("| variant | accuracy | gain, points (95%) |\n|---|---|---|", flush=True)
    for name, change in chosen.items():
        varied = TrainSettings.model_validate(recipe.model_dump() | change)
        table = predictions(asked.member, varied, classes)
        right = hits(table, classes)
        base = right if base is None else base
        print(row(name, right, base), flush=True)
        if name == "recipe":
            for tta in ("flip", "two_scales"):
                print(row(f"test-time augmentation: {tta}", hits(table, classes, tta), base))


def predictions(member: str, recipe: TrainSettings, classes: tuple[str, ...]) -> pd.DataFrame:
    """Returns a variant's logits on the validation split, training it if need be."""
    key = hashlib.blake2b(recipe.model_dump_json().encode(), digest_size=6).hexdigest()
    out = RESULTS / member / key
    if not out.exists():
        train(
            ARTIFACTS / "design" / f"{member}.json",
            ARTIFACTS / "ingest",
            ARTIFACTS / "clean",
            ARTIFACTS / "balance",
            out,
            recipe,
            classes=classes,
            checkpoints=RESULTS / "running" / key,
        )
    return pd.read_parquet(out / "predictions.parquet").query("split == 'val'")


def hits(table: pd.DataFrame, classes: tuple[str, ...], tta: str = "none") -> np.ndarray:
    """Returns where the top class is the label: (N,) bool."""
    logits = table[[TTA[tta] + name for name in classes]].to_numpy()
    return logits.argmax(axis=1) == table["label"].to_numpy()


def row(name: str, right: np.ndarray, base: np.ndarray) -> str:
    """Returns a line of the table."""
    if right is base:
        return f"| {name} | {right.mean():.3f} | |"
    gains = right.astype(int) - base
    draws = np.random.default_rng(0).integers(0, len(gains), (RESAMPLES, len(gains)))
    low, high = np.percentile(gains[draws].mean(axis=1), [2.5, 97.5]) * 100
    return (
        f"| {name} | {right.mean():.3f} | {gains.mean() * 100:+.1f} ({low:+.1f} to {high:+.1f}) |"
    )


if __name__ == "__main__":
    main()
