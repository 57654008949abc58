"""What must hold in the model whatever the figures are, and what queueing theory says of simple fleets."""

import math
import random
from dataclasses import dataclass, replace

import pytest
from simpy import Environment

from tests.simulation.costs import Cost, Costs
from tests.simulation.fleet import Fleet
from tests.simulation.policy import Policy, Pool, defaults
from tests.simulation.servers import Core
from tests.simulation.spot import Spot, take_away
from tests.simulation.work import STEPS, Video
from tests.support.autoscaler import Policy as Rule
from tests.support.autoscaler import Scaling

TRACKS = Video(2400, render=False)
ANNOTATED = Video(2400)
FREE = dict.fromkeys(STEPS, Cost(0.0))


def pool(name: str, *queues: str, pods: int = 1, processes: int = 1, scaling: Scaling | None = None) -> Pool:
    return Pool(name, queues, processes, 1.0, False, pods, 15.0, 25.0, True, scaling)


def fleet_of(infer: Pool, costs: Costs, seed: int = 0, **settings: object) -> Fleet:
    """A pool for infer, and one with plenty of processes for the rest."""
    others = pool("others", "plan", "stitch", "render", "publish", pods=50)
    return Fleet(Policy.of(defaults(**settings), (infer, others)), costs, seed)


def done_in(pods: int, batches: int = 200, **costs: float) -> float:
    """Seconds that so many workers take."""
    fleet = fleet_of(pool("infer", "infer", pods=pods), Costs({**FREE, "infer": Cost(1.0)}, **costs))
    fleet.submit([Video(batches * 10, render=False, batch_frames=10)])
    return fleet.run()


def rules(least: int = 0, most: int = 20, cooldown_s: float = 300.0) -> Scaling:
    up = (Rule(True, 100, 30), Rule(False, 10, 30))
    down = (Rule(True, 25, 60), Rule(False, 1, 60))
    return Scaling(least, most, 8, 0, 15, cooldown_s, 300, up, down)


def test_every_batch_is_done_once_and_every_job_ends():
    fleet = fleet_of(pool("infer", "infer", pods=3), Costs({**FREE, "infer": Cost(0.1, 0.01)}, spread=0.3))
    fleet.submit([ANNOTATED] * 40)
    fleet.run()
    assert fleet.tally.done == {"plan": 40, "infer": 400, "stitch": 40, "render": 400, "publish": 40}
    assert fleet.tally.begun == fleet.tally.done
    assert all(job.ended_s is not None for job in fleet.jobs)
    assert +fleet.outstanding == {}


def test_a_seed_settles_everything():
    def run(seed):
        fleet = fleet_of(pool("infer", "infer", pods=5), Costs({**FREE, "infer": Cost(1.0)}, spread=0.5), seed)
        take_away(fleet, Spot(60, 0.5), ("infer",))
        fleet.submit([ANNOTATED] * 20)
        return fleet.run(), fleet.tally.returned["infer"]

    assert run(1) == run(1) != run(2)


@pytest.mark.parametrize("workers", [1, 5, 50])
def test_twice_as_many_workers_halve_the_time(workers):
    assert done_in(workers) == pytest.approx(2 * done_in(2 * workers))


def test_a_saturated_redis_sets_the_pace_however_many_workers_there_are():
    assert done_in(100, redis_s=0.1) == pytest.approx(20, rel=0.1)
    assert done_in(200, redis_s=0.1) == pytest.approx(20, rel=0.1)


def test_workers_that_only_ask_leave_less_of_redis():
    core = Core(Environment())
    core.always = 0.75
    assert core.delay(1.0) == pytest.approx(4.0)


@dataclass(frozen=True)
class Exponential(Costs):
    """Service times without memory."""

    def seconds(self, queue: str, frames: int, *, gpu: bool, rng: random.Random) -> float:
        mean = self.steps[queue].of(frames)
        return rng.expovariate(1 / mean) if mean else 0.0


def mean_wait(costs: Costs, workers: int, load: float, batches: int = 20_000) -> float:
    """Of batches that come at random, ``load`` of what the workers can do; all take a second on average."""
    fleet, rng, at_s = fleet_of(pool("infer", "infer", pods=workers), costs), random.Random(5), 0.0
    for _ in range(batches):
        at_s += rng.expovariate(load * workers)
        fleet.submit([Video(10, render=False, batch_frames=10)], at_s)
    fleet.run()
    return fleet.tally.wait_s["infer"] / batches


def erlang_c(workers: int, load: float) -> float:
    """Mean wait of M/M/c in service times: P(wait) / (c (1 - load))."""
    offered = workers * load
    terms = [offered**n / math.factorial(n) for n in range(workers)]
    last = offered**workers / math.factorial(workers) / (1 - load)
    return last / (sum(terms) + last) / (workers * (1 - load))


@pytest.mark.parametrize(("workers", "load"), [(1, 0.6), (4, 0.7)])
def test_waiting_times_are_those_of_erlang(workers, load):
    costs = Exponential({**FREE, "infer": Cost(1.0)})
    assert mean_wait(costs, workers, load) == pytest.approx(erlang_c(workers, load), rel=0.1)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_waiting_times_of_one_worker_are_those_of_pollaczek_and_khinchine(spread):
    costs = Costs({**FREE, "infer": Cost(1.0)}, spread=spread)
    assert mean_wait(costs, 1, 0.6) == pytest.approx(0.6 * (1 + spread**2) / (2 * 0.4), rel=0.1)


def test_pods_follow_the_work_from_none_to_the_most_and_back():
    infer = pool("infer", "infer", pods=0, scaling=rules(most=5))
    fleet = fleet_of(infer, Costs({**FREE, "infer": Cost(5.0)}, {"infer": 20.0}))
    counts = set()
    fleet.new_pod = lambda _: counts.add(len(fleet.pods["infer"]))
    fleet.submit([TRACKS] * 40, at_s=100)
    fleet.run()
    assert counts == {1, 2, 3, 4, 5}
    assert fleet.tally.most_pods["infer"] == 5
    assert fleet.tally.returned["infer"] == 0
    fleet.run(fleet.env.now + 1200)
    assert fleet.pods["infer"] == []


@pytest.mark.parametrize("least", [1, 3])
def test_there_are_never_fewer_pods_than_the_least(least):
    infer = pool("infer", "infer", pods=0, scaling=rules(least=least, most=6))
    fleet = fleet_of(infer, Costs({**FREE, "infer": Cost(1.0)}))
    fleet.submit([TRACKS] * 30, at_s=50)
    fleet.run()
    fleet.run(fleet.env.now + 2000)
    assert fleet.tally.least_pods["infer"] == least == len(fleet.pods["infer"])


def stopped(cost_s: float, *, notice: bool, settings: dict[str, object]) -> Fleet:
    """Two workers, of which one goes away, with a successor, after 5 s."""
    fleet = fleet_of(pool("infer", "infer", pods=2), Costs({**FREE, "infer": Cost(cost_s)}), **settings)
    fleet.submit([Video(40, render=False, batch_frames=10)])
    fleet.run(5.0)
    fleet.replace(fleet.pods["infer"][0], notice=notice)
    fleet.run()
    return fleet


def test_a_stopped_worker_finishes_what_fits_into_its_time():
    fleet = stopped(10.0, notice=True, settings={})
    assert fleet.tally.begun["infer"] == fleet.tally.done["infer"] == 4
    assert fleet.last_end_s == pytest.approx(20.0)


def test_what_does_not_fit_is_done_again():
    fleet = stopped(40.0, notice=True, settings={})
    assert (fleet.tally.begun["infer"], fleet.tally.done["infer"], fleet.tally.returned["infer"]) == (5, 4, 1)
    assert fleet.tally.wasted_s == pytest.approx(20.0)


def test_what_a_lost_worker_had_comes_back_after_the_visibility_timeout():
    for visibility_s in (360, 720):
        fleet = stopped(10.0, notice=False, settings={"visibility_timeout_s": visibility_s})
        assert fleet.tally.begun["infer"] == 5
        assert fleet.last_end_s == pytest.approx(visibility_s + 2.5 + 10)


def test_messages_in_hand_go_to_others_untouched_when_a_worker_is_stopped():
    fleet = fleet_of(pool("infer", "infer", pods=2), Costs({**FREE, "infer": Cost(10.0)}))
    fleet.policy = replace(fleet.policy, delivery=replace(fleet.policy.delivery, prefetch=4))
    fleet.submit([Video(100, render=False, batch_frames=10)])
    fleet.run(5.0)
    assert [pod.held for pod in fleet.pods["infer"]] == [4, 4]
    fleet.replace(fleet.pods["infer"][0], notice=True)
    fleet.run()
    assert (fleet.tally.untouched["infer"], fleet.tally.begun["infer"], fleet.tally.done["infer"]) == (3, 10, 10)


def test_work_that_takes_longer_than_its_limit_is_given_up():
    fleet = fleet_of(pool("infer", "infer"), Costs({**FREE, "infer": Cost(200.0)}))
    fleet.submit([Video(10, render=False, batch_frames=10)])
    assert fleet.run() == pytest.approx(3 * 120)
    assert fleet.tally.dead["infer"] == 1
    assert not fleet.jobs[0].failed


def test_a_step_of_the_whole_job_that_takes_too_long_fails_the_job():
    fleet = fleet_of(pool("infer", "infer"), Costs({**FREE, "stitch": Cost(400.0)}))
    fleet.submit([TRACKS])
    assert fleet.run() == pytest.approx(3 * 342)
    assert fleet.jobs[0].failed


def test_spot_nodes_cost_time_and_no_work():
    fleet = fleet_of(pool("infer", "infer", pods=10), Costs({**FREE, "infer": Cost(20.0)}, {"": 30.0}))
    take_away(fleet, Spot(120, 0.2), ("infer",))
    fleet.submit([TRACKS] * 50)
    fleet.run()
    tally = fleet.tally
    assert tally.returned["infer"] > 20
    assert tally.begun["infer"] == tally.done["infer"] + tally.returned["infer"] == 500 + tally.returned["infer"]
    assert tally.dead["infer"] == 0


def test_no_more_videos_are_split_than_redis_is_meant_to_hold():
    fleet = fleet_of(pool("infer", "infer", pods=2), Costs({**FREE, "infer": Cost(1.0)}), max_waiting=50)
    fleet.submit([TRACKS] * 30)
    most = 0
    while fleet.open_jobs:
        fleet.run(fleet.env.now + 1)
        most = max(most, fleet.outstanding["infer"])
    assert 50 <= most < 50 + 10
