"""What the chart and the code say about a fleet: pools, autoscaling, delivery. Read from what the chart renders."""

from dataclasses import dataclass

from celery import Celery

from schema.names import TASK_QUEUES
from schema.queue import make_app
from schema.settings import Settings
from tests.chart.rendering import Document, Release, at, render
from tests.support.autoscaler import Scaling


@dataclass(frozen=True)
class Pool:
    """Pods from one template."""

    name: str
    queues: tuple[str, ...]
    processes: int
    """Of one pod."""
    cores: float
    gpu: bool
    pods: int
    """When nobody scales."""
    soft_s: float
    """For running tasks, after a pod is asked to stop."""
    grace_s: float
    spot: bool
    scaling: Scaling | None
    decoder_threads: int = 1
    """Of each process; no more than it has cores."""


@dataclass(frozen=True)
class Delivery:
    """What the Celery application does with messages."""

    prefetch: int
    """Messages that a worker holds, for each of its processes."""
    returned_s: float
    """A message is delivered again so long after its delivery, if nobody acknowledges it."""
    limits: dict[str, float]
    """Seconds that a task may take, by queue."""


def delivery_of(app: Celery, settings: Settings) -> Delivery:
    """As an application has it: what is acknowledged late Redis delivers again, when a worker next looks for such
    messages; the rest the sweeper sends.
    """
    conf = app.conf
    lost_s = settings.lost_after_s + settings.sweep_interval_s
    restored_s = settings.visibility_timeout_s + conf.broker_transport_options["unacked_restore_interval"] / 2
    limits = {
        queue: float((conf.task_annotations or {}).get(task, {}).get("time_limit", conf.task_time_limit))
        for task, queue in TASK_QUEUES.items()
    }
    return Delivery(conf.worker_prefetch_multiplier, restored_s if conf.task_acks_late else lost_s, limits)


@dataclass(frozen=True)
class Policy:
    """All of it."""

    settings: Settings
    pools: tuple[Pool, ...]
    delivery: Delivery

    @classmethod
    def of(cls, settings: Settings, pools: tuple[Pool, ...]) -> "Policy":
        """With messages as the fleet's own application handles them."""
        return cls(settings, pools, delivery_of(make_app(settings), settings))

    @property
    def decoder_threads(self) -> int:
        """Of GPU workers."""
        return max((pool.decoder_threads for pool in self.pools if pool.gpu), default=1)

    @property
    def sharing(self) -> int:
        """Processes that share a GPU."""
        return max((pool.processes for pool in self.pools if pool.gpu), default=1)

    def pool(self, name: str) -> Pool:
        """A pool by its name."""
        return next(pool for pool in self.pools if pool.name == name)


def read(profile: str = "production-gpu", values: Document | str | None = None) -> Policy:
    """What a fleet is when it is installed with a profile of the chart and ``values`` over it."""
    release = render(values, over=profile)
    data = release.get("ConfigMap", "settings")["data"]
    return Policy.of(_settings(data), tuple(_pool(release, name, data) for name in sorted(_workers(release))))


def defaults(**changed: object) -> Settings:
    """The code's own, whatever the environment says."""
    return Settings(_env_prefix="NOBODYS_", **changed)  # type: ignore[arg-type]


def _settings(data: dict[str, str]) -> Settings:
    given = {name.removeprefix("POSEFLEET_").lower(): value for name, value in data.items()}
    return defaults(**{name: value for name, value in given.items() if value != ""})


def _workers(release: Release) -> list[str]:
    return [
        each["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in release.of("Deployment")
        if "--queues" in (at(each, "spec.template.spec.containers.0.args") or [])
    ]


def _pool(release: Release, name: str, data: dict[str, str]) -> Pool:
    deployment = release.get("Deployment", name)
    pod = at(deployment, "spec.template.spec")
    container = pod["containers"][0]
    words, limits = container["args"], container["resources"]["limits"]
    processes = int(words[words.index("--concurrency") + 1])
    own = {**data, **((release.find("ConfigMap", name) or {}).get("data") or {})}
    settings, grace = _settings(own), pod["terminationGracePeriodSeconds"]
    return Pool(
        name=name,
        queues=tuple(words[words.index("--queues") + 1].split(",")),
        processes=processes,
        cores=cores(str(limits["cpu"])),
        gpu=any("gpu" in each or "mig" in each for each in limits),
        pods=int(at(deployment, "spec.replicas") or 0),
        soft_s=settings.soft_shutdown_s,
        grace_s=float(grace),
        spot=grace < settings.task_limit_s,
        scaling=_scaling(release, name),
        decoder_threads=min(settings.decoder_threads, max(1, int(cores(str(limits["cpu"])) / processes))),
    )


def cores(said: str) -> float:
    """CPU as Kubernetes writes it, in cores."""
    return float(said[:-1]) / 1000 if said.endswith("m") else float(said)


def _scaling(release: Release, name: str) -> Scaling | None:
    """Of a pool with several queues, all of which have the same target: whoever has most to do counts."""
    if (scaled := release.find("ScaledObject", name)) is None:
        return None
    spec = scaled["spec"]
    one, *others = spec["triggers"]
    for each in others:
        assert each["metadata"]["targetValue"] == one["metadata"]["targetValue"], name
    return Scaling.of({"spec": {**spec, "triggers": [one]}})
