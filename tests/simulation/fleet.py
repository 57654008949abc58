"""A fleet in simulated time: queues, pods, what follows what. The same seed gives the same run."""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable

from simpy import Environment

from tests.simulation.costs import Costs
from tests.simulation.pod import Pod, Steps
from tests.simulation.policy import Policy, Pool
from tests.simulation.servers import Core
from tests.simulation.work import STEPS, WHOLE, Job, Tally, Unit, Video
from tests.support.autoscaler import Autoscaler

_LONGEST_BACK_OFF_S = 60.0


class Fleet:
    """Run it with `run`; ``tally`` and ``jobs`` say what came of it."""

    def __init__(self, policy: Policy, costs: Costs, seed: int = 0) -> None:
        self.env, self.policy, self.costs = Environment(), policy, costs
        self.rng, self.tally, self.redis = random.Random(seed), Tally(), Core(self.env)
        self.jobs: list[Job] = []
        self.open_jobs = 0
        self.last_end_s = 0.0
        self.outstanding: Counter[str] = Counter()
        """Units that wait or run, by queue: what `posefleet_outstanding` says."""
        self.queued: dict[str, deque[Unit]] = {queue: deque() for queue in STEPS}
        self.pods: dict[str, list[Pod]] = {pool.name: [] for pool in policy.pools}
        """Those that are not asked to stop, the oldest first."""
        self.new_pod: Callable[[Pod], object] = lambda _: None
        """Hears of every pod that is asked for."""
        self._idle: dict[str, deque[Pod]] = {queue: deque() for queue in STEPS}
        self._present = 0
        self._over = self.env.event()
        for pool in policy.pools:
            self._begin_pool(pool)

    # Running

    def submit(self, videos: Iterable[Video], at_s: float = 0.0, every_s: float = 0.0) -> None:
        """Accept videos from a time on, one every while."""
        accepted = list(videos)
        self.open_jobs += len(accepted)
        self.env.process(self._submitted(accepted, at_s, every_s))

    def run(self, until_s: float | None = None) -> float:
        """Go on until all jobs have ended, or until a time; seconds at which the last job ended."""
        if until_s is None:
            self.env.run(self._over)
        else:
            self.env.run(until_s)
        return self.last_end_s

    def close(self) -> None:
        """Count the pods that are still there."""
        for pods in self.pods.values():
            for pod in pods:
                self.tally.pod_s[pod.pool.name] += self.env.now - pod.created_s

    def _submitted(self, videos: list[Video], at_s: float, every_s: float) -> Steps:
        yield self.env.timeout(at_s)
        for video in videos:
            job = Job(video, video.ranges(self.policy.settings), self.env.now)
            self.jobs.append(job)
            self._announce(job, "plan", [0])
            if every_s:
                yield self.env.timeout(every_s)

    # Messages

    def _announce(self, job: Job, queue: str, frames: list[int]) -> None:
        job.left = len(frames)
        self.outstanding[queue] += len(frames)
        for count in frames:
            self._put(Unit(job, queue, count, self.env.now))

    def _put(self, unit: Unit) -> None:
        self.queued[unit.queue].append(unit)
        idle = self._idle[unit.queue]
        while idle:
            if idle.popleft().offer():
                return

    def take(self, queues: tuple[str, ...]) -> Unit | None:
        """The next message of some queues; units that were started too often are given up."""
        for queue in queues:
            while self.queued[queue]:
                unit = self.queued[queue].popleft()
                if unit.attempts < self.policy.settings.max_attempts:
                    unit.taken_s = self.env.now
                    return unit
                self._bury(unit)
        return None

    def waits(self, pod: Pod) -> None:
        """A process of a pod waits for messages."""
        for queue in pod.pool.queues:
            self._idle[queue].append(pod)

    # Units

    def begin(self, pod: Pod, unit: Unit) -> tuple[float, bool]:
        """Seconds until a unit's work is done or its time is over, and which of both."""
        queue = unit.queue
        unit.attempts += 1
        self.tally.begun[queue] += 1
        self.tally.wait_s[queue] += self.env.now - unit.since_s
        frames = sum(unit.job.ranges) if queue in WHOLE else unit.frames
        seconds = self.costs.seconds(queue, frames, gpu=pod.pool.gpu, rng=self.rng)
        limit_s = self.policy.delivery.limits[queue]
        first = unit.job.times.setdefault(queue, (self.env.now, self.env.now))
        unit.job.times[queue] = (first[0], self.env.now)
        return self.redis.delay(self.costs.redis_s / 2) + min(seconds, limit_s), seconds > limit_s

    def acknowledge(self) -> float:
        """Seconds that Redis takes to hear of an end."""
        return self.redis.delay(self.costs.redis_s / 2)

    def finish(self, unit: Unit, began_s: float) -> None:
        """A unit is done."""
        job, queue = unit.job, unit.queue
        job.times[queue] = (job.times[queue][0], self.env.now)
        self.tally.done[queue] += 1
        self.tally.by_minute[int(self.env.now // 60)] += 1
        self._settle(unit)

    def _settle(self, unit: Unit) -> None:
        job, queue = unit.job, unit.queue
        self.outstanding[queue] -= 1
        job.left -= 1
        if not job.left and not job.failed:
            self._follow(job, queue)

    def _follow(self, job: Job, queue: str) -> None:
        if queue == "plan":
            self.env.process(self._with_room(job))
        elif queue == "infer":
            self._announce(job, "stitch", [0])
        elif queue == "stitch" and job.video.render:
            self._announce(job, "render", job.ranges)
        elif queue == "publish":
            self._end(job)
        else:
            self._announce(job, "publish", [0])

    def _with_room(self, job: Job) -> Steps:
        """Send batches, unless as many wait as Redis is meant to hold: then look again, later and later."""
        settings, tries = self.policy.settings, 0
        while self.outstanding["infer"] >= settings.max_waiting:
            longest_s = min(_LONGEST_BACK_OFF_S, settings.retry_backoff_s * 2 ** min(tries, 10))
            yield self.env.timeout(self.rng.uniform(0, longest_s))
            tries += 1
        self._announce(job, "infer", job.ranges)

    def _end(self, job: Job) -> None:
        job.ended_s = self.last_end_s = self.env.now
        self.open_jobs -= 1
        if not self.open_jobs and not self._over.triggered:
            self._over.succeed()

    def give_back(self, unit: Unit, after_s: float, spent_s: float | None) -> None:
        """A worker that goes away had a unit; none was spent on what was only in hand. Neither way is an attempt."""
        if spent_s is None:
            self.tally.untouched[unit.queue] += 1
        else:
            self.tally.returned[unit.queue] += 1
            self.tally.wasted_s += spent_s
            unit.attempts -= 1
        self._again(unit, after_s)

    def overdue(self, unit: Unit, spent_s: float) -> None:
        """A unit was past its time: tried again."""
        self.tally.wasted_s += spent_s
        self.tally.returned[unit.queue] += 1
        self._again(unit, 0.0)

    def _bury(self, unit: Unit) -> None:
        """A batch is left out, a step of the whole job fails the job."""
        self.tally.dead[unit.queue] += 1
        if unit.queue in WHOLE:
            unit.job.failed = True
            self.outstanding[unit.queue] -= 1
            self._end(unit.job)
        else:
            self._settle(unit)

    def _again(self, unit: Unit, after_s: float) -> None:
        if after_s:
            self.env.process(self._later(unit, after_s))
        else:
            self._put(unit)

    def _later(self, unit: Unit, after_s: float) -> Steps:
        yield self.env.timeout(after_s)
        self._put(unit)

    # Pods

    def _begin_pool(self, pool: Pool) -> None:
        scaling = pool.scaling
        self.resize(pool, pool.pods if scaling is None else scaling.least)
        if scaling is not None:
            self.env.process(self._looks(pool, Autoscaler(scaling)))

    def _looks(self, pool: Pool, scaler: Autoscaler) -> Steps:
        while True:
            outstanding = max(self.outstanding[queue] for queue in pool.queues)
            self.resize(pool, scaler.look(self.env.now, len(self.pods[pool.name]), outstanding))
            yield self.env.timeout(scaler.scaling.polling_s)

    def resize(self, pool: Pool, wanted: int) -> None:
        """Ask for pods, or stop the youngest."""
        pods, tally = self.pods[pool.name], self.tally
        while len(pods) < wanted:
            self._add(pool)
        while len(pods) > wanted:
            pods.pop().stop(pool.soft_s, pool.grace_s)
        tally.most_pods[pool.name] = max(tally.most_pods[pool.name], wanted)
        tally.least_pods[pool.name] = min(tally.least_pods.get(pool.name, wanted), wanted)

    def _add(self, pool: Pool) -> None:
        pod = Pod(self, pool)
        self.pods[pool.name].append(pod)
        self.new_pod(pod)

    def replace(self, pod: Pod, *, notice: bool) -> None:
        """A node is taken away; its pod gets a successor."""
        pods = self.pods[pod.pool.name]
        if pod in pods:
            pods.remove(pod)
            self._add(pod.pool)
        if notice:
            pod.stop(pod.pool.soft_s, pod.pool.grace_s)
        else:
            pod.lose()

    def count_present(self, more: int) -> None:
        """Pods that are there tell Redis so, work or not."""
        self._present += more
        self.redis.always = self._present * self.costs.redis_beat
