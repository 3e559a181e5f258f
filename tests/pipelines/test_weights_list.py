import hashlib

import h5py
import numpy as np
import pytest

from components.weights import PUBLISHED, Published
from pipelines import weights

NUMBERS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.h5"
    with h5py.File(path, "w") as layout:
        layout.attrs["layer_names"] = [b"fc"]
        group = layout.create_group("fc")
        group.attrs["weight_names"] = [b"fc/kernel:0"]
        group["fc/kernel:0"] = NUMBERS
    return path


def published(parameters: int = 12, md5: str | None = None) -> Published:
    return Published("tiny.h5", "https://example.org", 1, parameters, "none", md5)


@pytest.fixture(autouse=True)
def _no_keras_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_a_missing_file_is_no_fault(tmp_path):
    assert weights.check(tmp_path / "tiny.h5", published()) == ("missing", True)


def test_a_file_that_keras_has_downloaded_is_pointed_out(tmp_path, file):
    cache = tmp_path / "keras" / "models"
    cache.mkdir(parents=True)
    file.rename(cache / "tiny.h5")
    status, fine = weights.check(file, published())
    assert fine
    assert status == f"missing, but Keras has it: cp {cache / 'tiny.h5'} {file}"


def test_a_file_is_held_against_its_published_checksum(file):
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    status, fine = weights.check(file, published(md5=md5))
    assert fine
    assert "its MD5 is the published one" in status
    status, fine = weights.check(file, published(md5="0" * 32))
    assert not fine
    assert f"its MD5 is {md5}, not {'0' * 32}: get it again" in status


def test_without_a_checksum_its_weights_are_counted_and_its_own_is_told(file):
    status, fine = weights.check(file, published())
    assert fine
    assert hashlib.sha256(file.read_bytes()).hexdigest() in status
    status, fine = weights.check(file, published(parameters=13))
    assert not fine
    assert "holds 12 weights, not 13" in status


def test_a_damaged_file_is_named(file):
    file.write_bytes(file.read_bytes()[:500])
    status, fine = weights.check(file, published())
    assert not fine
    assert "cannot be read" in status


def test_the_list_names_every_file_its_address_and_its_licence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert weights.main() == 0
    told = capsys.readouterr().out
    for one in PUBLISHED.values():
        assert f"{one.address}/{one.file}" in told
        assert one.licence in told
