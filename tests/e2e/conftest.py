"""Fixtures of the page's tests: a browser, tabs, a job that has ended."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.options import Options
from tests.conftest import skip_or_fail
from tests.support.browser import Tab, chromium, running_browser
from tests.support.media import CLIP

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
