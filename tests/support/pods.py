"""Pods of a pool as processes of this machine: started as the chart says, stopped as a kubelet stops them."""

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from producer.stack.process import Child, Command
from tests.chart.rendering import Release

_SOFT = "POSEFLEET_SOFT_SHUTDOWN_S"


@dataclass(frozen=True)
class Template:
    """What the chart says of a pool's pods."""

    pool: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    grace_s: float

    @classmethod
    def of(cls, release: Release, pool: str) -> "Template":
        """Of a pool's Deployment, and of the ConfigMaps that it reads."""
        spec = release.get("Deployment", pool)["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        environment = {**release.get("ConfigMap", "settings")["data"], **release.get("ConfigMap", pool)["data"]}
        environment |= {each["name"]: each["value"] for each in container["env"] if "value" in each}
        command = (*container["command"], *container["args"])
        return cls(pool, command, environment, spec["terminationGracePeriodSeconds"])

    def sooner(self, soft_s: float) -> "Template":
        """The same with so much time for running tasks, and as much for the rest as there was."""
        rest_s = self.grace_s - float(self.environment[_SOFT])
        return replace(self, environment={**self.environment, _SOFT: str(soft_s)}, grace_s=soft_s + rest_s)


@dataclass
class Pod:
    """One of them; its first process is what stands for PID 1."""

    name: str
    process: Child
    ready_folder: Path
    stops_at: float | None = None
    """When its grace is over, once it was asked to stop."""

    @property
    def ready(self) -> bool:
        """As the readiness probe asks."""
        return (self.ready_folder / "consuming").exists() and any(self.ready_folder.glob("warm-*"))

    @property
    def pids(self) -> set[int]:
        """All its processes."""
        return {each.pid for each in psutil.Process(self.process.pid).children(recursive=True)}


class Pods:
    """All pods of a pool.

    Args:
        template: what the chart says.
        application: takes the place of the chart's.
        environment: what a cluster would give in other ways: addresses, secrets, folders.
        folder: of logs and of what each pod has for itself.
    """

    def __init__(self, template: Template, application: str, environment: Mapping[str, str], folder: Path) -> None:
        self._template, self._application = template, application
        self._environment, self._folder = environment, folder
        self._made = 0
        self.running: list[Pod] = []
        """The latest one last."""
        self.stopping: list[Pod] = []
        self.killed: list[str] = []
        """Those that did not end within their grace."""
        self.fallen: list[str] = []
        """Those that ended without being asked to."""

    def scale(self, wanted: int) -> None:
        """Have so many; the latest ones go first."""
        while len(self.running) < wanted:
            self.running.append(self._start())
        while len(self.running) > wanted:
            self.stop(self.running[-1])

    def stop(self, pod: Pod) -> None:
        """SIGTERM to its first process; `tend` does the rest."""
        self.running.remove(pod)
        self.stopping.append(pod)
        pod.stops_at = time.monotonic() + self._template.grace_s
        pod.process.ask_to_stop()

    def tend(self) -> None:
        """See who has ended, and end those whose grace is over."""
        for pod in list(self.stopping):
            if pod.process.running and time.monotonic() < (pod.stops_at or 0):
                continue
            if pod.process.running:
                self.killed.append(pod.name)
            self._bury(self.stopping, pod)
        for pod in [each for each in self.running if not each.process.running]:
            self.fallen.append(pod.name)
            self._bury(self.running, pod)

    def kill(self) -> None:
        """End all at once."""
        for pods in (self.running, self.stopping):
            for pod in list(pods):
                self._bury(pods, pod)

    def logs(self) -> list[str]:
        """All lines of all pods there were."""
        paths = sorted(self._folder.glob(f"{self._template.pool}-*.log"))
        return [line for path in paths for line in path.read_text().splitlines()]

    def _bury(self, pods: list[Pod], pod: Pod) -> None:
        pod.process.kill()
        pods.remove(pod)

    def _start(self) -> Pod:
        self._made += 1
        name = f"{self._template.pool}-{self._made}"
        own = self._folder / name
        shutil.rmtree(own, ignore_errors=True)
        for each in ("ready", "work"):
            (own / each).mkdir(parents=True)
        theirs = {"/ready": str(own / "ready"), "workers.app": self._application, "%h": name, "python": sys.executable}
        arguments = [_replaced(each, theirs) for each in self._template.command]
        mine = {"POSEFLEET_READY_DIR": str(own / "ready"), "POSEFLEET_DATA_DIR": str(own / "work")}
        environment = {**self._template.environment, **self._environment, **mine}
        return Pod(name, Child(Command(name, arguments, environment), self._folder), own / "ready")


def _replaced(argument: str, theirs: Mapping[str, str]) -> str:
    """An argument of the chart as it is on this machine."""
    for name, mine in theirs.items():
        if name != "python" or argument == name:
            argument = argument.replace(name, mine)
    return argument
