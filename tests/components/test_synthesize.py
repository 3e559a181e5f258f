"""The embedded data set: its two files' formats, its defects, and its bytes."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.drawn.drawn_set import contact_sheet
from components.drawn.faces import draw_faces
from components.drawn.non_faces import draw_non_faces
from components.drawn.parameters import EXPRESSIONS, actions, people, views
from components.synthesize import KINDS, SPLITS, VOTES, draw_set, synthesize

FACES, SEED = 140, 4
FILES = ("fer2013.csv", "fer2013new.csv", "truth.csv")
# What every machine must draw. A change here changes the data of everyone who has not brought
# their own: draw again, `dvc add data`, and say so in the release notes.
SHA256 = {
    "fer2013.csv": "7702e6a9f2b3eb26cf86de2f9658a61250b355289c2eaab7035d930775332550",
    "fer2013new.csv": "0464eac41ef94e38f588178fec93c91e8f464f9eac0a71401b4e708a2a91d800",
    "truth.csv": "528e0c5132c27bf81638f8b9dc2433b438d741dc214e4723fee9c407f9f60c03",
}


@pytest.fixture(scope="module")
def drawn():
    return draw_set(FACES, SEED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("data")
    synthesize(out, faces=FACES, seed=SEED)
    return out


@pytest.fixture(scope="module")
def truth(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "truth.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def rows(folder) -> pd.DataFrame:
    table = pd.read_csv(folder / "fer2013.csv")
    table.index = [f"fer{row:07d}" for row in range(len(table))]
    return table


def faces_of(expression: str, intensity: float, n: int = 40) -> np.ndarray:
    """The same n people, seen straight on, for every expression and intensity."""
    code = np.full(n, EXPRESSIONS.index(expression))
    who, seen = people(np.random.PCG64(1), n), views(np.random.PCG64(2), n)
    straight = ("yaw", "tilt", "shift_x", "shift_y", "hand", "bar", "lock")
    seen |= {name: np.zeros(n) for name in straight}
    act = actions(np.random.PCG64(3), code, np.full(n, intensity))
    return draw_faces(who | act | seen, np.random.PCG64(4)).astype(float)


def test_every_machine_draws_the_same_bytes(folder):
    assert {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in FILES} == SHA256


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    synthesize(tmp_path, faces=FACES, seed=SEED)
    assert all((tmp_path / name).read_bytes() == (folder / name).read_bytes() for name in FILES)


def test_another_seed_gives_other_faces(drawn):
    other = draw_set(FACES, SEED + 1).pictures
    known = {picture.tobytes() for picture in drawn.pictures}
    assert not known & {picture.tobytes() for picture in other}


def test_the_pixel_file_is_fer2013s(folder, drawn):
    lines = (folder / "fer2013.csv").read_bytes().decode("ascii").split("\n")
    assert lines[0] == "emotion,pixels,Usage"
    assert lines[-1] == ""
    label, pixels, usage = lines[1].split(",")
    assert (label, usage) == (str(drawn.label[0]), "Training")
    assert [int(value) for value in pixels.split(" ")] == drawn.pictures[0].ravel().tolist()


def test_splits_follow_each_other_in_fer2013s_order_and_sizes(rows):
    assert list(rows["Usage"].unique()) == list(SPLITS)
    assert rows["Usage"].is_monotonic_decreasing
    assert rows["Usage"].value_counts().to_dict() == {
        "Training": 106, "PublicTest": 17, "PrivateTest": 17
    }  # fmt: skip


@pytest.mark.parametrize("faces", [70, 71, 99, 140])
def test_every_class_has_a_sound_face_in_every_split(faces):
    drawn = draw_set(faces, seed=faces)
    sound = drawn.kind == ""
    pairs = set(zip(drawn.split[sound], drawn.label[sound], strict=True))
    assert len(pairs) == 3 * 7


def test_too_few_faces_are_refused_with_the_least_number():
    with pytest.raises(ValueError, match="faces is 69, but at least 70"):
        draw_set(69, seed=1)


def test_disgust_is_rare_and_happiness_common(rows):
    counts = rows["emotion"].value_counts()
    assert counts.idxmin() == EXPRESSIONS.index("disgust")
    assert counts.idxmax() == EXPRESSIONS.index("happy")
    assert counts.min() < 0.06 * len(rows)


def test_the_vote_file_has_ferplus_columns_and_rows(folder, rows):
    votes = pd.read_csv(folder / "fer2013new.csv", keep_default_na=False)
    assert list(votes.columns) == ["Usage", "Image name", *VOTES]
    assert list(votes["Usage"]) == list(rows["Usage"])
    named = votes["Image name"] != ""
    assert list(votes["Image name"][named]) == [f"{i}.png" for i in rows.index[named]]
    assert set(votes.index[~named]) == set(votes.index[votes["NF"] >= 8])


def test_votes_sum_to_ten(drawn):
    assert (drawn.votes.sum(axis=1) == 10).all()
    assert (drawn.votes >= 0).all()


def test_taggers_call_planted_non_faces_no_face(drawn):
    says_so = drawn.votes[:, VOTES.index("NF")] >= 8
    assert (says_so == (drawn.kind == "non_face")).all()


def test_taggers_agree_less_on_faint_expressions(drawn):
    shown = (drawn.kind == "") & (drawn.expression != EXPRESSIONS.index("neutral"))
    agreement = drawn.votes.max(axis=1)
    faint, plain = shown & (drawn.intensity < 0.4), shown & (drawn.intensity > 0.8)
    assert agreement[faint].mean() + 2 < agreement[plain].mean()


def test_a_row_has_at_most_one_planted_defect_and_each_kind_occurs(truth):
    assert truth["id"].is_unique
    assert set(truth["kind"]) == set(KINDS)
    assert not set(truth["id"]) & set(truth["partner"])


@pytest.mark.parametrize("kind", ["leak", "copy", "conflict"])
def test_a_copy_is_byte_identical_to_its_partner(rows, truth, kind):
    for planted in truth[truth["kind"] == kind].itertuples():
        assert rows.loc[planted.id, "pixels"] == rows.loc[planted.partner, "pixels"]


def test_a_leak_lies_in_training_and_its_partner_does_not(rows, truth):
    leaks = truth[truth["kind"] == "leak"]
    assert set(rows.loc[leaks["id"], "Usage"]) == {"Training"}
    assert set(rows.loc[leaks["partner"], "Usage"]) == {"PublicTest", "PrivateTest"}


def test_a_copy_stays_in_its_split_with_its_label(rows, truth):
    for copy in truth[truth["kind"] == "copy"].itertuples():
        assert (rows.loc[copy.id] == rows.loc[copy.partner]).all()


def test_only_wrong_labels_and_conflicts_differ_from_the_truth(rows, truth):
    faces = truth[truth["kind"] != "non_face"]
    differs = rows.loc[faces["id"], "emotion"].astype(str).to_numpy() != faces["true_label"]
    assert (differs == faces["kind"].isin(["wrong_label", "conflict"])).all()
    assert set(rows.loc[faces["id"][differs], "Usage"]) == {"Training"}


def test_a_near_copy_differs_from_its_partner_by_little(drawn):
    near = np.flatnonzero(drawn.kind == "near_copy")
    for row in near:
        mine, theirs = drawn.pictures[[row, drawn.partner[row]]].astype(float)
        assert (mine != theirs).any()
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.8


def test_rows_that_are_no_planted_copies_are_all_different(drawn):
    own = ~np.isin(drawn.kind, ["leak", "copy", "conflict"])
    counts = Counter(picture.tobytes() for picture in drawn.pictures[own])
    assert max(counts.values()) == 1


def test_some_non_faces_are_blank_and_some_have_texture():
    spread = draw_non_faces(np.random.PCG64(1), 24).std(axis=(1, 2))
    assert (spread < 5).sum() == 8
    assert (spread > 12).sum() >= 14


def test_mouth_corners_rise_in_a_smile_and_fall_in_a_frown():
    def corner_row(expression: str) -> int:
        """The darkest row, counted downwards, where the left corner of a mouth may lie."""
        mean_face = faces_of(expression, 1.0).mean(axis=0)
        return int(mean_face[31:44, 15:17].mean(axis=1).argmin())

    assert corner_row("happy") < corner_row("neutral") < corner_row("sad")


def test_a_stronger_expression_is_further_from_the_neutral_face():
    calm = faces_of("neutral", 0.0)
    for expression in set(EXPRESSIONS) - {"neutral"}:
        far = [np.abs(faces_of(expression, i) - calm).mean() for i in (0.2, 0.6, 1.0)]
        assert far[0] < far[1] < far[2], expression


def test_contempt_is_shown_on_either_side_but_one():
    code = np.full(60, EXPRESSIONS.index("contempt"))
    act = actions(np.random.PCG64(1), code, np.ones(60))
    assert ((act["left"] == 0) ^ (act["right"] == 0)).all()
    assert 0.25 < (act["left"] == 0).mean() < 0.75


def test_the_contact_sheet_shows_faces_of_the_set(drawn):
    sheet = contact_sheet(drawn)
    assert sheet.dtype == np.uint8
    shown = sheet[30:126:2, 86:182:2]  # the first face, drawn at twice its size
    angry = drawn.pictures[drawn.expression == EXPRESSIONS.index("angry")]
    assert (angry == shown).all(axis=(1, 2)).any()
