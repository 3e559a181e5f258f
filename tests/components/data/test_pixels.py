import re

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from components.data import pixels

TOKENS = st.one_of(
    st.integers(0, 255).map(str),
    st.sampled_from(
        ["007", "256", "299", "300", "999", "1000", "0255", "-1", "1.5", "a", "", "\t"]
    ),
)
GOOD_ROWS = st.lists(st.lists(st.integers(0, 255), max_size=9), max_size=6)
ANY_ROWS = st.lists(st.lists(TOKENS, max_size=6).map(" ".join), max_size=5)


@given(GOOD_ROWS)
def test_numbers_come_out_as_they_were_written(rows):
    texts = pa.array([" ".join(map(str, row)).encode() for row in rows], pa.binary())
    values, counts = pixels.decode(texts)
    assert values.dtype == np.uint8
    assert values.tolist() == [value for row in rows for value in row]
    assert counts.tolist() == [len(row) for row in rows]


@given(ANY_ROWS)
def test_a_block_is_refused_exactly_when_one_of_its_rows_has_a_fault(rows):
    texts = [row.encode() for row in rows]
    legal = [re.fullmatch(rb"[0-9 ]*", text) for text in texts]
    legal = [
        match and all(len(token) <= 3 and int(token) <= 255 for token in match[0].split())
        for match in legal
    ]
    assert (pixels.decode(pa.array(texts, pa.binary())) is not None) == all(legal)
    for text, good in zip(texts, legal, strict=True):
        assert (pixels.fault(text, len(text.split())) is None) == bool(good)


def test_a_slice_of_a_block_reads_its_own_rows_only():
    texts = pa.array([b"bad", b"1 22", b"255", b"bad"], pa.binary()).slice(1, 2)
    values, counts = pixels.decode(texts)
    assert values.tolist() == [1, 22, 255]
    assert counts.tolist() == [2, 1]


def test_the_size_is_that_of_most_square_pictures():
    texts = pa.array([b"1", b"1 2 3", b"1 2 3 4", b"5 6 7 8", b"1 2 3"], pa.binary())
    assert pixels.common_size(texts) == 4
    assert pixels.common_size(pa.array([b"1 2", b""], pa.binary())) is None
