"""Step `balance`: evens out the classes of the training split.

In: the face set, and `kept.parquet` of `clean`. Out:

- `training.parquet`, one line a training example: `row` (int64; below N an index into
  `faces.npy`, repeated where a face is oversampled, from N on into the synthetic faces), `label`
  (int8), `weight` (float32, mean 1), and of soft targets `target_{class}`;
- where the method makes faces, `synthetic.npy` (M, H, W) uint8 and `synthetic.parquet`: `method`,
  `label`, and what each was made of, `one` and `other` (rows as above; -1 for none) and the
  `share` of the other;
- `sheets/{method}.png`: synthetic faces between those they were made of, so that a person sees
  whether they are faces at all.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from components import sheets
from components.augment import augment
from components.data.disk import reading
from components.data.faces import FaceSet, write_images
from components.data.labels import LABEL_SETS, TARGET
from components.data.synthetic import FILE, Joined
from components.errors import InputError
from components.outputs import replacing
from components.settings import BalanceSettings

_CHUNK = 1024  # faces made at once
_SHEET = 60  # synthetic faces


def balance(faces: Path, kept: Path, out: Path, settings: BalanceSettings) -> dict[str, float]:
    """Chooses, makes and weighs the training examples.

    Args:
        faces: The face set's folder.
        kept: The folder that `clean` wrote.
        out: The folder to write, whole or not at all.
        settings: The methods, applied in order, and what they need.

    Returns:
        Examples of each class as `before.{class}` and `after.{class}`, the weight of one
        example as `weight.{class}`, and how many faces are `synthetic`.

    Raises:
        InputError: If an input cannot be read, a method cannot be used on these faces, or
            `out` cannot be written.
    """
    images = FaceSet.open(faces).images
    table = _kept(kept / "kept.parquet")
    names = LABEL_SETS[table.attrs["label_set"]]
    before = table[table["split"] == "train"].drop(columns="split").reset_index(drop=True)
    examples = before.assign(weight=np.float32(1))
    made = Made(images)
    for method in settings.method:
        examples = _apply(method, examples, made, settings)
    with replacing(out) as fresh:
        examples.to_parquet(fresh / "training.parquet", index=False)
        if len(made.faces):
            write_images(fresh / FILE, [made.faces])
            made.table.to_parquet(fresh / "synthetic.parquet", index=False)
            (fresh / "sheets").mkdir()
            for method in made.table["method"].unique():
                sheets.save(fresh / "sheets" / f"{method}.png", made.sheet(method, names))
    return _metrics(names, before, examples) | {"synthetic": len(made.faces)}


class Made:
    """The faces made so far, beside the real ones.

    Attributes:
        faces: (M, H, W) uint8.
        table: M rows, as in `synthetic.parquet`.
    """

    def __init__(self, images: np.ndarray) -> None:
        self._real = images
        self.faces = np.empty((0, *images.shape[1:]), np.uint8)
        self.table = pd.DataFrame(columns=["method", "label", "one", "other", "share"])

    @property
    def all(self) -> Joined:
        """Real and made faces, by the rows of `training.parquet`."""
        return Joined(self._real, self.faces)

    def add(self, faces: np.ndarray, table: pd.DataFrame) -> pd.DataFrame:
        """Adds faces with their origin; returns them as training examples."""
        start = len(self.all)
        self.faces = np.concatenate([self.faces, faces])
        self.table = pd.concat([self.table, table]) if len(self.table) else table
        rows = np.arange(start, start + len(faces))
        return pd.DataFrame({"row": rows, "label": table["label"].to_numpy(np.int8)})

    def sheet(self, method: str, names: tuple[str, ...]) -> np.ndarray:
        """Draws some faces of one method, of each class about as many, beside their origin."""
        table = self.table.reset_index(drop=True).query("method == @method")
        classes = table["label"].nunique()
        shown = table.groupby("label").head(max(1, _SHEET // classes))
        shown = shown.sort_values("label", kind="stable").head(_SHEET)
        one, made = self.all[shown["one"].to_numpy()], self.faces[shown.index]
        pictures, order = sheets.beside(one, made), "original, copy"
        captions = [names[label] for label in shown["label"]]
        if (shown["other"] >= 0).all():
            pictures = sheets.beside(pictures, self.all[shown["other"].to_numpy()])
            order = "one parent, the synthetic face, the other parent; number = the other's share"
            captions = [f"{names[face.label]} {face.share:.2f}" for face in shown.itertuples()]
        return sheets.contact_sheet(pictures, captions, f"Made by {method}: {order}")


def oversampled(labels: np.ndarray, seed: int) -> np.ndarray:
    """Repeats random examples of each class until all have as many as the largest.

    Args:
        labels: (N,) int8.
        seed: Makes the choice repeatable.

    Returns:
        (M,) int64 indices into `labels`: all N, then the repeated ones.
    """
    from imblearn.over_sampling import RandomOverSampler  # takes 7 s to import

    sampler = RandomOverSampler(random_state=seed)
    sampler.fit_resample(np.arange(len(labels)).reshape(-1, 1), labels)
    return sampler.sample_indices_


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Weighs every class the same in sum, with mean 1: (N,) int8 to (N,) float64."""
    from sklearn.utils.class_weight import compute_sample_weight

    return compute_sample_weight("balanced", labels)


def _apply(
    method: str, examples: pd.DataFrame, made: Made, settings: BalanceSettings
) -> pd.DataFrame:
    labels = examples["label"].to_numpy()
    match method:
        case "random":
            return examples.iloc[oversampled(labels, settings.seed)]
        case "smote" | "adasyn":
            more = _interpolated(method, examples, made, settings)
        case "augment_minority":
            more = _augmented(examples, made, settings)
        case "class_weight":
            return examples.assign(weight=class_weights(labels).astype(np.float32))
        case _:
            return examples
    return pd.concat([examples, more.assign(weight=np.float32(1))], ignore_index=True)


def _interpolated(
    method: str, examples: pd.DataFrame, made: Made, settings: BalanceSettings
) -> pd.DataFrame:
    from components.interpolation import mix, recipes  # imports imbalanced-learn

    rows, images = examples["row"].to_numpy(), made.all
    targets = examples[_targets(examples)]
    labels = examples["label"].to_numpy()
    table = recipes(method, labels, lambda p: images[rows[p]], settings.neighbours, settings.seed)
    # What is a share of the way to another face aims at that share of its target.
    own, share = targets.to_numpy(), table["share"].to_numpy(np.float32)[:, None]
    blend = (1 - share) * own[table["one"]] + share * own[table["other"]]
    table = table.assign(method=method, one=rows[table["one"]], other=rows[table["other"]])
    faces = np.empty((len(table), *made.faces.shape[1:]), np.uint8)
    for start in range(0, len(table), _CHUNK):
        part = table.iloc[start : start + _CHUNK]
        one, other = (images[part[name].to_numpy()] for name in ("one", "other"))
        faces[start : start + _CHUNK] = mix(one, other, part["share"].to_numpy())
    more = made.add(faces, table[["method", "label", "one", "other", "share"]])
    return more.assign(**dict(zip(targets, blend.T, strict=True)))


def _augmented(examples: pd.DataFrame, made: Made, settings: BalanceSettings) -> pd.DataFrame:
    rarest = examples["label"].value_counts().idxmin()
    own = examples[examples["label"] == rarest]
    own = pd.concat([own] * (settings.minority_times - 1), ignore_index=True)
    rows = own["row"].to_numpy()
    rng = np.random.default_rng(settings.seed)
    changed = augment(made.all[rows], settings.augment, rng)
    columns = {"method": "augment_minority", "label": rarest, "one": rows, "other": -1}
    table = pd.DataFrame(columns | {"share": 0.0})
    more = made.add(np.rint(changed).astype(np.uint8), table)
    return more.join(own[_targets(own)])


def _targets(table: pd.DataFrame) -> list[str]:
    return [name for name in table if name.startswith(TARGET)]


def _kept(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is missing; run the clean step first.")
    with reading(path):
        table = pd.read_parquet(path)
        return table[["row", "split", "label", *_targets(table)]]


def _metrics(names: tuple[str, ...], before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float]:
    weight = after.groupby("label")["weight"].first()
    return (
        {f"before.{name}": int((before["label"] == code).sum()) for code, name in enumerate(names)}
        | {f"after.{name}": int((after["label"] == code).sum()) for code, name in enumerate(names)}
        | {f"weight.{name}": float(weight[code]) for code, name in enumerate(names)}
    )
