"""Jobs on the page, in Chromium with a whole fleet behind it: upload, progress, search, retry, delete, token."""

import pytest
from playwright.sync_api import Route, expect

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.errors import VideoError
from schema.messages import FrameBatch
from schema.options import Options
from tests.e2e.conftest import Open
from tests.support.browser import INKED
from tests.support.media import CLIP
from workers.stages.dead import bury

pytestmark = [pytest.mark.stack, pytest.mark.browser]

FRAME_S = 1 / 30


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
    assert len(set(seen)) >= 2
    assert page.locator("h1").inner_text() == "flip.mp4"
    tab.until("document.querySelector('video')?.readyState >= 2")
    page.get_by_role("button", name="Play", exact=True).click()
    tab.until("document.querySelector('video').currentTime > 0.7")
    tab.until(f"({INKED})() > 500")
    page.get_by_role("radio", name="Annotated").check()
    tab.until("document.querySelector('video').currentTime > 1.2")
    assert page.evaluate("document.querySelector('video').error") is None
    assert tab.inked() == 0


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
