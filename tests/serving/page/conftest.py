"""A real browser with a camera that films drawn faces."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

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
SPEED = 30  # frames a second at which Chromium plays an MJPEG file as a camera
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
    """Two seconds of a person, then two seconds of another one; 640 × 480."""
    file = tmp_path_factory.mktemp("film") / "film.mjpeg"
    with file.open("wb") as out:
        for face in draw(["happy", "angry"], seed=8, side=400):
            scene = np.full((480, 640), face[0, 0], np.uint8)
            scene[80:480, 120:520] = face
            picture = cv2.imencode(".jpg", tinted(scene))[1].tobytes()
            out.write(picture * 2 * SPEED)
    return file


@pytest.fixture(scope="session")
def browser(film):
    """Chromium without a window."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    with sync_playwright() as running:
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
