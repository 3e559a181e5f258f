"""The page for people who see it otherwise, use a keyboard, or hold a telephone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def faults(page) -> list[str]:
    """What axe-core finds, by WCAG 2.2's levels A and AA and its own best practices."""
    found = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {node['html']}" for fault in found for node in fault["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "vi-VN"])
def test_the_page_has_no_fault_that_axe_finds(visit, png, locale, scheme):
    page = visit(locale=locale, color_scheme=scheme)
    assert faults(page) == []
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png})
    expect(page.locator(".box")).to_have_count(4)
    assert faults(page) == []
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    expect(page.get_by_role("alert")).to_be_visible()
    assert faults(page) == []


def test_the_camera_has_no_fault_that_axe_finds(page):
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator(".box")).to_have_count(1)
    assert faults(page) == []


def test_every_control_is_reached_and_seen_with_the_keyboard(page, png):
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png})
    expect(page.locator(".box")).to_have_count(4)
    controls = page.locator("a, button, summary").filter(visible=True)
    wanted, reached = controls.count(), set()
    page.locator("body").focus()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
              const all = [...document.querySelectorAll("a, button, summary")];
              const ring = getComputedStyle(document.activeElement).outlineStyle;
              return [all.indexOf(document.activeElement), ring];
            }"""
        )
        if focus[0] >= 0:
            reached.add(focus[0])
            assert focus[1] == "solid"
    assert len(reached) == wanted


def test_a_telephone_shows_everything_without_scrolling_sideways(visit, png):
    page = visit(**PHONE)
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png})
    expect(page.locator(".box")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 36, button.inner_text()


def test_nothing_moves_for_who_asks_for_that(visit):
    script = """() => [...document.querySelectorAll("*")].filter((element) => {
      const style = getComputedStyle(element);
      return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
    }).length"""
    still = visit(reduced_motion="reduce", permissions=["camera"])
    moving = visit(permissions=["camera"])
    for page in (still, moving):
        page.get_by_role("button", name="Use the camera").click()
        expect(page.locator(".box")).to_have_count(1)
    assert still.evaluate(script) == 0
    assert moving.evaluate(script) > 0


def test_the_voice_and_a_screen_reader_do_not_talk_at_the_same_time(page):
    words = page.locator("#assistant [data-part=words]")
    expect(words).to_have_attribute("aria-live", "off")
    page.get_by_role("button", name="Voice is on").click()
    expect(words).to_have_attribute("aria-live", "polite")
