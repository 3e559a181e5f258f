import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from components.errors import InputError
from pipelines import yunet


@pytest.fixture
def published(tmp_path):
    """A folder that a local server publishes, and its address."""
    folder = tmp_path / "published"
    folder.mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_file_that_was_measured_is_kept(tmp_path, published, monkeypatch):
    folder, address = published
    (folder / "model").write_bytes(b"a model")
    monkeypatch.setattr(yunet, "SHA256", hashlib.sha256(b"a model").hexdigest())
    yunet.fetch(tmp_path / "weights" / "model", f"{address}/model")
    assert (tmp_path / "weights" / "model").read_bytes() == b"a model"
    (folder / "model").unlink()
    yunet.fetch(tmp_path / "weights" / "model", f"{address}/model")  # asks no more


def test_another_file_is_not(tmp_path, published):
    folder, address = published
    (folder / "model").write_bytes(b"another model")
    with pytest.raises(InputError, match="is not the file that was measured"):
        yunet.fetch(tmp_path / "weights" / "model", f"{address}/model")
    assert not (tmp_path / "weights").exists()


def test_an_address_without_an_answer_is_named(tmp_path, published):
    _, address = published
    with pytest.raises(InputError, match=r"missing cannot be fetched .* put the file into"):
        yunet.fetch(tmp_path / "model", f"{address}/missing")
