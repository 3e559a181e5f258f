"""The page in a real browser, before the real service."""

import csv
import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.serving.page.choosing import choose

NAMES = {"happy": "vui vẻ", "sad": "buồn bã", "angry": "giận dữ", "fear": "sợ hãi"}
NAMES |= {"disgust": "ghê tởm", "surprise": "ngạc nhiên", "neutral": "bình thản"}
DROP = """(target, [kind, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "crowd.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true };
  target.dispatchEvent(kind === "drop"
    ? new DragEvent("drop", { ...options, dataTransfer: data })
    : new ClipboardEvent("paste", { ...options, clipboardData: data }));
}"""


def encoded(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def spoken(page) -> list[list[str]]:
    return page.evaluate("window.spoken")


@pytest.fixture(scope="module")
def doubtful(client, crowd, drawn) -> bytes:
    """A picture with a face that the model is sure of, and one that it is not."""
    # The tested network is linear: the darker a face, the less it is sure.
    for face in drawn[:16]:
        picture = crowd.copy()
        picture[:, 320:] = 20
        large = cv2.resize(face, (120, 120), interpolation=cv2.INTER_CUBIC)
        picture[60:180, 400:520] = large[..., None] * 0.15
        faces = client.faces(encoded(picture)).faces
        if len({face.certain for face in faces}) == 2:
            return encoded(picture)
    raise AssertionError("no picture has both kinds of faces")


def test_a_chosen_picture_shows_what_the_service_answers(page, client, png):
    faces = client.faces(png).faces
    choose(page, png)
    expect(page.locator(".box")).to_have_count(len(faces))
    names = [
        f"{face.label} {face.probabilities[face.label]:.0%}" if face.certain else "not sure"
        for face in faces
    ]
    expect(page.locator("#faces .name")).to_have_text(names)
    expect(page.locator("#status")).to_have_text(f"{len(faces)} faces: {', '.join(names)}")
    words = page.locator("#faces li:first-child .bars .word").all_inner_texts()
    assert words == list(faces[0].probabilities)


def test_a_box_lies_where_the_face_is(page, client, png):
    (face, *_) = client.faces(png).faces
    choose(page, png)
    box = page.locator(".box").first.bounding_box()
    shown = page.locator("#stage img.shown").bounding_box()
    scale = shown["width"] / 640
    assert box["x"] - shown["x"] == pytest.approx(face.box.left * scale, abs=2)
    assert box["y"] - shown["y"] == pytest.approx(face.box.top * scale, abs=2)
    assert box["width"] == pytest.approx(face.box.width * scale, abs=2)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(page, png, kind):
    page.locator("body").evaluate(DROP, [kind, list(png)])
    expect(page.locator(".box")).to_have_count(4)


def test_a_face_that_the_model_is_not_sure_of_is_called_that(page, client, doubtful):
    faces = client.faces(doubtful).faces
    choose(page, doubtful)
    expect(page.locator(".box")).to_have_count(len(faces))
    for face, card in zip(faces, page.locator(".card").all(), strict=True):
        name = card.locator(".name").inner_text()
        assert (name == "not sure") == (not face.certain)
        assert ("threshold of 95%" in card.locator(".note").text_content()) == (not face.certain)
    doubts = [face.certain for face in faces].count(False)
    expect(page.locator(".box.unsure")).to_have_count(doubts)


def test_the_problem_of_the_service_is_shown_as_its_sentence(page, service, png):
    detail = service.post("/faces", png[:500], "image/png").json()["detail"]
    choose(page, png[:500])
    expect(page.get_by_role("alert")).to_contain_text(f"The picture cannot be read. {detail}")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    choose(page, bytes(3 * 2**20))
    expect(page.get_by_role("alert")).to_contain_text("The picture is too large.")
    choose(page, png)
    expect(page.locator(".box")).to_have_count(4)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_file_that_is_no_picture_is_not_sent(page):
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    choose(page, b"text", "notes.txt", "text/plain")
    expect(page.get_by_role("alert")).to_contain_text("That is not a picture.")
    assert not any("faces" in url for url in sent)


def test_a_service_that_is_away_is_said_so(page, png):
    page.context.set_offline(True)
    choose(page, png)
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached.")


def test_where_no_face_is_found_turned_ones_can_be_looked_for(page, crowd):
    choose(page, encoded(np.full_like(crowd, 128)))
    expect(page.locator("#status")).to_have_text("No face was found.")
    with page.expect_request("**/faces?turned=true"):
        page.get_by_role("button", name="Look for turned faces").click()


def test_an_example_is_read_with_the_keyboard_alone(page):
    example = page.get_by_role("button", name="Drawn face: happy")
    for _ in range(40):
        page.keyboard.press("Tab")
        if example.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".box")).to_have_count(1)


@pytest.mark.parametrize("name", ["angry", "disgust", "fear", "happy", "sad", "surprise"])
def test_a_face_is_found_in_every_example(client, name):
    file = f"serving/page/examples/{name}.png"
    assert len(client.faces(cv2.imencode(".png", cv2.imread(file))[1].tobytes()).faces) == 1


def test_the_session_is_saved_as_csv_with_what_the_service_answered(page, client, png):
    answer = client.faces(png)
    choose(page, png)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(saved.value.path().open(newline="", encoding="utf-8")))
    assert saved.value.suggested_filename.endswith(".csv")
    assert [row["label"] for row in rows] == [face.label for face in answer.faces]
    for row, face in zip(rows, answer.faces, strict=True):
        assert row["source"] == "crowd.png"
        assert float(row["left"]) == face.box.left
        assert row["certain"] == str(face.certain).lower()
        for label, share in face.probabilities.items():
            assert float(row[label]) == pytest.approx(share, abs=1e-4)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("button", name="Save as CSV")).to_be_hidden()


def test_the_camera_is_read_until_it_is_stopped(page):
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator(".box")).to_have_count(1)
    expect(page.locator(".card")).to_have_count(1)
    for _ in range(3):
        with page.expect_response("**/faces?max_faces=20") as answered:
            pass
        assert answered.value.request.headers["content-type"] == "image/jpeg"
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.locator(".box")).to_have_count(0)
    assert page.evaluate("document.querySelector('video').srcObject") is None
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(saved.value.path().open(newline="", encoding="utf-8")))
    assert len(rows) >= 4
    assert {row["source"] for row in rows} == {"camera"}
    times = [row["time"] for row in rows]
    assert times == sorted(set(times))


def test_the_camera_is_a_mirror_and_so_are_its_boxes(page):
    with page.expect_response("**/faces?max_faces=20") as answered:
        page.get_by_role("button", name="Use the camera").click()
    (face,) = answered.value.json()["faces"]
    # Both in one moment: every answer draws the box anew.
    measured = page.wait_for_function("""() => {
        const [frame, box] = [".frame", ".box"].map((name) => document.querySelector(name));
        if (!box) return null;
        const [outer, inner] = [frame, box].map((one) => one.getBoundingClientRect());
        return [outer.right - inner.right, outer.width];
    }""")
    right, width = measured.json_value()
    assert right == pytest.approx(face["box"]["left"] * width / 640, abs=20)
    assert page.locator("video").evaluate("video => getComputedStyle(video).transform")[7] == "-"


def test_a_camera_that_is_not_allowed_is_explained(visit):
    page = visit(permissions=[])
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("alert")).to_contain_text("camera")
    expect(page.get_by_role("button", name="Use the camera")).to_be_visible()


def test_the_assistant_answers_by_text_and_voice_in_the_language_of_the_page(page, client, png):
    (face, *_) = client.faces(png).faces
    sentences = page.evaluate(
        "async (mood) => (await import('/page/strings.js')).STRINGS.en[`say.${mood}`]", face.label
    )
    words = page.locator("#assistant [data-part=words]")
    choose(page, png)
    expect(words).to_have_text(sentences[0])
    page.get_by_role("button", name="Tiếng Việt").click()
    choose(page, png)
    expect(words).not_to_have_text(sentences[0])
    expect(page.locator(".box")).to_have_count(4)
    (first, english), (second, vietnamese) = spoken(page)
    assert (first, second) == ("en-GB", "vi-VN")
    assert english == sentences[0]
    assert vietnamese == words.inner_text()


def test_a_muted_assistant_writes_and_stays_muted(page, png):
    button = page.get_by_role("button", name="Voice is on")
    button.click()
    page.reload()
    expect(page.get_by_role("button", name="Voice is off")).to_have_attribute(
        "aria-pressed", "false"
    )
    choose(page, png)
    expect(page.locator("#assistant [data-part=words]")).not_to_contain_text("Show me a face")
    assert spoken(page) == []


def test_the_assistant_does_not_chatter_before_the_camera(page):
    page.get_by_role("button", name="Use the camera").click()
    words = page.locator("#assistant [data-part=words]")
    expect(words).not_to_contain_text("Show me a face")
    for _ in range(15):
        with page.expect_response("**/faces?max_faces=20"):
            pass
    assert len(spoken(page)) == 1


def test_without_a_voice_of_its_language_the_assistant_says_that_it_writes(visit):
    page = visit(script="")
    expect(page.locator("#assistant [data-part=note]")).to_contain_text("no English voice")


def test_the_page_is_vietnamese_for_who_reads_vietnamese(visit, client, doubtful):
    page = visit(locale="vi-VN")
    assert page.evaluate("document.documentElement.lang") == "vi"
    choose(page, doubtful)
    expect(page.locator("#status")).to_contain_text("khuôn mặt")
    english = page.evaluate(
        "async () => Object.values((await import('/page/strings.js')).STRINGS.en).flat()"
    )
    seen = page.locator("body").inner_text()
    assert [
        words
        for words in english
        if "{" not in words and re.search(rf"\b{re.escape(words)}(?!\w)", seen)
    ] == ["English"]
    for face, name in zip(
        client.faces(doubtful).faces, page.locator("#faces .name").all_inner_texts(), strict=True
    ):
        assert name.startswith(NAMES[face.label] if face.certain else "không chắc")


def test_the_chosen_language_is_kept(page):
    page.get_by_role("button", name="Tiếng Việt").click()
    page.reload()
    expect(page.get_by_role("button", name="Chọn ảnh")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "vi"
