"""The page's modules that know no document, run in the browser that they are written for."""

import csv
import io
import itertools
import re

import pytest

from serving.website import FOLDER

BOX = {"left": 10, "top": 10, "width": 100, "height": 100}
IMPORT = """async ([file, argument]) => {
  const module = await import(`/page/${file}`);
  return (SCRIPT)(module, argument);
}"""


@pytest.fixture
def run(page):
    """Runs a function of a module and an argument in the page."""
    return lambda file, script, argument=None: page.evaluate(
        IMPORT.replace("SCRIPT", script), [file, argument]
    )


def face(happy: float, left: float = 10) -> dict:
    return {
        "label": "happy" if happy >= 0.5 else "sad",
        "certain": True,
        "probabilities": {"happy": happy, "sad": 1 - happy},
        "box": BOX | {"left": left},
    }


@pytest.fixture
def follow(run):
    """Feeds frames to a new tracker: a list of (seconds, faces)."""
    script = """({ Tracker }, [options, frames]) => {
      const tracker = new Tracker(options);
      return frames.map(([seconds, faces]) => tracker.update(seconds, faces));
    }"""
    return lambda frames, **options: run("following.js", script, [options, frames])


@pytest.fixture
def hear(run):
    """Feeds (seconds, expression) to a new gate."""
    script = """({ Gate }, [options, heard]) => {
      const gate = new Gate(options);
      return heard.map(([seconds, mood]) => gate.hear(seconds, mood));
    }"""
    return lambda heard, **options: run("following.js", script, [options, heard])


def test_boxes_overlap_by_what_they_share(run):
    script = "({ overlap }, [one, other]) => overlap(one, other)"
    assert run("following.js", script, [BOX, BOX]) == 1
    assert run("following.js", script, [BOX, BOX | {"left": 60}]) == pytest.approx(1 / 3)
    assert run("following.js", script, [BOX, BOX | {"left": 110}]) == 0


def test_probabilities_move_towards_the_new_ones_as_time_goes_by(follow):
    steps = follow([(0, [face(1.0)]), (0.6, [face(0.0)]), (60, [face(0.0)])], patience=100)
    shares = [step[0]["probabilities"]["happy"] for step in steps]
    assert shares == pytest.approx([1, 0.3679, 0], abs=1e-3)
    for step in steps:
        assert sum(step[0]["probabilities"].values()) == pytest.approx(1)


def test_a_label_does_not_flicker_between_two_that_are_about_as_likely(follow):
    unsteady = [(i / 5, [face(0.53 if i % 2 else 0.47)]) for i in range(20)]
    assert {step[0]["label"] for step in follow(unsteady)} == {"sad"}
    decided = [*unsteady, *[(4 + i / 5, [face(0.9)]) for i in range(20)]]
    assert follow(decided)[-1][0]["label"] == "happy"


def test_a_face_is_certain_when_its_smoothed_probability_reaches_the_threshold(follow):
    frames = [(0, [face(0.9)]), (0.3, [face(0.5)]), (5, [face(0.5)])]
    steps = follow(frames, threshold=0.6, patience=9)
    assert [step[0]["certain"] for step in steps] == [True, True, False]
    assert follow(frames)[0][0]["certain"] is None


def test_faces_keep_their_tracks_when_their_order_changes(follow):
    one, other = face(0.9, left=10), face(0.2, left=400)
    first, second = follow([(0, [one, other]), (0.2, [other, one])])
    assert [f["track"] for f in first] == [1, 2]
    assert [f["track"] for f in second] == [2, 1]
    assert second[1]["probabilities"]["happy"] == pytest.approx(0.9)


def test_a_face_may_hide_for_a_moment_and_not_for_long(follow):
    steps = follow([(0, [face(1.0)]), (0.5, []), (0.9, [face(1.0)]), (3, [face(1.0)])])
    assert [f["track"] for step in steps for f in step] == [1, 1, 2]


def test_the_assistant_stays_with_its_face_while_it_is_there(run):
    script = "({ mainFace }, [faces, track]) => mainFace(faces, track)?.track ?? null"
    faces = [{"track": 1}, {"track": 2}]
    assert run("following.js", script, [faces, 2]) == 2
    assert run("following.js", script, [faces, 3]) == 1
    assert run("following.js", script, [[], 1]) is None


def test_an_expression_is_answered_once_it_has_lasted(hear):
    heard = [(0, "happy"), (1, "happy"), (1.4, "sad"), (2, "happy"), (3.5, "happy")]
    assert hear(heard) == [None, None, None, None, "happy"]


def test_the_assistant_cools_down_between_two_answers(hear):
    heard = [(i / 2, "happy" if i < 6 else "sad") for i in range(40)]
    spoken = [(at, said) for (at, _), said in zip(heard, hear(heard), strict=True) if said]
    assert spoken == [(1.5, "happy"), (9.5, "sad")]


def test_the_same_expression_is_not_answered_again_and_again(hear):
    spoken = [said for said in hear([(i, "happy") for i in range(100)]) if said]
    assert len(spoken) == 4  # at 2, 32, 62 and 92 seconds


def test_a_changeable_face_does_not_make_it_chatter(hear):
    moods = ["happy", "sad", "angry", "fear"]
    heard = [(i / 5, moods[i // 10 % 4]) for i in range(600)]  # another one every two seconds
    spoken = [at for (at, _), said in zip(heard, hear(heard), strict=True) if said]
    assert 2 <= len(spoken) <= 15  # in two minutes
    assert min(b - a for a, b in itertools.pairwise(spoken)) >= 8


def test_nothing_is_said_to_an_uncertain_face(hear):
    assert set(hear([(i, None) for i in range(60)])) == {None}


def test_both_label_sets_are_known_and_an_unknown_label_is_not_guessed(run):
    script = "({ moodOf }, labels) => labels.map(moodOf)"
    labels = ["happy", "happiness", "anger", "sadness", "contempt", "boredom"]
    known = ["happy", "happy", "angry", "sad", "contempt", None]
    assert run("moods.js", script, labels) == known


@pytest.fixture
def table(run):
    """The CSV of a session: (source, face) pairs, a picture each."""
    script = """({ Session, toCsv }, pictures) => {
      const session = new Session();
      for (const [name, face] of pictures) session.addPicture(0, name, [face]);
      return toCsv(session.rows);
    }"""
    return lambda *pictures: run("session.js", script, list(pictures))


def test_a_session_becomes_a_csv_file_that_readers_understand(table):
    text = table(('a "good", day.png', face(0.75)))
    assert text.endswith("\r\n")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {
        "time": "1970-01-01T00:00:00.000Z",
        "source": 'a "good", day.png',
        "face": "1",
        "label": "happy",
        "certain": "true",
        "left": "10",
        "top": "10",
        "width": "100",
        "height": "100",
        "happy": "0.7500",
        "sad": "0.2500",
    }


@pytest.mark.parametrize("name", ["=1+2.png", "+1.png", "-1.png", "@a.png", "\tx.png"])
def test_a_files_name_is_no_formula_in_a_spreadsheet(table, name):
    (row,) = csv.DictReader(io.StringIO(table((name, face(0.75, left=-3))), newline=""))
    assert row["source"] == f"'{name}"
    assert row["left"] == "-3"


def test_a_long_session_forgets_its_oldest_rows(run):
    script = """({ Session }, face) => {
      const session = new Session(10);
      for (let time = 0; time < 25; time++) session.addFrame(1000 * time, [face], face);
      return [session.rows.map((row) => row.time), session.columns.length];
    }"""
    times, columns = run("session.js", script, face(0.9))
    assert times == [1000 * second for second in range(15, 25)]
    assert columns == 10


def test_a_second_of_the_camera_is_one_column_with_the_mean(run):
    script = """({ Session }, faces) => {
      const session = new Session();
      faces.forEach((face, i) => session.addFrame(400 * i, [face], face));
      return session.columns;
    }"""
    first, second = run("session.js", script, [face(1.0), face(0.8), face(0.6), face(0.0)])
    assert first["probabilities"]["happy"] == pytest.approx(0.8)
    assert second["probabilities"]["happy"] == 0


def test_shares_count_columns_and_doubts(run):
    script = "({ shares }, columns) => shares(columns)"
    columns = [{"label": "happy", "certain": c} for c in (True, True, False, None)]
    assert run("session.js", script, columns) == [["happy", 0.75], [None, 0.25]]


def test_every_language_says_everything_with_the_same_blanks(run):
    strings = run("strings.js", "({ STRINGS }) => STRINGS")
    assert set(strings) == {"en", "vi"}
    assert list(strings["en"]) == list(strings["vi"])
    for key, english in strings["en"].items():
        other = strings["vi"][key]
        assert isinstance(other, list) == isinstance(english, list)
        assert other != english
        blanks = [sorted(re.findall(r"\{\w+\}", str(words))) for words in (english, other)]
        assert blanks[0] == blanks[1], key


def test_every_text_that_is_asked_for_exists_and_none_is_left_over(run):
    keys = set(run("strings.js", "({ STRINGS }) => Object.keys(STRINGS.en)"))
    files = [file for kind in ("*.js", "*.html") for file in FOLDER.glob(kind)]
    source = "".join(file.read_text() for file in files if file.name != "strings.js")
    asked = set(re.findall(r'(?:data-text|data-label)="(\w+)"', source))
    asked |= set(re.findall(r'(?:\btext|new Problem)\("([\w.]+)"', source))
    assert len(asked) > 40
    assert asked <= keys
    plain = [key for key in keys if "." not in key]
    assert [key for key in plain if not re.search(rf'["`.]{key}\b', source)] == []


def test_every_expression_has_a_name_and_two_answers_in_every_language(run):
    strings = run("strings.js", "({ STRINGS }) => STRINGS")
    for mood in run("moods.js", "({ moods }) => moods()"):
        for language in strings.values():
            assert language[f"mood.{mood}"]
            assert len(set(language[f"say.{mood}"])) == 2
