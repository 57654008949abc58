"""What a real fleet tells of itself while it works: metrics, gauges, lines of JSON, a trace."""

import json
import os
import signal
import socket
import time
import urllib.request
from dataclasses import replace

import psutil
import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.names import LedgerKeys
from schema.settings import Settings
from tests.support.command import posefleet
from tests.support.media import CLIP
from tests.support.otlp import about, receiver
from tests.support.waiting import until
from tests.unit.test_telemetry import samples
from workers.storage.progress import Progress
from workers.telemetry import fleet as gauges
from workers.telemetry import measure, meters, prometheus, tracing
from workers.telemetry.pulse import Pulse

PLAIN = ("worker: ", "INFO: Created TensorFlow Lite")
"""What Celery says on stopping, and a library in C."""


def read(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return samples(answer.read())


@pytest.mark.stack
def test_workers_tell_what_they_did_even_if_a_process_is_killed_meanwhile(stack: Stack, fleet: Fleet):
    infer, other, whole = stack.addresses.metrics[:3]
    before, rest = read(infer), read(other)

    def more(name, now=None):
        return (now or read(infer)).get(name, 0.0) - before.get(name, 0.0)

    job = fleet.enqueue(upload(fleet, CLIP), force=True, batch_frames=60)
    assert job.wait(120).state == "succeeded"
    assert more("posefleet_frames_total stage=infer") == 230
    assert more("posefleet_tasks_total outcome=done step=infer") == 4
    assert more("posefleet_task_seconds_count step=infer") == 4
    for part in ("fetch", "decode", "infer", "write"):
        assert more(f"posefleet_stage_seconds_sum part={part} stage=infer") > 0, part
    found = read(infer)
    for ratio, labels in ((meters.FILL, ""), (meters.SPEED_OF_LIGHT, " step=infer")):
        assert 0 < more(f"{ratio.name}_sum{labels}", found) <= more(f"{ratio.name}_count{labels}", found) == 4
    spent = more("posefleet_task_seconds_sum step=infer", found)
    assert 0 < more("posefleet_gpu_idle_seconds_total", found) < spent
    stage, ended = "posefleet_frames_total stage=render", "posefleet_jobs_total state=succeeded"
    until(lambda: read(other).get(ended, 0) == rest.get(ended, 0) + 1)
    assert read(other)[stage] == rest.get(stage, 0) + 230
    _kill_a_process(stack, "infer")
    files = {path.name for path in _folder(stack, "infer").iterdir()}
    assert more("posefleet_frames_total stage=infer") == 230
    assert {path.name for path in _folder(stack, "infer").iterdir()} == files
    seen = read(whole)
    assert seen["posefleet_redis_up"] == seen["posefleet_workers queue=infer"] == 1
    assert seen["posefleet_worker_processes queue=render"] == os.cpu_count()
    until(lambda: read(whole)["posefleet_outstanding queue=infer"] == 0)
    assert seen["posefleet_last_sweep_timestamp_seconds"] > time.time() - 600


def _kill_a_process(stack: Stack, name: str) -> None:
    """Kill one process of a worker, and wait until another has taken its place."""
    parent = next(child for child in stack.children if child.name == name)
    processes = [each for each in psutil.Process(parent.pid).children() if "spawn_main" in " ".join(each.cmdline())]
    ready = parent.log.parent / f"{name}.ready"
    before = set(ready.glob("process-*"))
    processes[-1].send_signal(signal.SIGKILL)
    until(lambda: set(ready.glob("process-*")) - before)


def _folder(stack: Stack, name: str):
    pid = next(child.pid for child in stack.children if child.name == name)
    return Settings.read().data_dir / "work" / f"{pid}-metrics"


@pytest.mark.stack
def test_one_trace_leads_from_enqueue_to_publish(stack: Stack, monkeypatch):
    with receiver() as got:
        monkeypatch.setenv(tracing.WHERE, got.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        monkeypatch.setenv("POSEFLEET_LOG_FORMAT", "json")
        tracing._provider.cache_clear()
        _apart(stack, monkeypatch)
        told = stack.add_worker("told", "plan,infer,stitch,render,publish", 1, model=False)
        try:
            fleet = Fleet(stack.addresses.settings(Settings.read()))
            fleet.store.ensure_bucket()
            job = fleet.enqueue(upload(fleet, CLIP), force=True, batch_frames=120)
            assert job.wait(120).state == "succeeded"
            until(lambda: "publish" in [span.name for span in got.of(job.job_id)])
        finally:
            told.ask_to_stop()
            told.stop()
            stack.forget(told)
            tracing.flush()
            tracing._provider().shutdown()
            tracing._provider.cache_clear()
    first, *others = got.of(job.job_id)
    assert [first.name, *(span.name for span in others)] == [
        *("enqueue", "split", "infer", "infer", "stitch", "render", "render", "publish")
    ]
    assert {span.trace_id for span in others} == {first.trace_id}
    assert {span.parent_span_id for span in others} == {first.span_id}
    infer = [about(span) for span in others if span.name == "infer"]
    assert {each["posefleet.range"] for each in infer} == {"00000000-00000120", "00000120-00000230"}
    assert {each["posefleet.attempt"] for each in infer} == {1}
    _lines_are_json(told.log.read_text(), job.job_id)


def _apart(stack: Stack, monkeypatch) -> None:
    """Queues and a bucket that the stack's own workers do not know."""
    elsewhere = stack.addresses.redis_url.removesuffix("/0") + "/3"
    monkeypatch.setattr(stack, "addresses", replace(stack.addresses, redis_url=elsewhere))
    monkeypatch.setenv("POSEFLEET_BUCKET", "traced")


def _lines_are_json(text: str, job_id: str) -> None:
    lines = [json.loads(line) for line in text.splitlines() if line and not line.startswith(PLAIN)]
    ended = [line for line in lines if line.get("job") == job_id and "seconds" in line]
    assert [line["step"] for line in ended] == ["split", "infer", "infer", "stitch", "render", "render", "publish"]
    assert {line["worker"].partition("@")[0] for line in lines} == {"told"}
    assert all({"time", "level", "message"} <= line.keys() for line in lines)


@pytest.mark.stack
def test_a_write_that_comes_second_is_counted(fleet: Fleet):
    counted = []
    measure.collect(lambda meter, amount, _: counted.append((meter.name, amount)))
    assert [fleet.store.put_new("tests/once", b"1") for _ in range(3)] == [True, False, False]
    measure.collect(None)
    assert counted == [(meters.CONFLICTS.name, 1)] * 2


def test_the_fleets_gauges_come_from_the_ledger_of_all_lanes(redis_url):
    progress = Progress(redis_url)
    progress.redis.flushall()
    progress.announce("a", "split", ["all"])
    for lane, job in (("", "b"), ("high", "c"), ("2", "d")):
        progress.announce(job, "infer", ["00000000-00000010", "00000010-00000020"], lane=lane)
    progress.start("b", "infer", "00000000-00000010", fresh=True, within_s=60)
    progress.redis.set(LedgerKeys.swept, "1700000000.5")
    pulse = Pulse(redis_url, "w@host", ["infer", "infer.high", "render"], 3)
    registry = gauges.registry(redis_url)
    until(lambda: samples(prometheus.page(registry))["posefleet_workers queue=infer"] == 1)
    found = samples(prometheus.page(registry))
    assert found["posefleet_outstanding queue=infer"] == 6
    assert found["posefleet_outstanding queue=plan"] == 1
    assert found["posefleet_outstanding queue=render"] == 0
    assert found["posefleet_open_jobs state=queued"] == 1
    assert found["posefleet_open_jobs state=working"] == 3
    assert found["posefleet_worker_processes queue=render"] == 3
    assert found["posefleet_last_sweep_timestamp_seconds"] == 1700000000.5
    pulse.end()
    assert samples(prometheus.page(registry))["posefleet_workers queue=infer"] == 0


def test_a_port_that_is_taken_is_named(redis_url):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = posefleet("metrics", "--port", port, POSEFLEET_REDIS_URL=redis_url)
    assert ran.returncode == 2
    assert f"nothing can be served at port {port}" in ran.stderr
    assert "give another --port" in ran.stderr


def test_gauges_are_missing_rather_than_wrong_while_redis_is_away():
    found = samples(prometheus.page(gauges.registry("redis://127.0.0.1:1/0")))
    assert found.pop("posefleet_redis_up") == 0
    assert [name.partition(" ")[0] for name in found] == ["posefleet_build_info"]
