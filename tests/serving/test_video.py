import cv2
import numpy as np
import pytest

from serving.problems import ProblemError
from serving.video import Tracker, Video, overlap

FPS = 10


def write_video(path, frames: int = 30, size: tuple[int, int] = (64, 48)) -> None:
    """Frames that grow brighter, at 10 a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    for level in range(frames):
        writer.write(np.full((size[1], size[0], 3), 8 * level, np.uint8))
    writer.release()


def test_frames_are_sampled_by_time(tmp_path):
    write_video(tmp_path / "video.mp4")
    video = Video(tmp_path / "video.mp4", 10_000)
    seen = [(number, round(seconds, 3)) for number, seconds, _ in video.frames(5)]
    assert seen == [(number, number / FPS) for number in range(0, 30, 2)]
    assert video.complete


def test_every_frame_is_seen_when_more_are_asked_for_than_there_are(tmp_path):
    write_video(tmp_path / "video.mp4")
    frames = list(Video(tmp_path / "video.mp4", 10_000).frames(60))
    assert [number for number, _, _ in frames] == list(range(30))
    levels = [pixels.mean() for _, _, pixels in frames]
    assert (np.diff(levels) > 0).all()


@pytest.mark.parametrize("content", [b"", b"RIFF$\x00\x00\x00WAVEfmt ", b"\x00" * 5000])
def test_what_is_no_video_is_a_problem(tmp_path, content):
    (tmp_path / "video.mp4").write_bytes(content)
    with pytest.raises(ProblemError, match="cannot be read as a video"):
        Video(tmp_path / "video.mp4", 10_000)


def test_large_frames_are_refused(tmp_path):
    write_video(tmp_path / "video.mp4")
    with pytest.raises(ProblemError, match="64 × 48 pixels"):
        Video(tmp_path / "video.mp4", 64 * 48 - 1)


def test_a_face_keeps_its_track_while_it_moves_and_while_it_is_hidden_for_a_moment():
    tracker, face = Tracker(), np.array([10.0, 10, 50, 50])
    assert tracker.assign(0.0, face[None]) == [0]
    assert tracker.assign(0.2, np.array([face + 300, face + 8])) == [1, 0]
    assert tracker.assign(0.4, np.empty((0, 4))) == []
    assert tracker.assign(0.6, (face + 10)[None]) == [0]
    assert tracker.assign(3.0, (face + 10)[None]) == [2]


def test_two_faces_do_not_share_a_track():
    tracker, face = Tracker(), np.array([10.0, 10, 50, 50])
    tracker.assign(0.0, face[None])
    assert sorted(tracker.assign(0.2, np.array([face, face + 4]))) == [0, 1]


def test_overlap_is_the_common_share_of_both():
    assert overlap(np.array([0, 0, 10, 10]), np.array([0, 0, 10, 10])) == 1
    assert overlap(np.array([0, 0, 10, 10]), np.array([5, 0, 15, 10])) == pytest.approx(1 / 3)
    assert overlap(np.array([0, 0, 10, 10]), np.array([20, 0, 30, 10])) == 0
