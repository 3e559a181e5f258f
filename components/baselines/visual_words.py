"""SIFT bag of visual words: which patches a face is made of, and roughly where they are.

D. Lowe, *Distinctive Image Features from Scale-Invariant Keypoints* (2004); G. Csurka et al.,
*Visual Categorization with Bags of Keypoints* (2004); S. Lazebnik et al., *Beyond Bags of
Features* (2006), for the cells; R. Arandjelović and A. Zisserman, *Three Things Everyone Should
Know* (2012), for the root. R. Ionescu et al. came fourth in the challenge that FER-2013 was
made for with a larger one (2013). On pictures of 48 px a grid of patches serves better than
detected keypoints, of which many faces have none.
"""

import cv2
import numpy as np
from scipy import sparse
from sklearn.cluster import MiniBatchKMeans

SIDE = 48  # pixels that a face is brought to
STEP = 6  # pixels between patches
SCALES = (2.0, 4.0)  # of the keypoints; a patch is six times as wide
CELLS = (1, 4)  # words are counted in the whole face, and in each of 4x4 cells
VOCABULARY_SAMPLE = 200  # patches a word that the vocabulary is learnt from
_BLOCK = 1024  # faces at a time: their patches take 64 MB


def describe(faces: np.ndarray, training: np.ndarray, words: int, seed: int) -> sparse.csr_matrix:
    """Describes faces by the visual words in them.

    Args:
        faces: (N, H, W) uint8.
        training: (N,) bool, the faces to learn the vocabulary from.
        words: Size of the vocabulary, at most.
        seed: Of the vocabulary.

    Returns:
        (N, 17 x words) float32, rows of unit length.
    """
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(training)
    enough = -(-words * VOCABULARY_SAMPLE // len(keypoints()))
    sample = rng.choice(known, min(enough, len(known)), replace=False)
    patches = np.concatenate([root_sift(faces[row]) for row in sample])
    vocabulary = MiniBatchKMeans(
        min(words, len(patches)), batch_size=4096, n_init=1, random_state=seed
    ).fit(patches)
    blocks = [
        _histograms([root_sift(face) for face in faces[start : start + _BLOCK]], vocabulary)
        for start in range(0, len(faces), _BLOCK)
    ]
    return sparse.vstack(blocks, format="csr")


def keypoints() -> list[cv2.KeyPoint]:
    """Returns the centres of all patches, upright."""
    places = np.arange(STEP / 2, SIDE, STEP).tolist()
    return [cv2.KeyPoint(x, y, scale, 0) for scale in SCALES for y in places for x in places]


def root_sift(face: np.ndarray) -> np.ndarray:
    """Describes all patches of a face: (H, W) uint8 to (patches, 128) float32 of unit length."""
    resized = cv2.resize(face, (SIDE, SIDE))
    _, patches = cv2.SIFT_create().compute(resized, keypoints())
    return np.sqrt(patches / np.maximum(patches.sum(axis=1, keepdims=True), 1e-6))


def _histograms(patches: list[np.ndarray], vocabulary: MiniBatchKMeans) -> sparse.csr_matrix:
    """Counts words in cells; (faces, cells x words) float32, the counts' roots of unit length."""
    words = vocabulary.predict(np.concatenate(patches)).reshape(len(patches), -1)
    size = vocabulary.n_clusters
    places = np.array([point.pt for point in keypoints()]) / SIDE
    columns, first = [], 0
    for cells in CELLS:
        cell = (places * cells).astype(int) @ [1, cells]
        columns.append(first + cell * size + words)
        first += cells**2 * size
    column = np.concatenate(columns, axis=1)
    row = np.repeat(np.arange(len(column)), column.shape[1])
    counts = sparse.csr_matrix(  # sums what falls on one place
        (np.ones(row.size, np.float32), (row, column.ravel())), shape=(len(column), first)
    )
    length = np.sqrt(counts.sum(axis=1))
    return counts.sqrt().multiply(1 / length).tocsr().astype(np.float32)
