"""The page in Chromium with a whole fleet behind it: upload, progress, live skeletons, keys, phone, axe, weight."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.errors import VideoError
from schema.messages import FrameBatch
from schema.options import Options
from tests.conftest import skip_or_fail
from tests.support.browser import INKED, Tab, chromium, running_browser
from tests.support.media import CLIP
from workers.stages.dead import bury

pytestmark = [pytest.mark.stack, pytest.mark.browser]

PAGE = Path(__file__).parents[2] / "producer" / "api" / "page"
MOST_BYTES = 300_000
FRAME_S = 1 / 30
BOTH_S = 2.0
"""A time at which two people are there."""

Open = Callable[..., Tab]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        skip_or_fail("Chromium is not installed")
    with running_browser(str(path)) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, stack: Stack) -> Iterator[Open]:
    """Opens tabs of the page, and looks for errors when they are closed."""
    tabs: list[Tab] = []

    def open_tab(*, token: str = "", phone: bool = False, dark: bool = False) -> Tab:
        given = token or stack.addresses.api_token
        tabs.append(Tab(browser, stack.addresses.api_url, given, phone=phone, dark=dark))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.close()
        assert tab.errors == []


@pytest.fixture(scope="module")
def done(fleet: Fleet) -> str:
    """A job that has ended, with angles."""
    job = fleet.enqueue(upload(fleet, CLIP), Options(kinematics=True))
    assert job.wait(120).state == "succeeded"
    return job.job_id


def test_an_uploaded_clip_shows_its_progress_and_plays(opened: Open):
    tab = opened()
    page = tab.page
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Trails").check()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/jobs")) as created:
        page.locator("#files").set_input_files(CLIP)
    page.locator(f"a[href='#/jobs/{created.value.json()['job_id']}']").click()
    seen = page.evaluate(PROGRESS)
    assert seen == sorted(seen)
    assert len(set(seen)) >= 3
    assert page.locator("h1").inner_text() == "flip.mp4"
    tab.until("document.querySelector('video')?.readyState >= 2")
    page.get_by_role("button", name="Play", exact=True).click()
    tab.until("document.querySelector('video').currentTime > 0.7")
    tab.until(f"({INKED})() > 500")
    page.get_by_role("radio", name="Annotated").check()
    tab.until("document.querySelector('video').currentTime > 1.2")
    assert page.evaluate("document.querySelector('video').error") is None
    assert tab.inked() == 0


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


def test_a_token_is_taken_out_of_the_address_and_asked_for_where_it_is_wrong(opened: Open, stack: Stack):
    tab = opened(token="pf_wrong")
    page = tab.page
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    assert "pf_wrong" not in page.url
    page.get_by_label("Token").fill(stack.addresses.api_token)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    tab.errors[:] = [said for said in tab.errors if "401" not in said]


def test_search_and_state_choose_among_the_jobs(opened: Open, done: str):
    page = opened().page
    page.get_by_label("Search jobs").fill(done)
    expect(page.locator(".jobs li")).to_have_count(1)
    page.get_by_label("State").select_option("failed")
    expect(page.get_by_text("No job matches.")).to_be_visible()


def test_a_part_that_breaks_off_is_sent_again_and_a_job_without_events_is_asked_about(opened: Open, stack: Stack):
    tab = opened()
    broken: list[str] = []

    def break_once(route: Route) -> None:
        if broken or route.request.method != "PUT":
            return route.continue_()
        broken.append(route.request.url)
        return route.abort()

    tab.page.route(f"{stack.addresses.s3_endpoint}/**", break_once)
    tab.page.route("**/events", lambda route: route.abort())
    with tab.page.expect_response(lambda answer: answer.url.endswith("/v1/jobs")) as created:
        tab.page.locator("#files").set_input_files(CLIP)
    tab.page.locator(f"a[href='#/jobs/{created.value.json()['job_id']}']").click()
    expect(tab.page.locator(".head .badge")).to_have_text("Succeeded", timeout=60_000)
    assert len(broken) == 1
    tab.errors[:] = [said for said in tab.errors if "ERR_FAILED" not in said]


def test_a_job_is_deleted_only_when_the_answer_is_yes(opened: Open, fleet: Fleet):
    job = fleet.enqueue(upload(fleet, CLIP), force=True)
    tab = opened()
    page = tab.page
    page.goto(f"{tab.url}/#/jobs/{job.job_id}")
    page.get_by_role("button", name="Cancel job").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Cancel job").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    expect(page.locator(".head .badge")).to_have_text("Cancelled")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    assert fleet.info(job.job_id).state == "cancelled"
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete job").click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.locator(f"a[href='#/jobs/{job.job_id}']")).to_have_count(0)


def test_ranges_that_were_given_up_are_shown_and_done_again(opened: Open, fleet: Fleet):
    job = fleet.enqueue(upload(fleet, CLIP), Options(render=False), batch_frames=100, force=True)
    batch = FrameBatch(job_id=job.job_id, start=100, stop=200)
    bury(store=fleet.store, step="infer", batch=batch, error=VideoError("broken"), trace="", worker="w1")
    assert job.wait(120).state == "partial"
    tab = opened()
    tab.show_job(job.job_id)
    notice = tab.page.get_by_role("region", name="Ranges that were given up")
    expect(notice).to_contain_text("1 range of frames could not be done")
    expect(notice).to_contain_text("Broken")
    assert tab.page.locator(".dead").count() == 1
    notice.get_by_role("button", name="0:03.33").click()
    assert tab.time() == pytest.approx(100 * FRAME_S, abs=FRAME_S)
    notice.get_by_role("button", name="Retry these").click()
    tab.until(f"!location.hash.includes('{job.job_id}')")
    expect(tab.page.locator(".head .badge")).to_have_text("Succeeded", timeout=60_000)
    tab.errors.clear()


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

#: Values of the progress bar until the job has ended, or for a minute.
PROGRESS = """() => new Promise((done) => {
  const seen = [], end = performance.now() + 60000;
  const look = () => {
    const bar = document.querySelector(".body progress");
    if (bar?.hasAttribute("value") && seen.at(-1) !== bar.value) seen.push(bar.value);
    if (document.querySelector("video") || performance.now() > end) done(seen);
    else setTimeout(look, 10);
  };
  look();
})"""
