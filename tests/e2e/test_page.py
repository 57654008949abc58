"""The page in Chromium with a whole fleet behind it: live skeletons, keys, timeline, phone, axe, weight."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from producer.stack.stack import Stack
from tests.e2e.conftest import Open
from tests.support.browser import INKED

pytestmark = [pytest.mark.stack, pytest.mark.browser]

PAGE = Path(__file__).parents[2] / "producer" / "api" / "page"
MOST_BYTES = 300_000
FRAME_S = 1 / 30
BOTH_S = 2.0
"""A time at which two people are there."""


def test_whoever_is_turned_off_is_not_drawn(opened: Open, done: str):
    tab = opened()
    tab.show_job(done, BOTH_S)
    both = tab.inked()
    expect(tab.page.locator(".stage canvas")).to_have_attribute("aria-label", re.compile("2 people"))
    tab.page.get_by_role("checkbox", name="Person 1").uncheck()
    one = tab.inked()
    assert 0.2 * both < one < 0.8 * both
    tab.page.get_by_role("button", name="Hide all").click()
    assert tab.inked() == 0
    tab.page.get_by_role("button", name="Show all").click()
    assert tab.inked() == both


def test_styles_and_smoothing_change_the_drawing(opened: Open, done: str):
    tab = opened()
    tab.show_job(done, BOTH_S)
    plain = tab.inked()
    tab.page.get_by_label("Boxes").check()
    boxes = tab.inked()
    tab.page.get_by_label("Trails").check()
    trails = tab.inked()
    assert plain < boxes < trails
    tab.page.get_by_label("Black").check()
    stage = tab.page.locator(".stage canvas").bounding_box()
    assert stage is not None
    assert tab.inked() == pytest.approx(stage["width"] * stage["height"], rel=0.02)
    tab.page.get_by_label("Black").uncheck()
    with tab.page.expect_response(lambda answer: "raw=true" in answer.url):
        tab.page.get_by_label("Smoothing").uncheck()
    tab.until(f"({INKED})() !== {trails}")


def test_the_keyboard_does_what_the_mouse_does(opened: Open, done: str):
    tab = opened()
    page = tab.page
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab.show_job(done, BOTH_S)
    both = tab.inked()
    page.keyboard.press(".")
    assert tab.time() == pytest.approx(BOTH_S + FRAME_S, abs=0.5 * FRAME_S)
    page.keyboard.press(",")
    page.keyboard.press(",")
    assert tab.time() == pytest.approx(BOTH_S - FRAME_S, abs=0.5 * FRAME_S)
    tab.seek(BOTH_S)
    page.keyboard.press("1")
    assert tab.inked() < 0.8 * both
    page.keyboard.press("1")
    assert tab.inked() == both
    page.keyboard.press("]")
    assert page.evaluate("document.querySelector('video').playbackRate") == 1.5
    page.keyboard.press(" ")
    tab.until(f"document.querySelector('video').currentTime > {BOTH_S + 0.3}")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('video').paused")
    assert {"Play", "Position", "Person 1", "annotated.mp4", "Delete"} <= set(reached(page))


def test_timeline_and_angles_follow_the_video_and_seek(opened: Open, done: str):
    tab = opened()
    tab.show_job(done, BOTH_S)
    tab.page.locator(".bar").first.click()
    assert tab.time() == pytest.approx(3.87, abs=0.05)
    tab.until("Math.abs(parseFloat(document.querySelector('.lanes .cursor').style.left) - 50) < 1")
    tab.page.get_by_label("Angle", exact=True).select_option("elbow")
    expect(tab.page.locator(".legend")).to_contain_text("Left elbow")
    assert tab.page.locator("path.curve").count() == 2
    assert "L" in str(tab.page.locator("path.curve.left").get_attribute("d"))


def test_nothing_scrolls_sideways_on_a_phone(opened: Open, done: str):
    tab = opened(phone=True)
    expect(tab.page.get_by_role("link", name="flip.mp4").first).to_be_visible()
    assert overhang(tab.page) <= 0
    tab.show_job(done, BOTH_S)
    assert overhang(tab.page) <= 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(dark: bool, opened: Open, done: str):
    tab = opened(dark=dark)
    tab.page.get_by_text("More", exact=True).click()
    expect(tab.page.get_by_role("link", name="flip.mp4").first).to_be_visible()
    assert serious(tab.page) == []
    tab.show_job(done, BOTH_S)
    assert serious(tab.page) == []
    tab.page.get_by_role("button", name="Delete").click()
    assert serious(tab.page) == []
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="Sign out").click()
    assert serious(tab.page) == []


def test_the_page_is_light_and_loads_nothing_from_elsewhere(opened: Open, stack: Stack, done: str):
    tab = opened()
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.reload()
    tab.show_job(done)
    own = f"{stack.addresses.api_url}/page/"
    files = {url.removeprefix(own) for url in asked if url.startswith(own)}
    assert files == {path.name for path in PAGE.iterdir()} - {"index.html"}
    assert all(url.startswith((stack.addresses.api_url, stack.addresses.s3_endpoint or "")) for url in asked)
    assert sum(path.stat().st_size for path in PAGE.iterdir()) <= MOST_BYTES


def reached(page: Page) -> list[str]:
    """Names of what the Tab key gets to, in order."""
    names: list[str] = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        names.append(str(page.evaluate(NAME)))
    return names


def overhang(page: Page) -> int:
    """Pixels that the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def serious(page: Page) -> list[tuple[str, Any]]:
    """What axe calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]


NAME = """() => {
  const element = document.activeElement;
  return element.ariaLabel || element.labels?.[0]?.textContent || element.textContent;
}"""
