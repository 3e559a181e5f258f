import json
import logging
import sys

from serving.logs import JsonLines


def test_a_line_says_how_much_came_and_went_and_nothing_of_the_picture(service, png):
    name = "the-name-of-a-file.png"
    answer = service.http.post("/faces", files={"image": (name, png)})
    line = service.line(answer)
    assert line["level"] == "info"
    assert line["status"] == 200
    assert line["received"] > len(png)
    assert line["sent"] == len(answer.content)
    assert name not in service.log.read_text()
    assert answer.json()["faces"][0]["label"] not in json.dumps(line)


def test_an_error_is_one_line_with_its_trace():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("serving", 40, "", 0, "failed", (), sys.exc_info())
    written = JsonLines().format(record)
    assert "\n" not in written
    assert "ValueError: two\nlines" in json.loads(written)["trace"]
