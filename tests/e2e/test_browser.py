"""The annotated video plays in a browser: Chromium decodes it, sound and all, and shows a skeleton on a person."""

import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from producer import Fleet
from producer.inputs import upload
from schema.settings import Settings
from tests.conftest import skip_or_fail
from tests.support.media import CLIP

PAGE = """<!doctype html><meta charset="utf-8"><title>plays</title>
<video id="v" muted preload="auto"></video><canvas id="c"></canvas>
<script>
const v = document.getElementById("v"), c = document.getElementById("c"), seen = {played: 0};
const tell = () => fetch("/result", {method: "POST", body: JSON.stringify(seen)});
fetch("annotated.mp4").then(r => r.blob()).then(b => { v.src = URL.createObjectURL(b); });
v.onerror = () => { seen.error = v.error.message; tell(); };
v.oncanplaythrough = () => { v.oncanplaythrough = null; v.play(); };
v.ontimeupdate = () => {
  if (v.currentTime < 0.5) return;
  v.ontimeupdate = null; v.pause(); seen.played = v.currentTime;
  seen.width = v.videoWidth; seen.height = v.videoHeight; seen.duration = v.duration;
  v.onseeked = () => {
    c.width = v.videoWidth; c.height = v.videoHeight;
    const g = c.getContext("2d"); g.drawImage(v, 0, 0);
    const d = g.getImageData(620, 255, 110, 190).data; let orange = 0;
    for (let i = 0; i < d.length; i += 4) orange += d[i] > 200 && d[i + 1] > 90 && d[i + 1] < 180 && d[i + 2] < 90;
    seen.orange = orange; tell();
  };
  v.currentTime = 60.5 / 30;
};
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and takes the page's report."""

    def __init__(self, *arguments: Any, told: Queue[dict[str, Any]], **more: Any) -> None:
        self.told = told
        super().__init__(*arguments, **more)

    def do_POST(self) -> None:
        self.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.stack
@pytest.mark.browser
def test_the_annotated_video_plays_in_chromium(stack, tmp_path: Path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        skip_or_fail("Chromium is not installed")
    fleet = Fleet(stack.addresses.settings(Settings.read()))
    job = fleet.enqueue(upload(fleet, CLIP))
    assert job.wait(120).state == "succeeded"
    fleet.fetch(job.job_id, tmp_path)
    (tmp_path / "index.html").write_text(PAGE)
    seen = report_of(str(browser), tmp_path)
    assert seen.get("error") is None
    assert seen["played"] >= 0.5
    assert (seen["width"], seen["height"]) == (854, 480)
    assert seen["duration"] == pytest.approx(7.74, abs=0.1)
    assert seen["orange"] > 150


def report_of(browser: str, folder: Path) -> dict[str, Any]:
    """What the page in ``folder`` says after it was opened in the browser."""
    told: Queue[dict[str, Any]] = Queue()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder), told=told)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"]
        arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        arguments += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder / 'profile'}"]
        url = f"http://127.0.0.1:{server.server_address[1]}/index.html"
        process = subprocess.Popen(
            [browser, *arguments, "--remote-debugging-port=0", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return told.get(timeout=60)
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
            thread.join()
