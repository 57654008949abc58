"""What workers tell of themselves: metrics, lines of JSON."""

import json
import logging
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from schema.errors import ConfigurationError
from schema.settings import Settings
from workers.models.measured import MeasuredPoseModel
from workers.telemetry import logs, measure, meters, prometheus, tracing
from workers.telemetry.meters import Meter

NOTES = """
import os, signal, sys, time
from pathlib import Path
from workers.telemetry import measure, meters, prometheus
measure.collect(prometheus.in_files(Path(sys.argv[1]), sys.argv[2]))
for _ in range(int(sys.argv[3])):
    measure.note(meters.FRAMES, 10, "infer")
    measure.note(meters.TASK_SECONDS, 2.0, "infer")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def noted():
    found: list[tuple[str, float, tuple[str, ...]]] = []
    measure.collect(lambda meter, amount, labels: found.append((meter.name, amount, labels)))
    yield found
    measure.collect(None)


def samples(page: bytes) -> dict[str, float]:
    """Values by name and labels as Prometheus writes them."""
    families = text_string_to_metric_families(page.decode())
    return {
        each.name + "".join(f" {label}={value}" for label, value in sorted(each.labels.items())): each.value
        for family in families
        for each in family.samples
    }


def test_what_a_task_spends_is_noted_at_its_end(noted):
    with measure.over("infer", "j", "00000000-00000010") as work:
        work.attempt = 1
        measure.spent("fetch", 0.25)
        measure.spent("fetch", 0.25)
        measure.called(1.0, pictures=3, room=4, usual_s=0.2)
        assert measure.now() is work
        assert noted == []
    parts = {labels: amount for name, amount, labels in noted if name == meters.STAGE_SECONDS.name}
    assert parts == {("infer", "fetch"): 0.5, ("infer", "infer"): 1.0}
    assert (meters.FILL.name, 0.75, ()) in noted
    assert measure.now().step == ""


def test_a_task_that_got_no_turn_is_not_timed(noted):
    with measure.over("infer", "j", "00000000-00000010"):
        measure.spent("fetch", 0.25)
    assert noted == []


def test_without_a_collector_a_task_still_knows_what_it_spent():
    with measure.over("infer", "j", "u"):
        measure.spent("fetch", 0.25)
        measure.note(meters.FRAMES, 1, "infer")
        assert measure.done()["fetch"] == 0.25


def test_calls_that_are_not_full_count_as_full_ones_at_the_best_pace_would(noted):
    class Model:
        on_device = False

        def batch(self, height, width):
            return 4

        def detect(self, pictures, people):
            return np.zeros((len(pictures), people, 56), np.float32)

    model = MeasuredPoseModel(Model())
    with measure.over("infer", "j", "u") as work:
        for count in (4, 8, 2):
            assert len(model.detect(np.zeros((count, 32, 32, 3), np.uint8), 6)) == count
    assert (work.pictures, work.room) == (14, 16)
    assert 0 < work.ideal_s <= work.seconds["infer"] * 14 / 12


def test_a_process_counts_on_where_the_killed_one_before_it_ended(tmp_path):
    for name, times in (("0", 3), ("1", 2), ("0", 4)):
        ran = subprocess.run([sys.executable, "-c", NOTES, str(tmp_path), name, str(times)], check=False)
        assert ran.returncode == -signal.SIGKILL
    found = samples(prometheus.page(prometheus.registry_of(folder=tmp_path)))
    assert found["posefleet_frames_total stage=infer"] == 90
    assert found["posefleet_task_seconds_count step=infer"] == 9
    assert found["posefleet_task_seconds_bucket le=1.0 step=infer"] == 0
    assert found["posefleet_task_seconds_bucket le=3.0 step=infer"] == 9
    assert len(list(tmp_path.iterdir())) == 6
    assert all(path.stat().st_blocks * 512 >= path.stat().st_size for path in tmp_path.iterdir())


def test_every_meter_is_shown_under_its_name():
    registry = CollectorRegistry()
    sink = prometheus.in_memory(registry)
    for meter in meters.WORKER:
        sink(meter, 1.0, ("x",) * len(meter.labels) if len(meter.labels) < 2 else ("x", "y"))
    shown = {name.partition(" ")[0] for name in samples(prometheus.page(registry))}
    assert {series for meter in meters.WORKER for series in meter.series} <= shown
    assert all(meter.name.startswith("posefleet_") and meter.text for meter in meters.ALL)
    assert len({meter.name for meter in meters.ALL}) == len(meters.ALL)


def test_gauges_are_asked_for_at_each_look_and_left_out_without_a_value():
    looks = []

    def ask() -> dict[Meter, prometheus.Series]:
        looks.append(1)
        return {meters.OUTSTANDING: {("infer",): float(len(looks))}, meters.SWEPT: {}}

    registry = prometheus.registry_of(prometheus.Gauges(ask))
    looks.clear()
    for count in (1, 2):
        found = samples(prometheus.page(registry))
        assert found["posefleet_outstanding queue=infer"] == count
    assert meters.SWEPT.name not in found
    assert any(name.startswith("posefleet_build_info") for name in found)


@pytest.fixture
def json_lines(monkeypatch):
    monkeypatch.setattr(logs, "current", lambda: Settings().model_copy(update={"log_format": "json"}))
    handler = logging.StreamHandler()
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logs.shape(logger)
    logs.name_worker("infer@host")
    yield lambda *arguments, **more: json.loads(
        handler.format(logger.makeRecord("posefleet", logging.WARNING, "f", 1, *arguments, **more))
    )
    logs.name_worker("")


def test_a_line_says_what_the_process_is_at(json_lines):
    with measure.over("infer", "abc", "00000000-00000240"):
        said = json_lines("took %.1f s", (2.5,), None, extra={"seconds": 2.5})
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "warning",
        "message": "took 2.5 s",
        "job": "abc",
        "step": "infer",
        "range": "00000000-00000240",
        "worker": "infer@host",
        "seconds": 2.5,
    }
    assert "job" not in json_lines("idle", (), None)


def test_celerys_own_lines_say_which_task_they_are_about(json_lines):
    said = json_lines("%(id)s received", ({"id": "render-abc-00000000-00000240"},), None)
    assert (said["step"], said["job"], said["range"]) == ("render", "abc", "00000000-00000240")
    said = json_lines("done", (), None, extra={"data": {"id": "split-abc-all"}})
    assert (said["step"], said["job"], said["range"]) == ("split", "abc", "all")
    assert "step" not in json_lines("%(id)s", ({"id": "7c1e-x"},), None)


def test_an_error_has_its_traceback_in_one_line(json_lines):
    try:
        raise ValueError("wrong\nlines")
    except ValueError:
        said = json_lines("failed", (), sys.exc_info())
    assert "ValueError: wrong\nlines" in said["error"]


@pytest.fixture
def untraced():
    tracing._provider.cache_clear()
    yield
    tracing._provider.cache_clear()


def test_traces_that_are_off_load_nothing(untraced, monkeypatch):
    monkeypatch.delenv(tracing.WHERE, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with tracing.over(measure.Work("infer", "j", "u")):
        tracing.enqueued("j", "s3://b/k", 0.0)
    tracing.flush()


def test_traces_without_their_packages_are_off_and_say_so_once(untraced, monkeypatch, caplog):
    monkeypatch.setenv(tracing.WHERE, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    for _ in range(2):
        with tracing.over(measure.Work("infer", "j", "u")):
            pass
    assert caplog.text.count("the extra 'otel' is not installed") == 1


def test_the_ids_of_a_trace_depend_on_the_job_alone():
    assert tracing._ids("abc") == tracing._ids("abc") != tracing._ids("abd")
    assert all(0 < part < 1 << bits for part, bits in zip(tracing._ids("abc"), (128, 64), strict=True))


def test_a_wrong_password_setting_is_refused_without_being_told(monkeypatch):
    monkeypatch.setitem(os.environ, "POSEFLEET_FLOWER_BASIC_AUTH", "tops3cret")
    with pytest.raises(ConfigurationError) as caught:
        Settings.read()
    assert "POSEFLEET_FLOWER_BASIC_AUTH" in str(caught.value)
    assert "tops3cret" not in str(caught.value)
