from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.batches import training_batches
from components.data.faces import FaceSet
from components.settings import AugmentSettings

STILL = AugmentSettings(
    flip=False, shift=0.0, rotate=0.0, zoom=0.0, contrast=0.0, brightness=0.0, erase=0.0
)
SHARES = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.25, 0.0, 0.75], [1, 0, 0]], np.float32)


@pytest.fixture
def faces(make_faces) -> Path:
    images = np.arange(4, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    return make_faces([0, 1, 2, 0], ["train"] * 4, images)


@pytest.mark.parametrize("soft", [False, True])
def test_batches_aim_at_the_votes_where_there_are_soft_targets(faces, tmp_path, soft):
    table = pd.DataFrame({"row": range(4), "label": np.array([0, 1, 2, 0], np.int8)})
    if soft:
        table[["target_a", "target_b", "target_c"]] = SHARES
    table.assign(weight=np.float32(1)).to_parquet(tmp_path / "training.parquet")
    batches = training_batches(
        FaceSet.open(faces), tmp_path, 3, batch_size=4, augmentation=STILL, seed=0
    )
    images, targets, _ = batches[0]
    rows = images[:, 0, 0, 0].astype(int)
    expected = SHARES if soft else np.eye(3)[[0, 1, 2, 0]]
    np.testing.assert_array_equal(targets, expected[rows])
    assert targets.dtype == np.float32
