from itertools import combinations

import imagehash
import numpy as np
import pytest
from PIL import Image

from components.cleaning.near_copies import correlation, near_pairs, perceptual_hashes, within
from components.synthesize import draw_set


@pytest.fixture(scope="module")
def drawn():
    """A small embedded set, drawn from another seed than that in git."""
    return draw_set(400, seed=7)


def test_the_hash_is_that_of_imagehash(drawn):
    hashes = perceptual_hashes(drawn.pictures)
    for picture, own in zip(drawn.pictures, hashes, strict=True):
        bits = imagehash.phash(Image.fromarray(picture)).hash.ravel()
        assert np.packbits(bits).view(np.uint64) == own


def test_all_hashes_within_the_radius_are_found_and_no_other():
    hashes = np.random.default_rng(0).integers(0, 2**12, 200).astype(np.uint64)
    first, second = within(hashes, 3)
    expected = [
        (one, other)
        for one, other in combinations(range(200), 2)
        if (hashes[one] ^ hashes[other]).bit_count() <= 3
    ]
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected


def test_planted_near_copies_are_found_and_nobody_else(drawn):
    copies = np.flatnonzero(drawn.partner >= 0)
    planted = {tuple(sorted((row, drawn.partner[row]))) for row in copies}
    blank = drawn.kind == "non_face"
    rows = np.flatnonzero(~blank)
    pairs = near_pairs(drawn.pictures, rows, 16, 0.95)
    assert set(zip(pairs.first, pairs.second, strict=True)) == planted
    assert pairs.similarity.min() > 0.99


@pytest.mark.parametrize("move", [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_picture_correlates_with_itself_moved_by_a_pixel(move):
    wide = np.random.default_rng(0).integers(0, 256, (3, 20, 20), np.uint8)
    down, right = move
    one, other = wide[:, 2:18, 2:18], wide[:, 2 + down : 18 + down, 2 + right : 18 + right]
    np.testing.assert_allclose(correlation(one, other), 1, atol=1e-5)


def test_light_and_contrast_do_not_matter_but_content_does():
    rng = np.random.default_rng(0)
    one = rng.integers(60, 180, (3, 20, 20)).astype(np.uint8)
    np.testing.assert_allclose(correlation(one, one // 2 + 40), 1, atol=1e-3)
    assert correlation(one, rng.integers(0, 256, one.shape).astype(np.uint8)).max() < 0.3
    assert correlation(one, np.full_like(one, 9)).tolist() == [0, 0, 0]


def test_no_pictures_have_no_pairs():
    pairs = near_pairs(np.empty((0, 8, 8), np.uint8), np.empty(0, int), 16, 0.95)
    assert len(pairs.first) == len(pairs.second) == len(pairs.similarity) == 0


def test_colour_pictures_are_compared_by_their_grey_levels(drawn):
    rows = np.arange(40)
    tinted = np.stack([drawn.pictures[rows] // 2, *[drawn.pictures[rows]] * 2], axis=-1)
    tinted[7] = np.roll(tinted[3], 1, axis=0)
    pairs = near_pairs(tinted, rows, 16, 0.95)
    assert (3, 7) in set(zip(pairs.first, pairs.second, strict=True))
