"""What others call labels and splits, in our words."""

import re

from components.data.labels import LABEL_SETS, NO_LABEL

NONE = "none"  # in ingest.label_map: the face stays, without a label

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "publictest": "val",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}

_OURS = LABEL_SETS["fer2013"]
_INTEGER = re.compile(r"([0-9]{1,9})(\.0+)?")


def label_codes(label_map: dict[str, str]) -> dict[str, int]:
    """Every known way to write a label, folded, and its FER-2013 code (-1 for none).

    Known are the keys of the map, our own names, and FER-2013's codes; the latter only where
    the map names no integer of its own: where 1 means something else, so does 0.

    Args:
        label_map: Foreign label to one of our names, of the codes, or `none`.

    Raises:
        ValueError: If the map leads to something else; a sentence without its end.
    """
    codes = {str(code): code for code in range(len(_OURS))}
    names = {name: code for code, name in enumerate(_OURS)}
    targets = names | codes | {NONE: NO_LABEL}
    for label, target in label_map.items():
        if fold(target) not in targets:
            known = ", ".join((*_OURS, NONE))
            raise ValueError(f"ingest.label_map has {target!r} for {label!r}, not one of {known}")
    mapped = {fold(label): targets[fold(target)] for label, target in label_map.items()}
    own_integers = any(label.isdecimal() for label in mapped)
    return names | ({} if own_integers else codes) | mapped


def fold(label: str) -> str:
    """A label without regard to case, outer spaces, and the `.0` that Pandas gives integers."""
    label = label.strip().casefold()
    number = _INTEGER.fullmatch(label)
    return str(int(number[1])) if number else label


def split_name(text: str) -> str | None:
    """`train`, `val` or `test` for any usual name of one; None for anything else."""
    return _SPLIT_NAMES.get(text.strip().casefold())
