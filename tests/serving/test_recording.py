"""A video comes back as an MP4 with boxes, labels and tracks."""

import cv2
import numpy as np
import pytest

from serving.client import AnswerError
from tests.waiting import until


def read(path) -> tuple[list[np.ndarray], float]:
    capture, frames = cv2.VideoCapture(str(path)), []
    rate = capture.get(cv2.CAP_PROP_FPS)
    while (read := capture.read())[0]:
        frames.append(read[1].astype(int))
    return frames, rate


def test_the_sampled_frames_come_back_with_boxes(service, client, video, crowd, tmp_path):
    client.annotated_video(video, tmp_path / "seen.mp4", fps=5)
    frames, rate = read(tmp_path / "seen.mp4")
    *answers, _ = client.video(video, fps=5)
    assert len(frames) == len(answers) == 10
    assert rate == 5
    for frame, answer in zip(frames, answers, strict=True):
        green = (frame[..., 1] - frame[..., 2] > 60) & (frame[..., 1] - frame[..., 0] > 40)
        assert frame.shape == crowd.shape
        assert len(answer.faces) == 4
        assert green.any() == any(face.certain for face in answer.faces)
        for box in (face.box for face in answer.faces if face.certain):
            middle = round(box.top + box.height / 2)
            edge = round(box.left)
            assert green[middle, max(edge - 2, 0) : edge + 3].any()
    until(service.is_clean)


def test_no_more_frames_are_played_than_the_video_has(client, video, tmp_path):
    client.annotated_video(video, tmp_path / "seen.mp4", fps=60)
    frames, rate = read(tmp_path / "seen.mp4")
    assert (len(frames), rate) == (20, 10)


def test_what_is_no_video_is_a_problem_and_leaves_nothing(service, client, tmp_path):
    (tmp_path / "sound.mp4").write_bytes(b"RIFF$\x00\x00\x00WAVEfmt ")
    with pytest.raises(AnswerError, match="cannot be read as a video"):
        client.annotated_video(tmp_path / "sound.mp4", tmp_path / "seen.mp4")
    until(service.is_clean)
