"""Files that are not what they seem: nothing else is opened for them, and what is too large is refused by name."""

import io
import json
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress

import av
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from schema.errors import MessageError, NoDecoder, PictureError, TooLarge, VideoError
from schema.manifest import Manifest, Results, Stitched
from schema.messages import FrameBatch, JobReference, VideoJob
from schema.pictures import PictureList
from schema.plan import Plan
from tests.support.media import CLIP, ranged
from tests.support.mutants import in_memory, mutants, originals, outcome_of
from workers.media.boxes import Skeleton, read_skeleton
from workers.media.container import opened
from workers.media.index import read_index
from workers.media.jail import calls
from workers.media.limits import Limits
from workers.media.stills import read_still

RECORDS = [FrameBatch, JobReference, VideoJob, Plan, Stitched, Results, Manifest, PictureList]
MUTANTS = 60


@pytest.fixture
def canary():
    """A server on this machine, and who has connected to it."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                seen.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], seen
        stop.set()
        thread.join()


def disguises(port, bait):
    """Files that make some player or other open an address or another file."""
    url = f"http://127.0.0.1:{port}/bait.mp4"
    for target in (url, f"file://{bait}", str(bait), f"tcp://127.0.0.1:{port}", f"concat:{bait}|{bait}"):
        yield "hls", f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n#EXT-X-ENDLIST\n".encode()
        yield "hls key", f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:5,\n{target}\n'.encode()
        yield "concat", f"ffconcat version 1.0\nfile '{target}'\nduration 5\n".encode()
        yield "dash", f'<?xml version="1.0"?><MPD><Period><BaseURL>{target}</BaseURL></Period></MPD>'.encode()
        yield "smooth", f'<?xml version="1.0"?><SmoothStreamingMedia Url="{target}"/>'.encode()
        yield "playlist", f"[playlist]\nFile1={target}\nNumberOfEntries=1\n".encode()
        yield "rtsp text", f"RTSPtext\n{target}\n".encode()
        yield "image sequence", target.encode()
        yield "movie that points elsewhere", pointing_elsewhere(target)
    yield "sdp", f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n".encode()
    yield "svg", f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode()


def pointing_elsewhere(target):
    """The clip, which says that its samples are in another file."""
    body = CLIP.read_bytes()
    at = body.index(b"dref")
    (size,) = struct.unpack_from(">I", body, at - 4)
    reference = struct.pack(">I4sI", 12 + len(target) + 1, b"url ", 0) + target.encode() + b"\0"
    made = struct.pack(">I4sII", 16 + len(reference), b"dref", 0, 1) + reference
    return body[: at - 4] + made + body[at - 4 + size :]


def test_disguised_playlists_open_nothing(canary, tmp_path):
    port, seen = canary
    bait = tmp_path / "bait.mp4"
    bait.write_bytes(CLIP.read_bytes())
    paths = []
    for number, (kind, body) in enumerate(disguises(port, bait)):
        paths.append(tmp_path / f"{number}-{kind.replace(' ', '-')}.mp4")
        paths[-1].write_bytes(body)
        for read in (read_index, lambda file: calls.opened_index(file).__enter__()):
            with pytest.raises(VideoError):
                read(ranged(paths[-1]))
    time.sleep(0.2)
    assert seen == []
    assert len(paths) == 47


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_system_call_asks_for_another_file(canary, tmp_path):
    port, seen = canary
    bait = tmp_path / "bait.mp4"
    bait.write_bytes(CLIP.read_bytes())
    for number, (_, body) in enumerate(disguises(port, bait)):
        (tmp_path / f"{number}.disguise").write_bytes(body)
    code = (
        "import sys\nfrom contextlib import suppress\nfrom pathlib import Path\nfrom schema.errors import VideoError\n"
        "from workers.media.index import read_index\nfrom workers.media.local import on_disk\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.disguise')):\n"
        "    with suppress(VideoError):\n        read_index(on_disk(path))\n"
    )
    log = tmp_path / "calls.log"
    watched = ["strace", "-f", "-qq", "-e", "trace=%file,%network", "-o", str(log), sys.executable, "-c", code]
    done = subprocess.run([*watched, str(tmp_path)], capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr.lower():
        pytest.skip("strace may not watch processes here")
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    assert any(".disguise" in line for line in lines)
    assert not [line for line in lines if "bait" in line or "connect(" in line or "AF_INET" in line]
    assert seen == []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return originals(tmp_path_factory.mktemp("originals"))


def test_codecs_that_nobody_uploads_are_refused_by_name(tmp_path):
    path = tmp_path / "capture.avi"
    with av.open(str(path), "w") as output:
        video = output.add_stream("zmbv", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "bgr0"
        for number in range(3):
            frame = av.VideoFrame(64, 64, "bgr0")
            frame.pts = number
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    with pytest.raises(NoDecoder, match="not allowed: zmbv"):
        read_index(ranged(path))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(pixels=400_000), r"854x480 pixels, the limit is 0.4 million"),
        (Limits(frames=229), r"230 frames or more, the limit is 229"),
        (Limits(duration_s=3.6), r"lasts 0.0 hours, the limit is 0.001 hours"),
        (Limits(source_bytes=1 << 19), r"0.0 GB, the limit is"),
    ],
    ids=["pixels", "frames", "seconds", "bytes"],
)
def test_what_is_too_large_is_refused_by_name(limits, message):
    with pytest.raises(TooLarge, match=message):
        read_index(ranged(CLIP), limits)


def test_frames_are_counted_while_they_are_read(made):
    with pytest.raises(TooLarge, match="10 frames or more, the limit is 9"):
        read_index(in_memory(made["h264.mkv"]), Limits(frames=9))


def test_a_video_of_60000_by_60000_is_refused_from_its_header(tmp_path):
    path = tmp_path / "raw.avi"
    with av.open(str(path), "w") as output:
        video = output.add_stream("rawvideo", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "bgr24"
        frame = av.VideoFrame(64, 48, "bgr24")
        frame.pts = 0
        output.mux(video.encode(frame))
    body = path.read_bytes()
    at = body.index(b"strf") + 12
    body = body[:at] + struct.pack("<ii", 60_000, 60_000) + body[at + 8 :]
    began, before = time.monotonic(), psutil.Process().memory_info().rss
    with pytest.raises(TooLarge, match="60000x60000"):
        read_index(in_memory(body))
    assert time.monotonic() - began < 2
    assert psutil.Process().memory_info().rss - before < 100 << 20


def png(width, height):
    """The header of a PNG and a little of what follows."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("read", [read_still, calls.read_still])
@pytest.mark.parametrize("side", [8200, 60_000])
def test_a_picture_too_large_is_refused_from_its_header(read, side):
    with pytest.raises(PictureError, match="too large: "):
        read(png(side, side))


def test_postscript_starts_no_program(monkeypatch):
    body = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(body, "EPS")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(PictureError, match="no picture of a known format"):
        read_still(body.getvalue())


def test_names_that_are_no_text_do_not_hide_a_video(tmp_path):
    path = tmp_path / "latin.mkv"
    with av.open(str(CLIP)) as clip, av.open(str(path), "w") as output:
        output.metadata["title"] = "mark-mark"
        video = output.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                output.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"mark-mark", b"mark\xff\xfe\xe9rk"))
    assert read_index(ranged(path)).stream.frames == 230


def test_damaged_files_are_read_or_refused_by_name(made):
    found = [outcome_of(name, body) for name, body in mutants(made, MUTANTS, seed=1)]
    assert [each for each in found if each.kind in ("unclassified", "decoder_died")] == []
    assert max(each.seconds for each in found) < calls.limits().stall_s
    assert max(each.peak_mb for each in found) < calls.limits().memory_mb
    assert {each.kind for each in found} > {"ok", "not_a_video"}


BOXES = st.recursive(
    st.binary(max_size=40),
    lambda inner: st.lists(
        st.tuples(st.sampled_from([b"moov", b"trak", b"mdia", b"free", b"moof"]), inner), max_size=4
    ),
    max_leaves=12,
)


def joined(tree):
    """Bytes of a tree of boxes."""
    if isinstance(tree, bytes):
        return tree
    return b"".join(struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in ((k, joined(t)) for k, t in tree))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), BOXES)
def test_any_boxes_are_read_or_refused_by_name(noise, tree):
    body = struct.pack(">I4s8s", 16, b"ftyp", b"isom\0\0\0\0") + joined(tree) + noise
    assert isinstance(read_skeleton(in_memory(body)), Skeleton)
    with pytest.raises(VideoError):
        read_index(in_memory(body))


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_refused_by_name(body):
    with suppress(VideoError), opened(in_memory(body)) as container:
        assert container.format.name


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RECORDS), ANY_JSON, st.data())
def test_any_json_is_a_record_or_refused_by_name(kind, value, data):
    """Whatever stands in a record's own fields, too."""
    names = data.draw(st.sets(st.sampled_from(sorted(kind.model_fields)), max_size=4))
    filled = {name: data.draw(ANY_JSON) for name in names}
    for body in (value, {"schema_version": 1, **filled}):
        with suppress(MessageError):
            assert isinstance(kind.from_json(json.dumps(body)), kind)


@given(st.sampled_from(RECORDS), st.binary(max_size=60))
def test_any_bytes_are_a_record_or_refused_by_name(kind, body):
    with pytest.raises(MessageError):
        kind.from_json(body)
