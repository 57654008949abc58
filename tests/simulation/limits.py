"""What each thing that all workers share has to bear when so many of them are busy, and what gives way first."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from producer.sweep import AT_ONCE
from tests.simulation.figures import Figures
from tests.simulation.policy import Policy
from tests.simulation.work import Video


@dataclass(frozen=True)
class Use:
    """Of one thing that is shared."""

    name: str
    needed: float
    limit: float
    remedy: str

    @property
    def share(self) -> float:
        """1 is all there is."""
        return self.needed / self.limit


@dataclass(frozen=True)
class Rates:
    """What ``workers`` GPU workers get done in a second when nothing holds them up."""

    workers: int
    """Pods with a GPU each."""
    processes: int
    """Of all of them."""
    batches: float
    jobs: float
    frames: float
    per_job: int
    """Batches of a job."""

    @classmethod
    def of(cls, workers: int, figures: Figures, policy: Policy, video: Video) -> "Rates":
        """For videos of one kind, one after the other."""
        ranges = video.ranges(policy.settings)
        infer = figures.costs(policy).steps["infer@gpu"]
        processes = workers * policy.sharing
        batches = processes * len(ranges) / sum(map(infer.of, ranges))
        jobs = batches / len(ranges)
        return cls(workers, processes, batches, jobs, jobs * video.frames, len(ranges))


def processes(rates: Rates, figures: Figures, policy: Policy, video: Video) -> Mapping[str, float]:
    """Busy processes of the steps beside infer."""
    steps = figures.costs(policy).steps
    needed = {queue: rates.jobs * steps[queue].of(video.frames) for queue in ("plan", "stitch", "publish")}
    ranges = video.ranges(policy.settings)
    needed["render"] = rates.jobs * sum(map(steps["render"].of, ranges)) if video.render else 0.0
    return needed


def redis_rate(rates: Rates, figures: Figures, video: Video, others: float) -> tuple[float, float]:
    """Commands a second and the share of Redis's core; ``others`` processes do the other steps."""
    steps = ("infer_batch", "render_batch") if video.render else ("infer_batch",)
    present = rates.processes + others
    commands = sum(rates.batches * figures[f"redis_{each}"] for each in steps)
    core_ms = sum(rates.batches * figures[f"core_{each}"] for each in steps)
    commands += rates.jobs * figures["redis_job"] + present * figures["redis_beat"]
    core_ms += rates.jobs * figures["core_job"] + present * figures["core_beat"]
    return commands, core_ms / 1e3 / figures["redis_speed"]


Load = Mapping[str, Mapping[str, float]]
"""Requests to S3 by method, of a batch of each step and of a job."""


def s3_rates(rates: Rates, figures: Figures, load: Load, video: Video) -> tuple[float, float]:
    """Requests a second that read, and that write."""
    batches = ["infer_batch", "render_batch"] if video.render else ["infer_batch"]
    total = Counter[str]()
    for name, rate in (("job", rates.jobs), *((name, rates.batches) for name in batches)):
        for method, count in load[name].items():
            total[method] += rate * count
    reads = total["GET"] + total["HEAD"]
    return reads + len(batches) * rates.batches * figures["first"], total.total() - reads


@dataclass(frozen=True)
class Asked:
    """What so many workers ask for in a second."""

    rates: Rates
    needed: Mapping[str, float]
    """Busy processes of the other steps."""
    commands: float
    core: float
    reads: float
    writes: float
    connections: float

    @classmethod
    def by(cls, rates: Rates, figures: Figures, policy: Policy, video: Video, load: Load) -> "Asked":
        """By workers that nothing holds up."""
        needed = processes(rates, figures, policy, video)
        others = sum(needed.values())
        redis, s3 = redis_rate(rates, figures, video, others), s3_rates(rates, figures, load, video)
        return cls(rates, needed, *redis, *s3, (rates.processes + others) * figures["clients"])


def uses(asked: Asked, figures: Figures, policy: Policy) -> list[Use]:
    """Shares of what there is, while a queue holds a night's work."""
    jobs, needed = asked.rates.jobs, asked.needed
    plan, finish, render = (_most(policy, name) for name in ("plan", "finish", "render"))
    splits = "nothing: S3 splits `jobs/` by itself, in time"
    return [
        Use("finish processes", needed["stitch"] + needed["publish"], finish, "`pools.finish.maxReplicas`"),
        Use("render processes", needed["render"], render, "`pools.render.maxReplicas`"),
        Use("plan processes", needed["plan"], plan, "`pools.plan.maxReplicas`"),
        Use("Redis's connections", asked.connections, figures["connections"], "`maxclients`"),
        Use("Redis's core", asked.core, 1.0, "longer batches (`batch_frames`), a faster core"),
        Use("S3 reads below one prefix", asked.reads, figures["get_limit"], splits),
        Use("S3 writes below one prefix", asked.writes, figures["put_limit"], splits),
        Use("one command that enqueues", jobs, figures["enqueued"], "several at once"),
    ]


def _most(policy: Policy, name: str) -> float:
    pool = policy.pool(name)
    pods = pool.scaling.most if pool.scaling else pool.pods
    return float(pods * pool.processes)


def longest_video_h(figures: Figures, policy: Policy) -> float:
    """Hours of the longest video that is stitched within the time that a step of a whole job may take."""
    cost = figures.costs(policy).steps["stitch"]
    frames = (policy.delivery.limits["stitch"] - cost.fixed_s) / cost.frame_s
    return frames / figures["fps"] / 3600


def compared_s(figures: Figures) -> float:
    """Seconds of the sweeper for an open job of which there is no news."""
    return figures["compared"] / 1e3 + figures["compared_s3"] * figures["s3_s"] / AT_ONCE
