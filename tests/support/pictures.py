"""Make the pictures of the README: ``python -m tests.support.pictures`` (after ``make setup`` and ``make test``).

The page shows the one clip whose licence lets its pictures be passed on.
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from producer import Fleet
from producer.inputs import upload
from producer.stack.addresses import Addresses
from producer.stack.stack import running_stack
from schema.options import Options
from schema.settings import Settings
from tests.support.browser import Tab, chromium, running_browser
from tests.support.media import CLIP

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
_TIME_S = 2.5
_DESK = {"x": 0, "y": 0, "width": 1280, "height": 1370}


def main() -> None:
    """Take all pictures, of the stack that runs on this machine or of one that is started for it."""
    path = chromium()
    if path is None:
        sys.exit("Chromium is not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    settings = Settings.read()
    with running_stack(settings, print) as addresses, running_browser(path) as browser:
        fleet = Fleet(addresses.settings(settings))
        job = fleet.enqueue(upload(fleet, CLIP), Options.checked(quality="balanced", kinematics=True))
        job.wait()
        take(browser, addresses, job.job_id, "page", phone=False, dark=False)
        take(browser, addresses, job.job_id, "page-phone", phone=True, dark=True)


def take(browser: Browser, addresses: Addresses, job_id: str, name: str, *, phone: bool, dark: bool) -> None:
    """One picture of a job's page, as a WebP file."""
    tab = Tab(browser, addresses.api_url, addresses.api_token, phone=phone, dark=dark)
    tab.page.locator(".jobs a").first.wait_for()
    tab.show_job(job_id, _TIME_S)
    tab.page.get_by_role("checkbox", name="Trails").check()
    tab.until("document.querySelector('path.curve')")
    tab.page.evaluate("document.activeElement.blur()")
    clip = None if phone else _DESK
    shot = tab.page.screenshot(clip=clip, full_page=not phone)
    tab.close()
    path = FOLDER / f"{name}.webp"
    Image.open(io.BytesIO(shot)).save(path, quality=72, method=6)
    print(f"{path.relative_to(FOLDER.parents[1])}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
