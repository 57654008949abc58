"""Everything that is counted or timed by workers, and the gauges of the whole fleet, by name."""

from dataclasses import dataclass
from typing import Literal

from schema.manifest import State
from schema.names import STEPS

_STEPS = tuple((step,) for step in STEPS)
_TASK_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


@dataclass(frozen=True)
class Meter:
    """One metric: a *counter* adds up, a *summary* has a sum and a count, a *histogram* counts by size as well."""

    name: str
    """As Prometheus shows it, but for what it adds to counters (``_total``), summaries and histograms."""
    kind: Literal["counter", "summary", "histogram", "gauge"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    begins: tuple[tuple[str, ...], ...] = ()
    """Labels that are shown at 0 from the beginning, so that the first event is seen as a change."""

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its time series."""
        ends = {"counter": ("_total",), "summary": ("_sum", "_count"), "gauge": ("",)}
        return tuple(self.name + end for end in ends.get(self.kind, ("_bucket", "_sum", "_count")))


FRAMES = Meter(
    "posefleet_frames", "counter", "Frames that a stage has finished", ("stage",), begins=(("infer",), ("render",))
)
STAGE_SECONDS = Meter(
    "posefleet_stage_seconds",
    "summary",
    "Seconds of a task spent on a part of it: fetch (bytes from storage), decode (CPU of the process that reads "
    "sources), letterbox (CPU of scaling), infer (calls of the model), heads (decoding its maps, CPU), draw, encode "
    "(CPU), write (results to storage); parts run side by side",
    ("stage", "part"),
)
TASK_SECONDS = Meter("posefleet_task_seconds", "histogram", "Seconds that tasks took", ("step",), _TASK_S)
TASKS = Meter(
    "posefleet_tasks",
    "counter",
    "Tasks by what came of them: done, left_out, retried, returned, stopped, dead, failed, refused, lost",
    ("step", "outcome"),
    begins=tuple((step, outcome) for step in STEPS for outcome in ("done", "lost")),
)
RETRIES = Meter("posefleet_retries", "counter", "Tasks to be tried again, by reason", ("step", "reason"))
REDELIVERIES = Meter("posefleet_redeliveries", "counter", "Messages that came a second time", ("step",), begins=_STEPS)
DEAD_LETTERS = Meter("posefleet_dead_letters", "counter", "Batches that were given up", ("step",), begins=_STEPS)
JOBS = Meter(
    "posefleet_jobs",
    "counter",
    "Jobs that workers have ended, by state",
    ("state",),
    begins=tuple((state,) for state in State if state.final),
)
CONFLICTS = Meter(
    "posefleet_publish_conflicts", "counter", "Conditional writes that came second: another process had been there"
)
DECODER_DEATHS = Meter(
    "posefleet_decoder_deaths", "counter", "Deaths of processes that read sources", ("stage",), begins=_STEPS
)
FILL = Meter("posefleet_batch_fill_ratio", "summary", "Pictures in model calls, of those that full calls would hold")
IDLE = Meter("posefleet_gpu_idle_seconds", "counter", "Seconds of infer tasks in which the model had nothing to do")
SPEED_OF_LIGHT = Meter(
    "posefleet_speed_of_light_ratio",
    "summary",
    "What a task's work takes without a fleet (decoding, scaling, full calls of the model at their usual pace; on a "
    "device the calls alone; drawing, encoding), of what it took with the wait for it",
    ("step",),
)

WORKER = (
    FRAMES,
    STAGE_SECONDS,
    TASK_SECONDS,
    TASKS,
    RETRIES,
    REDELIVERIES,
    DEAD_LETTERS,
    JOBS,
    CONFLICTS,
    DECODER_DEATHS,
    FILL,
    IDLE,
    SPEED_OF_LIGHT,
)
"""What worker processes note."""

RUNNING = Meter("posefleet_tasks_running", "gauge", "Tasks that this worker is at", ("step",))
BUILD = Meter("posefleet_build_info", "gauge", "1; its labels say what runs", ("version", "python", "celery"))

OUTSTANDING = Meter("posefleet_outstanding", "gauge", "Units that wait, run, or are planned, all lanes", ("queue",))
OPEN_JOBS = Meter(
    "posefleet_open_jobs",
    "gauge",
    "Jobs that have not ended: queued, planning, working (infer or render), stitching, publishing",
    ("state",),
)
WORKERS = Meter("posefleet_workers", "gauge", "Workers that have shown up within a minute, by queue", ("queue",))
PROCESSES = Meter("posefleet_worker_processes", "gauge", "Processes of those workers, by queue", ("queue",))
SWEPT = Meter("posefleet_last_sweep_timestamp_seconds", "gauge", "When a sweeper last finished; by Redis's clock")
REDIS_UP = Meter("posefleet_redis_up", "gauge", "Whether Redis answered; without it the other gauges are left out")

FLEET = (OUTSTANDING, OPEN_JOBS, WORKERS, PROCESSES, SWEPT, REDIS_UP)
"""What Redis knows of the whole fleet."""

ALL = (*WORKER, RUNNING, BUILD, *FLEET)
