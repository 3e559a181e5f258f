"""What a released model's card says beyond the package's own: slices, data, licence."""

import json
from pathlib import Path

DATA = {
    "fer2013": """FER-2013: 35,887 grey pictures of 48 px that a search engine found for words of
emotions (Goodfellow et al., 2013), published for research. Its labels are noisy: people agree with
about 65% of them, as the same paper says.""",
    "ferplus": """FER-2013's pictures (Goodfellow et al., 2013), which a search engine found for
words of emotions, published for research, with the votes of ten taggers a picture of FER+ (Barsoum
et al., 2016; Microsoft, MIT licence).""",
}
CARD = """
## Slices
Of the published test split: a third of it in each by light and sharpness, and apart from the rest
the faces that most of FER+'s taggers agree on.

| | faces | accuracy (95% interval) | balanced accuracy |
|---|---|---|---|
{rows}

The data do not say how old the people are, of which sex, or from where: whether it is worse on some
of them was not measured, and pictures of a search engine are no sample of anyone.

## Where it comes from, and licence
Trained by this project, from random weights or those of its other releases, on
{data}

The weights are under the licence of this repository (MIT). They hold no picture and no
label; whether what was trained on FER-2013 may be used beyond research is yours to clear.
"""


def whole_card(card: str, metrics: Path, label_set: str) -> str:
    """Returns a package's card with what a release adds.

    Args:
        card: `MODEL_CARD.md` of the package.
        metrics: `evaluate.json`.
        label_set: Name of the label set.
    """
    scores = json.loads(metrics.read_text(encoding="utf-8"))
    names = [
        key.removeprefix("slice.").removesuffix(".n")
        for key in scores
        if key.startswith("slice.") and key.endswith(".n")
    ]
    rows = "\n".join(_row(name, scores) for name in names)
    return card.rstrip("\n") + "\n" + CARD.format(rows=rows, data=DATA.get(label_set, "your data."))


def _row(name: str, scores: dict[str, float]) -> str:
    faces, accuracy, low, high, balanced = (
        scores[f"slice.{name}.{key}"]
        for key in ("n", "accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy")
    )
    title = ": ".join(name.split(".", 1))
    return f"| {title} | {faces:.0f} | {accuracy:.3f} ({low:.3f}–{high:.3f}) | {balanced:.3f} |"
