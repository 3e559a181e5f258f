"""A real browser with a camera that films drawn faces."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from pipelines.page_examples import draw, tinted

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
]
PATIENCE = 120_000  # milliseconds, for machines that have other work
# Headless Chromium has no voice; this is the device that the page hands its sentences to.
VOICES = """
  window.spoken = [];
  const voices = ["en-GB", "vi-VN"].map((lang) => ({ lang, name: lang, localService: true }));
  speechSynthesis.getVoices = () => [{ lang: "vi-VN", localService: false }, ...voices];
  speechSynthesis.speak = ({ text, lang, voice }) => spoken.push([lang, text]);
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
"""


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """A person who sits still, 640 × 480, to the left of the middle."""
    file = tmp_path_factory.mktemp("film") / "film.mjpeg"
    (face,) = draw(["happy"], seed=8, side=400)
    scene = np.full((480, 640), face[0, 0], np.uint8)
    scene[80:480, 60:460] = face
    file.write_bytes(cv2.imencode(".jpg", tinted(scene))[1].tobytes() * 30)
    return file


@pytest.fixture(scope="module")  # Playwright has an event loop, and no other may run beside it
def browser(film):
    """Chromium without a window."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    with sync_playwright() as running:
        expect.set_options(timeout=PATIENCE)
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, service):
    """Opens the page as a new visitor; the options are Playwright's for a context."""
    contexts = []

    def opened(script: str = VOICES, address: str = service.address, **options):
        context = browser.new_context(**({"locale": "en-GB"} | options))
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(script)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda said: said.type == "error" and page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(address)
        page.wait_for_load_state("networkidle")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(visit):
    """The page, in English, with leave to use the camera."""
    return visit(permissions=["camera"])
