from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.cleaning.decisions import read_decisions
from components.data.labels import LABEL_SETS
from components.errors import InputError

TABLE = pd.DataFrame({"id": ["a", "b", "c", "t"], "split": ["train", "train", "train", "test"]})
LABELS = np.array([0, 1, -1, 2], np.int8)
HEADER = "id,decision,label,comment"


def decide(tmp_path: Path, *lines: str):
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return read_decisions(path, TABLE, LABELS, LABEL_SETS["fer2013"])


def test_each_decision_is_read_with_its_comment(tmp_path):
    decisions = decide(tmp_path, 'a,keep,,"fine, really"', "b,drop,,", "c,relabel,sad,ça va", "")
    assert decisions.kept.tolist() == [True, False, True, False]
    assert decisions.dropped.tolist() == [False, True, False, False]
    assert decisions.relabelled.tolist() == [-1, -1, 4, -1]
    assert decisions.comments.tolist() == ["fine, really", "", "ça va", ""]


def test_a_held_out_face_may_be_kept(tmp_path):
    assert decide(tmp_path, "t,keep,,").kept.tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["x,keep,,"], "line 2: there is no face 'x'"),
        (["a,keep,,", "a,drop,,"], "line 3: a has a decision already, in line 2"),
        (["a,remove,,"], "line 2: the decision is 'remove', not one of keep, drop, relabel"),
        (["a,relabel,joy,"], "line 2: the label is 'joy', not one of angry, disgust"),
        (["a,relabel,,"], "line 2: the label is '', not one of"),
        (["a,drop,sad,"], "line 2: a label goes with relabel, not with drop"),
        (["t,drop,,"], "line 2: t is in the test split, which no decision changes"),
        (["t,relabel,sad,"], "line 2: t is in the test split"),
        (["c,keep,,"], "line 2: c has no label to keep it with; relabel it"),
        (["a,keep"], "line 2: it has 2 columns where the header has 4"),
        (["a,keep,,one, two"], "line 2: it has 5 columns where the header has 4"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(tmp_path, lines, said):
    with pytest.raises(InputError) as caught:
        decide(tmp_path, *lines)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "decisions.csv"))


def test_a_file_that_is_missing_or_of_another_kind_is_named(tmp_path):
    path = tmp_path / "decisions.csv"
    with pytest.raises(InputError, match=r"decisions\.csv is missing; put it there, or set"):
        read_decisions(path, TABLE, LABELS, LABEL_SETS["fer2013"])
    for text in (b"", b"id,verdict\n", b"\xff\xfe\x00"):
        path.write_bytes(text)
        with pytest.raises(InputError, match=r"decisions\.csv"):
            read_decisions(path, TABLE, LABELS, LABEL_SETS["fer2013"])
