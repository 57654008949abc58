"""Sources are read in a process of its own: same frames, no secrets, and it can be killed without harm."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from unittest.mock import Mock

import av
import numpy as np
import psutil
import pytest

from schema.errors import DecoderDied, PictureError, SourceChanged, StorageUnavailable, TooLarge, VideoError
from schema.plan import Plan
from tests.support.media import CLIP, ranged, shared
from tests.support.mutants import children
from workers.core.letterbox import Letterbox
from workers.core.regions import Region
from workers.media.frames import decode_range as decode_here
from workers.media.index import read_index, whole
from workers.media.jail import calls, talk
from workers.media.jail.calls import decode_range, opened_index, read_still
from workers.media.jail.wire import Wire
from workers.media.limits import Limits
from workers.media.photos import read_rgb
from workers.media.pixels import Frames
from workers.media.ranges import frame_ranges


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    while talk._idle:
        talk._idle.pop().kill()
    gc.collect()
    assert not children()


@pytest.fixture
def limited(monkeypatch):
    """Change the limits of the calls that follow."""

    def change(**changed):
        monkeypatch.setattr(calls, "limits", lambda: Limits(**changed))

    return change


def planned(path):
    """The plan of a video as one range, and its header."""
    with opened_index(ranged(path)) as index:
        ranges, headers = index.ranges(index.parts)
    plan = Plan(job_id="", stream=index.stream, ranges=tuple(ranges), sequential=index.sequential)
    return plan, headers[slice(*ranges[0].window.header)] if ranges[0].window else b""


def decoded(path, plan, header):
    return decode_range(ranged(path), plan, plan.ranges[0], header)


def looks(frames, stream):
    """What is known of each frame, and its pixels in RGB."""
    pictures = Frames(stream)
    for shown in frames:
        frame = shown.picture
        rgb = pictures.rgb(frame, stream.display_width, stream.display_height)
        yield shown.pts, shown.damaged, frame.format.name, frame.colorspace, int(frame.color_range), rgb


def test_index_and_frames_are_those_of_this_process():
    plan, header = planned(CLIP)
    index = read_index(ranged(CLIP))
    ranges, headers = frame_ranges(index, whole(index))
    assert (plan.stream, list(plan.ranges), header) == (index.stream, ranges, headers)
    here = looks(decode_here(ranged(CLIP), plan, ranges[0], headers), plan.stream)
    for (*a, there), (*b, mine) in zip(looks(decoded(CLIP, plan, header), plan.stream), here, strict=True):
        assert a == b
        np.testing.assert_array_equal(there, mine)


@pytest.mark.media
@pytest.mark.parametrize(
    "name",
    ["anim.gif", "hevc10_opengop.mp4", "anamorphic_sar4_3.mp4", "mjpeg_pcm.avi", "resolution_change_midstream.ts"],
)
def test_pictures_of_real_files_are_those_of_this_process(name):
    path = shared(f"awkward/{name}")
    plan, header = planned(path)
    here = looks(decode_here(ranged(path), plan, plan.ranges[0], header), plan.stream)
    for (*a, there), (*b, mine) in zip(looks(decoded(path, plan, header), plan.stream), here, strict=True):
        assert a == b
        np.testing.assert_array_equal(there, mine)


@pytest.mark.media
@pytest.mark.parametrize(
    "name",
    [
        "anamorphic_sar4_3.mp4",
        "mirrored_metadata.mp4",
        "rot90_metadata.mp4",
        "odd_641x361_vp9.webm",
        "hlg10-color-test.mp4",
    ],
)
def test_views_are_what_scaling_here_makes_of_the_frames(name):
    path = shared(f"awkward/{name}")
    plan, header = planned(path)
    stream = plan.stream
    whole = Region(0, 0, stream.display_width, stream.display_height)
    boxes = [Letterbox.fit(stream.display_width, stream.display_height, size) for size in (256, 384)]
    here = Frames(stream)
    with calls.opened_views(ranged(path), plan, plan.ranges[0], header, boxes) as viewed:
        for there, mine in zip(viewed, decoded(path, plan, header), strict=True):
            assert (there.pts, there.damaged) == (mine.pts, mine.damaged)
            for box in boxes:
                np.testing.assert_array_equal(there.views[box], here.picture(mine.picture).view(whole, box))


@pytest.mark.media
@pytest.mark.parametrize("name", ["base.mp4", "bbb_2500ms.ts", "h265_bframes.mp4", "odd_641x361_vp9.webm"])
def test_several_threads_decode_the_same_frames(name, limited):
    path = shared(f"awkward/{name}")
    plan, header = planned(path)
    one = list(looks(decoded(path, plan, header), plan.stream))
    limited(threads=3)
    several = list(looks(decoded(path, plan, header), plan.stream))
    assert len(one) == len(several) > 1
    for (*a, alone), (*b, together) in zip(one, several, strict=True):
        assert a == b
        np.testing.assert_array_equal(alone, together)


def test_one_process_serves_call_after_call():
    plan, header = planned(CLIP)
    (first,) = children()
    for _ in range(3):
        assert sum(1 for _ in decoded(CLIP, plan, header)) == 230
    assert [each.pid for each in children()] == [first.pid]


def test_it_has_neither_our_environment_nor_our_files(monkeypatch):
    monkeypatch.setenv("POSEFLEET_S3_SECRET_ACCESS_KEY", "hush")
    calls.warm()
    (child,) = children()
    assert set(child.environ()) == {"HOME", "LC_ALL", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}
    assert "hush" not in " ".join(child.cmdline())
    targets = [os.readlink(link) for link in Path(f"/proc/{child.pid}/fd").iterdir()]
    assert sum(target.startswith("socket:") for target in targets) == 1
    assert sum("memfd" in target for target in targets) == len(targets) - 4


def test_what_it_gave_up_is_gone():
    """Files, sockets, programs, processes, other processes' signals."""
    attempts = {
        "file": "open('/etc/passwd')",
        "parent": "open(f'/proc/{os.getppid()}/environ')",
        "socket": "socket.socket()",
        "fork": "os.fork()",
        "program": "os.execv('/bin/true', ['true'])",
        "signal": "os.kill(os.getppid(), 0)",
        "limits": "resource.prlimit(os.getppid(), resource.RLIMIT_CORE)",
    }
    code = "import os, resource, socket, sys\nfrom workers.media.jail import confine\nif not confine.close_doors():\n"
    code += "    os._exit(7)\nfound = []\n"
    for name, attempt in attempts.items():
        code += f"try:\n    {attempt}\n    found.append('{name}')\nexcept PermissionError:\n    pass\n"
    done = subprocess.run([sys.executable, "-c", code + "print(found)"], capture_output=True, text=True, check=False)
    if done.returncode == 7:
        pytest.skip("this system has no such filter")
    assert (done.stdout.strip(), done.returncode) == ("[]", 0)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_named_and_the_next_call_gets_another_process(number):
    plan, header = planned(CLIP)
    frames = decoded(CLIP, plan, header)
    next(frames)
    (child,) = children()
    child.send_signal(number)
    with pytest.raises(DecoderDied, match=f"killed by {signal.Signals(number).name}"):
        list(frames)
    assert sum(1 for _ in decoded(CLIP, plan, header)) == 230


def test_a_hang_is_ended_and_named(limited):
    limited(stall_s=1.5)
    plan, header = planned(CLIP)
    frames = decoded(CLIP, plan, header)
    next(frames)
    (child,) = children()
    child.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(DecoderDied, match=r"decoding took 1.5 s without a frame"):
        list(frames)
    assert time.monotonic() - began < 5


def test_whoever_takes_frames_slowly_is_no_hang(limited):
    limited(stall_s=1.0)
    plan, header = planned(CLIP)
    frames = decoded(CLIP, plan, header)
    next(frames)
    time.sleep(2.5)
    assert sum(1 for _ in frames) == 229


def test_memory_is_limited(limited, tmp_path):
    limited(memory_mb=256)
    path = tmp_path / "large.mov"
    with av.open(str(path), "w") as output:
        video = output.add_stream("png", rate=25)
        video.width, video.height, video.pix_fmt = 8000, 8000, "rgb24"
        output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((8000, 8000, 3), np.uint8))))
        output.mux(video.encode(None))
    with pytest.raises(TooLarge, match="memory"):
        planned(path)
    assert planned(CLIP)[0].stream.frames == 230


@pytest.mark.parametrize("error", [SourceChanged("it was overwritten"), StorageUnavailable("no answer")])
def test_errors_of_reading_are_ours_and_spare_the_process(error):
    plan, header = planned(CLIP)
    (child,) = children()
    file = ranged(CLIP)

    def fetch(start, stop):
        raise error

    file.fetch = fetch
    with pytest.raises(type(error), match=str(error)):
        list(decode_range(file, plan, plan.ranges[0], header))
    assert wait_until(lambda: talk._idle)
    assert sum(1 for _ in decoded(CLIP, plan, header)) == 230
    assert [each.pid for each in children()] == [child.pid]


def wait_until(holds, seconds=5.0):
    end = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(found)


def test_a_call_that_is_left_stops_and_the_next_is_in_step():
    plan, header = planned(CLIP)
    (child,) = children()
    for number in (1, 5, 40):
        frames = decoded(CLIP, plan, header)
        for _ in range(number):
            next(frames)
        frames.close()
        first = next(decoded(CLIP, plan, header))
        assert first.pts == plan.ranges[0].first_pts
        assert wait_until(lambda: talk._idle)
    with pytest.raises(KeyError), opened_index(ranged(CLIP)):
        raise KeyError
    assert wait_until(lambda: talk._idle)
    assert planned(CLIP)[0] == plan
    assert [each.pid for each in children()] == [child.pid]


def test_an_interruption_while_waiting_comes_at_once_and_spares_the_process():
    plan, header = planned(CLIP)
    (child,) = children()
    child.send_signal(signal.SIGSTOP)

    def interrupt(*_):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(InterruptedError):
            next(decoded(CLIP, plan, header))
    finally:
        signal.signal(signal.SIGALRM, before)
    child.send_signal(signal.SIGCONT)
    assert sum(1 for _ in decoded(CLIP, plan, header)) == 230
    assert [each.pid for each in children()] == [child.pid]


def test_a_process_that_does_not_stop_is_killed(limited):
    limited(stall_s=1.0)
    plan, header = planned(CLIP)
    frames = decoded(CLIP, plan, header)
    next(frames)
    (child,) = children()
    child.send_signal(signal.SIGSTOP)
    frames.close()
    assert sum(1 for _ in decoded(CLIP, plan, header)) == 230
    assert not child.is_running()


def test_two_calls_at_once_get_a_process_each_and_one_is_kept():
    plan, header = planned(CLIP)
    one, other = decoded(CLIP, plan, header), decoded(CLIP, plan, header)
    assert next(one).pts == next(other).pts
    assert len(children()) == 2
    assert [each.pts for each in one] == [each.pts for each in other]
    assert wait_until(lambda: len(children()) == 1)


def test_leaving_the_block_ends_the_wait_of_another_thread():
    plan, header = planned(CLIP)
    (child,) = children()
    child.send_signal(signal.SIGSTOP)
    with (
        ThreadPoolExecutor(1) as pool,
        calls.opened_range(ranged(CLIP), plan, plan.ranges[0], header) as frames,
    ):
        waiting = pool.submit(lambda: next(frames, None))
        time.sleep(0.2)
        threading.Timer(0.5, child.send_signal, [signal.SIGCONT]).start()
    waiting.result(5)
    assert sum(1 for _ in decoded(CLIP, plan, header)) == 230
    assert [each.pid for each in children()] == [child.pid]


def test_nothing_is_left_open():
    planned(CLIP)
    open_files = psutil.Process().num_fds()
    plan, header = planned(CLIP)
    for _ in range(5):
        frames = decoded(CLIP, plan, header)
        next(frames)
        children()[0].kill()
        with pytest.raises(DecoderDied):
            list(frames)
    planned(CLIP)
    gc.collect()
    assert psutil.Process().num_fds() <= open_files
    assert not [each for each in psutil.Process().children() if each.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)", "sys.exit()", "1 / 0"])
def test_it_ends_with_its_worker_however_that_ends(end):
    code = (
        "import os, sys, threading\nfrom workers.media.jail import calls, talk\n"
        "thread = threading.Thread(target=calls.warm)\nthread.start()\nthread.join()\n"
        f"assert talk._idle[0].is_mine()\nprint(talk._idle[0].pid, flush=True)\n{end}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    assert wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_still_comes_as_it_is():
    for path in sorted((CLIP.parent / "coco" / "images").glob("*.jpg"))[:3]:
        np.testing.assert_array_equal(read_still(path.read_bytes()).rgb, read_rgb(path.read_bytes()))


def test_what_is_no_picture_says_so():
    with pytest.raises(PictureError, match="no picture of a known format"):
        read_still(b"hello")


def test_errors_tell_nothing_of_the_worker(monkeypatch, tmp_path):
    monkeypatch.setenv("POSEFLEET_S3_SECRET_ACCESS_KEY", "hush")
    path = tmp_path / "secret-name.mp4"
    path.write_bytes(CLIP.read_bytes()[:5000])
    with pytest.raises(VideoError) as caught:
        planned(path)
    text = repr(caught.value)
    assert "hush" not in text
    assert "secret-name" not in text


def test_a_process_that_talks_on_without_being_listened_to_is_ended(monkeypatch):
    ours, its = socket.socketpair()
    child = Mock(wire=Wire(ours), limits=Limits(), answered=0, **{"end.return_value": "killed by SIGKILL"})
    monkeypatch.setattr(talk, "_child", lambda _: child)
    for _ in range(20):
        Wire(its).send({"frame": {}}, b"x")
    with talk.asked(Limits(), {"do": "decode"}) as asked:
        wait_until(lambda: child.end.called)
        with pytest.raises(DecoderDied, match="more than there is room for"):
            list(islice(asked.answers(), 20))
    its.close()
    ours.close()


def test_a_question_that_was_never_put_holds_up_no_other(monkeypatch):
    def fails(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", fails)
        with pytest.raises(RuntimeError, match="new thread"), talk.asked(calls.limits(), {"do": "still"}):
            pass
    with pytest.raises(PictureError):
        read_still(b"hello")
