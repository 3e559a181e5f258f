"""The heat map: parts of a face are hidden, and the ensemble is asked again."""

import cv2
import numpy as np
import pytest

from serving.client import AnswerError
from serving.heat import GRID, evidence, hidden


def test_what_the_answer_rests_on_is_hottest():
    face = np.zeros((48, 48, 1), np.uint8)
    face[30:36, 12:18] = 255  # the only thing that a network which likes light looks at

    def probabilities(faces: np.ndarray) -> np.ndarray:
        light = faces.mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - light, light], axis=1)

    heat = evidence(probabilities(face[None])[0], probabilities(hidden(face)), 1)
    assert np.unravel_index(heat.argmax(), heat.shape) == (5, 2)
    assert heat.max() > 3
    assert abs(heat[0, 7]) < 0.5


def test_a_sure_answer_still_has_a_map():
    sure = np.array([1.0, 3e-9, 2e-10], np.float32)
    answers = np.tile(sure, (GRID**2, 1))
    answers[9] = [1.0, 6e-9, 4e-10]
    heat = evidence(sure, answers, 0)
    assert heat[1, 1] == pytest.approx(1, abs=1e-5)  # the odds are half as good
    assert np.delete(heat.ravel(), 9) == pytest.approx(0)


def test_every_part_of_a_face_of_any_size_is_hidden_some_time():
    for shape in ((48, 48, 1), (31, 67, 3), (8, 8, 1)):
        face = np.full(shape, 10, np.uint8)
        face[::2] = 250
        copies = hidden(face)
        assert copies.shape == (GRID**2, *shape)
        assert ((copies != face).any(axis=0)).all()
        assert (face[::2] == 250).all()


def test_the_service_says_where_it_looked_if_it_is_asked(client, png):
    plain, hot = client.faces(png), client.faces(png, heat=True)
    assert [face.heat for face in plain.faces] == [None] * 4
    assert hot.seconds["heat"] > 0
    for face in hot.faces:
        assert np.shape(face.heat.grid) == (GRID, GRID)
        assert np.ptp(face.heat.grid) > 0.1
        frame = face.heat.frame
        assert frame.width == pytest.approx(frame.height, abs=0.2)
        x, y = face.landmarks["nose"]
        assert frame.left < x < frame.left + frame.width
        assert frame.top < y < frame.top + frame.height


def test_the_heat_map_is_drawn_onto_the_face_and_nowhere_else(client, png):
    plain, hot = (
        cv2.imdecode(np.frombuffer(client.annotated(png, heat=heat), np.uint8), 1).astype(int)
        for heat in (False, True)
    )
    changed = np.abs(plain - hot).max(axis=2) > 8
    inside = np.zeros_like(changed)
    for face in client.faces(png, heat=True).faces:
        frame = face.heat.frame
        left, top, side = round(frame.left), round(frame.top), round(frame.width)
        inside[max(top, 0) : top + side, max(left, 0) : left + side] = True
    assert changed[inside].mean() > 0.05
    assert not changed[~inside].any()


def test_a_turned_face_has_no_heat_map(service, client, png):
    answer = service.post("/faces", png, heat="true", align="landmarks")
    assert "align=none" in service.problem(answer, 422, "invalid-option")
    with pytest.raises((ValueError, AnswerError), match="align=none"):
        client.faces(png, heat=True, align="landmarks")


def test_a_heat_map_takes_as_many_further_faces_as_it_has_parts(service, client, png):
    before = service.metric("mien_batch_size_sum")
    faces = client.faces(png, heat=True).faces
    assert service.metric("mien_batch_size_sum") - before == len(faces) * (1 + GRID**2)
