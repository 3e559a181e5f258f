"""The model card: what the model is for, what it is not for, and how good it is.

After Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from typing import Any

from components.predictions import TESTS

TEMPLATE = """# Model card: {name} {version}

An ensemble of {members} that gives a face's expression a probability for each of
{classes}. It looks at the picture alone: an expression is not an emotion, and people
show the same feeling in different ways.

## Intended use
Research, accessibility, and interfaces whose users know that an expression is being read
and have agreed to it.

## Not intended, and in the European Union forbidden
Inferring emotions at work or in education, but for medical or safety reasons (EU AI Act,
Article 5(1)(f)). Any decision about a person: hiring, credit, policing, insurance.

## Data
Label set `{label_set}`; data md5 `{data_md5}`.{refitted}

## Measured on the test split
| | faces | accuracy (95% interval) | macro-F1 | NLL | ECE |
|---|---|---|---|---|---|
{rows}

The leak-free row leaves out test pictures that had a byte-identical copy in the published
training split. Calibrated on the validation split with temperature {temperature}.

A label with a probability below {abstain_below} is called uncertain. {answered}

## Limits
It was measured on the data above and on nothing else: on other cameras, ages, skin tones
or cultures it may be worse, and its probabilities less honest.
"""

REFITTED = """ Once their epochs were chosen, {names} went on learning with most faces of the
validation split, too; weights are from the answers to it before that, the temperature from those to
the faces that stayed held back."""


def model_card(manifest: dict[str, Any]) -> str:
    """Returns the card as Markdown.

    Args:
        manifest: As `components.package` writes it.
    """
    scores, refitted = manifest["metrics"], manifest["refitted"]
    rows = "\n".join(_row(title, split, scores) for split, title in TESTS.items())
    fields = {
        "members": ", ".join(manifest["members"]),
        "classes": ", ".join(manifest["classes"]),
        "rows": rows,
        "refitted": REFITTED.format(names=" and ".join(refitted)) if refitted else "",
        "answered": " ".join(_answered(title, split, scores) for split, title in TESTS.items()),
    }
    return TEMPLATE.format(**manifest | fields)


def _row(title: str, split: str, scores: dict[str, float]) -> str:
    interval = f"{scores[f'{split}.accuracy_low']:.3f}–{scores[f'{split}.accuracy_high']:.3f}"
    accuracy = f"{scores[f'{split}.accuracy']:.3f} ({interval})"
    rest = " | ".join(f"{scores[f'{split}.{name}']:.3f}" for name in ("macro_f1", "nll", "ece"))
    return f"| {title} | {scores[f'{split}.n']:.0f} | {accuracy} | {rest} |"


def _answered(title: str, split: str, scores: dict[str, float]) -> str:
    coverage, risk = scores[f"{split}.coverage"], scores[f"{split}.risk"]
    return f"Of the {title}, {coverage:.0%} of the faces reach it, and {risk:.1%} of those err."
