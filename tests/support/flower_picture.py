"""Make ``docs/pictures/flower.png``: Flower's list of tasks while a fleet works. Needs Chromium.

``python -m tests.support.flower_picture``
"""

import io
import shutil
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from producer import Fleet
from producer.cli_local import prepared
from producer.inputs import upload
from producer.stack.addresses import Addresses
from producer.stack.stack import running_stack
from schema.options import Options
from tests.support.media import CLIP

TARGET = Path(__file__).parents[2] / "docs" / "pictures" / "flower.png"
MOST_BYTES = 80_000
_COLOURS = 48


def main() -> None:
    """Work on two videos, look, and write the picture."""
    settings = prepared()
    with running_stack(settings, print) as addresses:
        fleet = Fleet(addresses.settings(settings))
        uri = upload(fleet, CLIP)
        fleet.enqueue(uri, Options(style="boxes"), force=True, batch_frames=80).wait(120)
        fleet.enqueue(uri, force=True, batch_frames=40)
        time.sleep(3)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_bytes(small(tasks_page(addresses)))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
    assert TARGET.stat().st_size <= MOST_BYTES


def tasks_page(addresses: Addresses) -> bytes:
    """Flower's list of tasks as a PNG."""
    user, _, password = addresses.flower_auth.partition(":")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(
            viewport={"width": 1360, "height": 640},
            http_credentials={"username": user, "password": password},
        )
        page.goto(f"{addresses.flower_url}/tasks?limit=10")
        page.wait_for_selector("tbody tr td:nth-child(8)")
        time.sleep(1)
        shot = page.screenshot()
        chromium.close()
    return shot


def small(png: bytes) -> bytes:
    """The same picture with few colours."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


if __name__ == "__main__":
    main()
