"""The commands of probes and of starting, as a shell runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chart.rendering import at, render

MAIN = "spec.template.spec.containers.0."


def passes(component: str, probe: str, ready: Path) -> bool:
    """Whether a probe passes with these files below /ready."""
    command = at(render().get("Deployment", component), f"{MAIN}{probe}.exec.command")
    return subprocess.run([word.replace("/ready", str(ready)) for word in command], timeout=30).returncode == 0


def fill(folder: Path, files: list[str], age_s: float = 0) -> None:
    for name in files:
        (folder / name).touch()
        now = (folder / name).stat().st_mtime
        os.utime(folder / name, (now - age_s, now - age_s))


@pytest.mark.parametrize(
    ("component", "files", "passed"),
    [
        ("plan", [], False),
        ("plan", ["consuming"], False),
        ("plan", ["warm-1", "warm-2"], False),
        ("plan", ["consuming", "warm-1"], False),
        ("plan", ["consuming", "process-1", "process-2"], False),
        ("plan", ["consuming", "warm-1", "warm-2"], True),
        ("plan", ["consuming", "warm-1", "warm-2", "warm-3"], True),
        ("infer-cpu", ["consuming", "warm-1", "warm-2", "warm-3"], False),
        ("infer-cpu", ["consuming", "warm-1", "warm-2", "warm-3", "warm-4"], True),
    ],
)
def test_a_worker_is_ready_when_it_consumes_and_all_its_processes_are_warm(
    component: str, files: list[str], passed: bool, tmp_path: Path
):
    fill(tmp_path, files)
    assert passes(component, "readinessProbe", tmp_path) is passed


@pytest.mark.parametrize(
    ("component", "files", "passed"),
    [
        ("plan", [], False),
        ("plan", ["consuming", "warm-1"], False),
        ("plan", ["process-1", "process-2"], False),
        ("plan", ["warm-1", "warm-2"], True),
        ("infer-cpu", ["warm-1", "warm-2", "warm-3"], False),
    ],
)
def test_a_worker_has_started_when_its_processes_are_warm_though_redis_is_away(
    component: str, files: list[str], passed: bool, tmp_path: Path
):
    fill(tmp_path, files)
    assert passes(component, "startupProbe", tmp_path) is passed


@pytest.mark.parametrize(
    ("component", "files", "age_s", "passed"),
    [
        ("render", [], 0, True),
        ("render", ["consuming"], 9000, True),
        ("render", ["heartbeat"], 0, True),
        ("render", ["heartbeat"], 30, True),
        ("render", ["heartbeat"], 120, False),
        ("sweeper", [], 0, True),
        ("sweeper", ["heartbeat"], 200, True),
        ("sweeper", ["heartbeat"], 400, False),
    ],
)
def test_a_worker_lives_while_its_heart_beats(
    component: str, files: list[str], age_s: float, passed: bool, tmp_path: Path
):
    fill(tmp_path, files, age_s)
    assert passes(component, "livenessProbe", tmp_path) is passed


@pytest.mark.parametrize("component", ["plan", "sweeper"])
def test_a_container_that_starts_again_forgets_its_files_and_is_the_process_itself(component: str, tmp_path: Path):
    fill(tmp_path, ["consuming", "heartbeat", "warm-1"], 500)
    command = at(render().get("Deployment", component), MAIN + "command")
    words = [word.replace("/ready", str(tmp_path)) for word in command]
    said = "import os, sys; print(os.getpid(), *sys.argv[1:])"
    child = subprocess.Popen([*words, sys.executable, "-c", said, "a b", "--c"], stdout=subprocess.PIPE, text=True)
    assert child.communicate(timeout=30)[0].split() == [str(child.pid), "a", "b", "--c"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "component", "path", "value"),
    [
        ("{}", "plan", MAIN + "startupProbe.periodSeconds", 3),
        ("{pools: {plan: {startupSeconds: 10}}}", "plan", MAIN + "startupProbe.failureThreshold", 4),
        ("{}", "plan", MAIN + "livenessProbe.failureThreshold", 3),
        ("{}", "plan", MAIN + "livenessProbe.terminationGracePeriodSeconds", 30),
        ("{}", "api", MAIN + "startupProbe.failureThreshold", 30),
        ("{}", "sweeper", MAIN + "startupProbe", None),
    ],
)
def test_how_patient_probes_are(given: str, component: str, path: str, value: object):
    assert at(render(given).get("Deployment", component), path) == value


@pytest.mark.parametrize("seconds", [30, 90])
def test_the_age_of_a_heartbeat_is_a_value(seconds: int):
    command = at(
        render({"probes": {"heartbeatSeconds": seconds}}).get("Deployment", "plan"), MAIN + "livenessProbe.exec.command"
    )
    assert f"'{seconds} seconds ago'" in command[2]


def test_no_probe_asks_celery_or_a_server():
    for pod, spec in render().pods():
        for container in spec["containers"]:
            probes = [str(container.get(f"{kind}Probe")) for kind in ("startup", "liveness", "readiness")]
            assert not any("celery" in probe or "redis-cli" in probe for probe in probes), pod
