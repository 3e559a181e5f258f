from pathlib import Path

import pytest

from components.errors import InputError
from components.outputs import replacing, write_text


def fail_half_way(out: Path) -> None:
    with replacing(out) as folder:
        (folder / "file").write_text("half")
        raise OSError("half way")


def test_a_finished_block_takes_the_place_of_the_old_output(tmp_path):
    out = tmp_path / "a" / "out"
    for content in ("first", "second"):
        with replacing(out) as folder:
            (folder / "file").write_text(content)
    assert (out / "file").read_text() == "second"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failed_block_leaves_the_old_output(tmp_path):
    out = tmp_path / "out"
    with replacing(out) as folder:
        (folder / "file").write_text("good")
    with pytest.raises(InputError, match="half way"):
        fail_half_way(out)
    assert (out / "file").read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_text_is_written_whole(tmp_path):
    write_text(tmp_path / "deep" / "text", "all of it")
    assert (tmp_path / "deep" / "text").read_text() == "all of it"
    assert len(list((tmp_path / "deep").iterdir())) == 1
