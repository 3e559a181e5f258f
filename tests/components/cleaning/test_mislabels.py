import numpy as np
import pytest

from components.cleaning.mislabels import label_issues, out_of_fold

# scikit-learn says that batches of 64 are larger than these few faces.
pytestmark = pytest.mark.filterwarnings("ignore:Got `batch_size`")


@pytest.fixture
def stripes() -> tuple[np.ndarray, np.ndarray]:
    """120 pictures: stripes that lie (0), stand (1), or lean (2), each with noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    down, right = np.mgrid[:48, :48]
    along = np.stack([down, right, (down + right) * 0.7])[labels]
    waves = 128 + 60 * np.sin(along * 0.6 + rng.uniform(0, 6, (120, 1, 1)))
    return (waves + rng.normal(0, 8, waves.shape)).clip(0, 255).astype(np.uint8), labels


def test_wrong_labels_are_found_and_right_ones_are_not(stripes):
    images, truth = stripes
    labels = truth.copy()
    labels[[4, 50, 77]] = (labels[[4, 50, 77]] + 1) % 3
    wrong, own = label_issues(images, labels.astype(np.int8), folds=3, seed=0)
    found = set(np.flatnonzero(wrong).tolist())
    assert found <= {4, 50, 77}
    assert len(found) >= 2  # a quarter of the likely ones is left in doubt on purpose
    assert own[wrong].max() < 0.5


def test_every_face_is_judged_and_twice_the_same(stripes):
    images, labels = stripes
    trusted = np.arange(60) > 5
    first, second = (
        out_of_fold(images[:60], labels[:60], trusted, folds=2, seed=1) for _ in range(2)
    )
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_array_equal(first, second)
