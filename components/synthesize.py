"""Draws the embedded default data set: parametric faces in FER-2013's and FER+'s own files.

FER-2013 may not be shipped, so a fresh clone works on this set until real data takes its place.
It has what makes the real one hard: rare disgust, faint expressions, taggers who disagree,
pictures that are no faces, copies (also across splits), and wrong labels. Unlike there, each
planted defect is listed in `truth.csv`, so that cleaning can be scored.

    python -m components synthesize

writes `fer2013.csv`, `fer2013new.csv` and `truth.csv`, the same bytes on every machine
(`components.drawn` says how).

Sources: I. Goodfellow et al., *Challenges in representation learning* (2013), for FER-2013's
classes, their counts and its file; E. Barsoum et al., *Training deep networks for facial
expression recognition with crowd-sourced label distribution* (2016), for FER+'s ten taggers.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.drawn.drawn_set import DrawnSet, row_id
from components.drawn.faces import draw_faces
from components.drawn.non_faces import draw_non_faces
from components.drawn.parameters import (
    EXPRESSIONS,
    SIZE,
    actions,
    people,
    uniform,
    views,
    whole,
)

SPLITS = ("Training", "PublicTest", "PrivateTest")
TRAINING, PUBLIC, PRIVATE = range(3)
CONTEMPT = EXPRESSIONS.index("contempt")  # no class of FER-2013; the seven before are its codes
FER2013_COUNTS = (3995, 436, 4097, 7215, 4830, 3171, 4965)  # its training split, angry to neutral
SMALLEST = 70  # fewer leave no room for every class in every split

VOTES = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
VOTE_COLUMN = np.array([4, 5, 6, 1, 3, 2, 0, 7])  # of each of EXPRESSIONS
TAGGERS = 10
NF = VOTES.index("NF")

# What an expression is taken for, likeliest first. By the shares in MISTAKEN.
CONFUSED_WITH = {
    "angry": ("disgust", "sad", "neutral"),
    "disgust": ("angry", "sad", "contempt"),
    "fear": ("surprise", "sad", "angry"),
    "happy": ("neutral", "surprise", "contempt"),
    "sad": ("neutral", "fear", "angry"),
    "surprise": ("fear", "happy", "neutral"),
    "neutral": ("sad", "happy", "contempt"),
    "contempt": ("neutral", "happy", "angry"),
}
CONFUSED = np.array([[EXPRESSIONS.index(e) for e in CONFUSED_WITH[x]] for x in EXPRESSIONS])
MISTAKEN = (0.55, 0.30, 0.15)

# Contempt faces as a share of all, by the FER-2013 label that they carry.
CONTEMPT_AS = {"neutral": 0.0056, "angry": 0.0009, "happy": 0.0009, "disgust": 0.0006}

# Planted defects: shares of the rows in which they are planted (leaks: of the test pictures).
NON_FACES, COPIES, NEAR_COPIES, WRONG_LABELS, LEAKS = 0.015, 0.02, 0.01, 0.04, 0.08
NEAR_LEAKS, CONFLICTS = 0.006, 0.004
KINDS = ("non_face", "leak", "near_copy", "conflict", "copy", "wrong_label")


def synthesize(out: Path, *, faces: int = 3200, seed: int = 2013) -> dict[str, float]:
    """Draws the set and writes its three files.

    Args:
        out: an existing directory.
        faces: rows in all splits together, 70 or more; an eighth each to validation and test.
        seed: of the one random stream behind everything.

    Returns:
        Counts: rows a split, contempt faces, and planted defects by kind.
    """
    drawn = draw_set(faces, seed)
    for name, lines in {
        "fer2013.csv": _pixel_lines(drawn),
        "fer2013new.csv": _vote_lines(drawn),
        "truth.csv": _truth_lines(drawn),
    }.items():
        with (out / name).open("w", encoding="ascii", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
    return (
        {"faces": float(faces), "contempt": float((drawn.expression == CONTEMPT).sum())}
        | {f"rows_{name}": float((drawn.split == i).sum()) for i, name in enumerate(SPLITS)}
        | {f"planted_{kind}": float((drawn.kind == kind).sum()) for kind in KINDS}
    )


def draw_set(faces: int, seed: int) -> DrawnSet:
    """Draws every picture, label, vote and planted defect of the set."""
    if faces < SMALLEST:
        raise ValueError(
            f"faces is {faces}, but at least {SMALLEST} are needed for seven classes in each of "
            "three splits"
        )
    bits = np.random.PCG64(seed)
    split, label = _rows(bits, faces)
    expression, free = _contempt(bits, split, label)
    kind, partner = _plan(bits, split, label, free)
    # The larger of two draws: most expressions are plain, but one in twelve can hardly be seen.
    intensity = 0.05 + 0.95 * np.maximum(uniform(bits, faces), uniform(bits, faces, 0.0, 0.9))
    pictures = draw_faces(
        people(bits, faces) | actions(bits, expression, intensity) | views(bits, faces), bits
    )
    paired = np.flatnonzero(partner >= 0)
    pictures[paired] = pictures[partner[paired]]
    expression[paired], intensity[paired] = expression[partner[paired]], intensity[partner[paired]]
    for row in np.flatnonzero(kind == "near_copy"):
        pictures[row] = _nearly(bits, pictures[row])
    blank = kind == "non_face"
    pictures[blank] = draw_non_faces(bits, int(blank.sum()))
    true_label = np.where(blank, -1, label)
    wrong = (kind == "wrong_label") | (kind == "conflict")
    label = np.where(wrong, _mistaken(bits, label), label)
    votes = _vote(bits, expression, intensity, blank)
    return DrawnSet(pictures, split, label, votes, expression, intensity, kind, partner, true_label)


def _share(part: float, whole_count: int) -> int:
    return max(1, int(part * whole_count + 0.5))


def _rows(bits: np.random.PCG64, faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Split and label of each row: FER-2013's proportions in each split, in random order."""
    held_out = faces // 8
    splits, labels = [], []
    for split, n in enumerate((faces - 2 * held_out, held_out, held_out)):
        counts = [max(1, n * c // sum(FER2013_COUNTS)) for c in FER2013_COUNTS]
        rest = [n * c % sum(FER2013_COUNTS) for c in FER2013_COUNTS]
        for code in sorted(range(7), key=lambda c: -rest[c])[: n - sum(counts)]:
            counts[code] += 1
        order = np.argsort(bits.random_raw(n), kind="stable")
        labels.append(np.repeat(np.arange(7), counts)[order])
        splits.append(np.full(n, split))
    return np.concatenate(splits), np.concatenate(labels)


def _take(bits: np.random.PCG64, free: np.ndarray, where: np.ndarray, count: int) -> np.ndarray:
    """Takes up to `count` random rows that are free and where; they are free no more."""
    rows = np.flatnonzero(free & where)
    rows = rows[np.argsort(bits.random_raw(len(rows)), kind="stable")][:count]
    free[rows] = False
    return rows


def _contempt(bits, split: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expression to draw in each row, and which rows are free for a planted defect."""
    free = np.ones(len(label), bool)
    for s in range(len(SPLITS)):  # one sound face of each class must stay in each split
        for code in range(7):
            free[np.flatnonzero((split == s) & (label == code))[0]] = False
    expression = label.copy()
    for name, part in CONTEMPT_AS.items():
        rows = _take(bits, free, label == EXPRESSIONS.index(name), _share(part, len(label)))
        expression[rows] = CONTEMPT
    return expression, free


def _plan(bits, split, label, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kind of defect ("" for none) and partner (-1 for none) of each row."""
    kind = np.full(len(label), "", dtype="U11")
    partner = np.full(len(label), -1)

    def pair(name: str, count: int, mine: np.ndarray, other: np.ndarray) -> None:
        """Rows where `mine` repeat rows of the same class where `other`."""
        for _ in range(count):
            for theirs in _take(bits, free, other, 1):
                for row in _take(bits, free, mine & (label == label[theirs]), 1):
                    kind[row], partner[row] = name, theirs

    train = split == TRAINING
    for s in (PUBLIC, PRIVATE):
        n = (split == s).sum()
        pair("leak", _share(LEAKS, n), train, split == s)
        pair("near_copy", _share(NEAR_LEAKS, n), train, split == s)
    pair("near_copy", _share(NEAR_COPIES, train.sum()), train, train)
    pair("conflict", _share(CONFLICTS, train.sum()), train, train)
    for s in range(len(SPLITS)):
        kind[_take(bits, free, split == s, _share(NON_FACES, (split == s).sum()))] = "non_face"
        pair("copy", _share(COPIES, (split == s).sum()), split == s, split == s)
    kind[_take(bits, free, train, _share(WRONG_LABELS, train.sum()))] = "wrong_label"
    return kind, partner


def _nearly(bits: np.random.PCG64, picture: np.ndarray) -> np.ndarray:
    """The same picture, brighter or flatter, moved by a pixel, or saved once more with loss."""
    way, step = whole(bits, 1, 0, 4)[0], whole(bits, 1, 0, 2)[0] * 2 - 1
    pixels = picture.astype(np.int64)
    if way == 0:
        pixels = pixels + 6 * step
    elif way == 1:
        pixels = 128 + (pixels - 128) * (16 - step) // 16
    elif way == 2:
        pixels = pixels[:, np.clip(np.arange(SIZE) + step, 0, SIZE - 1)]
    else:
        pixels = pixels + whole(bits, pixels.shape, -2, 3)
    return pixels.clip(0, 255).astype(np.uint8)


def _mistaken(bits: np.random.PCG64, label: np.ndarray) -> np.ndarray:
    """For each label another FER-2013 class that it is easily taken for."""
    draw = uniform(bits, len(label))
    choice = (draw >= MISTAKEN[0]).astype(int) + (draw >= MISTAKEN[0] + MISTAKEN[1])
    other = CONFUSED[label, choice]
    return np.where(other == CONTEMPT, CONFUSED[label, 0], other)


def _vote(bits, expression: np.ndarray, intensity: np.ndarray, no_face: np.ndarray) -> np.ndarray:
    """(N, 10) votes of ten taggers a row: the fainter an expression, the less they agree."""
    n = len(expression)
    faint = expression == EXPRESSIONS.index("neutral")
    agreed = np.where(faint, 0.82, (0.25 + 0.80 * intensity).clip(0, 0.95))
    doubt = 1 - agreed
    chance = np.zeros((n, len(VOTES)))
    rows = np.arange(n)
    chance[rows, VOTE_COLUMN[expression]] = agreed
    chance[:, VOTES.index("neutral")] += 0.45 * doubt
    for rank, part in enumerate(MISTAKEN):
        chance[rows, VOTE_COLUMN[CONFUSED[expression, rank]]] += 0.47 * part * doubt
    chance[:, VOTES.index("unknown")] += 0.07 * doubt
    chance[:, NF] += 0.01 * doubt
    chance[no_face] = (0.01, 0, 0, 0, 0, 0, 0, 0, 0.03, 0.96)
    edges = np.add.accumulate(chance, axis=1)[:, :-1]  # adds from left to right, by definition
    chosen = (uniform(bits, (n, TAGGERS, 1)) >= edges[:, None, :]).sum(axis=2)
    return (chosen[:, :, None] == np.arange(len(VOTES))).sum(axis=1)


def _pixel_lines(drawn: DrawnSet) -> Iterator[str]:
    # Each value in four bytes, the unused ones zero and then dropped: seven million numbers
    # written in a blink, where str() would take seconds.
    digits = np.array([f"{value} ".ljust(4, "\0").encode() for value in range(256)], "S4")
    yield "emotion,pixels,Usage"
    for picture, label, split in zip(drawn.pictures, drawn.label, drawn.split, strict=True):
        pixels = digits[picture.ravel()].tobytes().replace(b"\0", b"").decode("ascii")
        yield f"{label},{pixels[:-1]},{SPLITS[split]}"


def _vote_lines(drawn: DrawnSet) -> Iterator[str]:
    yield ",".join(("Usage", "Image name", *VOTES))
    for row, votes in enumerate(drawn.votes.tolist()):
        # In Microsoft's file, too, what nearly all taggers call no face has no name.
        name = "" if votes[NF] >= TAGGERS - 2 else f"{row_id(row)}.png"
        yield ",".join((SPLITS[drawn.split[row]], name, *map(str, votes)))


def _truth_lines(drawn: DrawnSet) -> Iterator[str]:
    yield "id,kind,partner,true_label"
    for row in np.flatnonzero(drawn.kind != ""):
        partner, label = drawn.partner[row], drawn.true_label[row]
        yield ",".join(
            (
                row_id(row),
                drawn.kind[row],
                row_id(partner) if partner >= 0 else "",
                str(label) if label >= 0 else "",
            )
        )
