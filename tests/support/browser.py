"""The page in Chromium, as a person would use it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

DESK: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 360, "height": 740}
_POLL_MS = 50
_ARGUMENTS = ["--no-sandbox", "--disable-quic", "--mute-audio"]


def chromium() -> str | None:
    """Where the browser is, or none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def running_browser(path: str) -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """One tab with the page in it; errors of scripts and of the content security policy are kept."""

    def __init__(self, browser: Browser, url: str, token: str, *, phone: bool = False, dark: bool = False) -> None:
        self.url = url
        self._context = browser.new_context(
            viewport=PHONE if phone else DESK,
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if phone else 1,
            has_touch=phone,
            is_mobile=phone,
        )
        self.page: Page = self._context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.goto(f"{url}/#token={token}")

    def show_job(self, job_id: str, at_s: float = 0.0) -> None:
        """Show a job that has ended, its video paused at a time and its skeletons drawn."""
        self.page.goto(f"{self.url}/#/jobs/{job_id}")
        self.until("document.querySelector('video')?.readyState >= 2 && document.querySelector('.there')")
        self.seek(at_s)

    def until(self, condition: str, patience_s: float = 30.0) -> None:
        """Wait until a condition holds; asked from outside, as the page's policy lets nobody wait inside it.

        Raises:
            TimeoutError: it does not.
        """
        end = time.monotonic() + patience_s
        while not self.page.evaluate(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {condition}")
            self.page.wait_for_timeout(_POLL_MS)

    def seek(self, time_s: float) -> None:
        """Show the frame of a time, skeletons and all."""
        self.page.evaluate(_SEEK, time_s)

    def inked(self) -> int:
        """Pixels of the canvas over the video that something is drawn on."""
        return int(self.page.evaluate(INKED))

    def time(self) -> float:
        """Where the video is, seconds."""
        return float(self.page.evaluate("document.querySelector('video').currentTime"))

    def close(self) -> None:
        """Close the tab."""
        self._context.close()


_SEEK = """async (time) => {
  const video = document.querySelector("video");
  const shown = new Promise((done) => video.requestVideoFrameCallback(done));
  video.currentTime = time;
  await Promise.race([shown, new Promise((done) => setTimeout(done, 1000))]);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

INKED = """() => {
  const canvas = document.querySelector(".stage canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked;
}"""
