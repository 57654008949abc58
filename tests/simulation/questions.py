"""What people ask before they rent machines, answered by the model: ``make simulate``.

    python -m tests.simulation.questions --gpu-fps 800 --height 1080 --gpu-price 2.5 [--videos 70000] …

Every figure that goes in stands in the first table, and has an option of its name where it is no measurement.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from producer.sweep import AT_ONCE
from tests.simulation import limits, policy
from tests.simulation.figures import Figures, measured_load
from tests.simulation.fleet import Fleet
from tests.simulation.limits import Rates
from tests.simulation.measured import compare, recorded, table
from tests.simulation.policy import Policy
from tests.simulation.spot import Spot, take_away
from tests.simulation.work import Video

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
_MARK = "<!-- generated: make simulate ASK=--page -->"
_SIZES = (10, 100, 1_000, 10_000)
_SETTLING_S, _WATCHED_S = 120.0, 120.0
"""Of simulated time, once all pods are there."""
_MOST_JOBS_S = 150.0
"""Accepted for each second of a crowd's: beyond what one Redis bears."""


def video_of(figures: Figures, seconds: float | None = None) -> Video:
    """One of the night's."""
    return Video(round((seconds or figures["seconds"]) * figures["fps"]), figures.pixels)


def scaled(known: Policy, **most: int) -> Policy:
    """The chart's pools with other highest numbers of pods."""
    pools = []
    for pool in known.pools:
        wanted = most.get(pool.name.replace("-", "_"))
        if wanted is not None and pool.scaling is not None:
            pool = replace(pool, scaling=replace(pool.scaling, most=wanted))
        pools.append(pool)
    return replace(known, pools=tuple(pools))


def enough(workers: int, known: Policy, figures: Figures, video: Video) -> Policy:
    """So many GPU workers, and as many others as keep up with them."""
    needed = limits.processes(Rates.of(workers, figures, known, video), figures, known, video)

    def pods(name: str, busy: float) -> int:
        return math.ceil(1.25 * busy / known.pool(name).processes)

    finish = pods("finish", needed["stitch"] + needed["publish"])
    return scaled(
        known,
        infer_gpu=workers,
        plan=max(4, pods("plan", needed["plan"])),
        finish=max(2, finish),
        render=max(2, pods("render", needed["render"])),
    )


def fewest(known: Policy, figures: Figures, video: Video) -> int:
    """GPU workers that the night's frames need when nothing holds them up, and starting takes no time."""
    one = Rates.of(1, figures, known, video)
    return math.ceil(figures["videos"] / one.jobs / (figures["hours"] * 3600))


def night(workers: int, known: Policy, figures: Figures, video: Video, seed: int = 0) -> Fleet:
    """The whole night, from nothing to nothing."""
    chosen = enough(workers, known, figures, video)
    fleet = Fleet(chosen, figures.costs(chosen), seed)
    fleet.submit([video] * int(figures["videos"]), every_s=1 / figures["enqueued"])
    spot = tuple(pool.name for pool in chosen.pools if pool.spot)
    take_away(fleet, Spot(figures["spot_h"] * 3600, figures["unannounced"]), spot)
    fleet.run()
    fleet.close()
    return fleet


def crowd(workers: int, known: Policy, figures: Figures, video: Video, seed: int = 0) -> float:
    """Batches that so many GPU workers infer in a second of simulated time, all there and all busy."""
    chosen = enough(workers, known, figures, video)
    there = [
        replace(pool, scaling=None, pods=pool.scaling.most if pool.scaling else pool.pods) for pool in chosen.pools
    ]
    chosen = replace(chosen, pools=tuple(there))
    fleet = Fleet(chosen, figures.costs(chosen), seed)
    begin_s = figures["node_s"] + figures["load_s"] + _SETTLING_S
    jobs_s = min(_MOST_JOBS_S, Rates.of(workers, figures, known, video).jobs)
    fleet.submit([video] * math.ceil(jobs_s * (begin_s + _WATCHED_S)))
    fleet.run(begin_s)
    before = fleet.tally.done["infer"]
    fleet.run(begin_s + _WATCHED_S)
    return (fleet.tally.done["infer"] - before) / _WATCHED_S


# Tables


def inputs(figures: Figures) -> Iterator[str]:
    """What goes in."""
    yield from ("| option | value | what | source |", "|---|---|---|---|")
    for name, each in figures.all.items():
        option = f"`--{name.replace('_', '-')}`" if name in figures.given else ""
        yield f"| {option} | {each.value:,.4g} {each.unit} | {each.what} | {each.source} |"


def workers_needed(known: Policy, figures: Figures) -> Iterator[str]:
    """How many GPU workers for videos of several lengths and sizes."""
    yield from ("| videos | 720 lines | 1080 lines |", "|---|---|---|")
    for seconds in (10, 30, 60, 300, 600):
        found = []
        for height in (720, 1080):
            kind = Figures({**{name: each.value for name, each in figures.given.items()}, "height": height})
            found.append(fewest(known, kind, video_of(kind, seconds)))
        yield f"| {figures['videos']:,.0f} of {seconds} s | {found[0]} | {found[1]} |"


def the_night(known: Policy, figures: Figures, seed: int) -> Iterator[str]:
    """One night in full, with as many GPU workers as it takes."""
    video, count = video_of(figures), fewest(known, figures, video_of(figures))
    for workers in range(count, 2 * count + 10):
        fleet = night(workers, known, figures, video, seed)
        if fleet.last_end_s <= figures["hours"] * 3600:
            break
    tally = fleet.tally
    peak = max(tally.by_minute.values()) / 60
    rates = Rates(workers, workers * known.sharing, tally.done["infer"] / fleet.last_end_s, 0.0, 0.0, 1)
    rates = replace(rates, jobs=tally.done["publish"] / fleet.last_end_s)
    commands, core = limits.redis_rate(rates, figures, video, 0.0)
    reads, writes = limits.s3_rates(rates, figures, _s3(), video)
    units = sum(tally.done.values()) / fleet.last_end_s
    yield from ("| figure | value |", "|---|---|")
    yield f"| GPU workers | {workers} |"
    yield f"| all done after | {fleet.last_end_s / 3600:.2f} h |"
    for pool in fleet.policy.pools:
        busy = tally.busy_s[pool.name] / (tally.pod_s[pool.name] * pool.processes)
        yield f"| pods of `{pool.name}`, at most | {tally.most_pods[pool.name]}, {busy:.0%} busy |"
    yield f"| units done | {sum(tally.done.values()):,}, {units:.0f} a second, {peak:.0f} in the busiest minute |"
    again, lost_h = sum(tally.returned.values()), tally.wasted_s / 3600
    yield f"| done again, as a node went away | {again:,}, {lost_h:.1f} h of a process |"
    yield f"| Redis | {commands:,.0f} commands a second, {core:.0%} of its core |"
    yield f"| S3 | {reads:,.0f} reads and {writes:,.0f} writes a second |"


def breaking(known: Policy, figures: Figures, seed: int) -> Iterator[str]:
    """What so many GPU workers ask of what they share: rates, then shares of what there is."""
    video = video_of(figures)
    asked = [limits.Asked.by(Rates.of(n, figures, known, video), figures, known, video, _s3()) for n in _SIZES]
    yield "| a second | " + " | ".join(f"{n:,}" for n in _SIZES) + " |"
    yield "|---|" + "---|" * len(_SIZES)
    yield _row("batches to infer", [each.rates.batches for each in asked])
    yield _row("batches inferred, simulated", [crowd(n, known, figures, video, seed) for n in _SIZES])
    yield _row("videos", [each.rates.jobs for each in asked])
    yield _row("Redis commands", [each.commands for each in asked])
    yield _row("S3 reads", [each.reads for each in asked])
    yield _row("S3 writes", [each.writes for each in asked])
    yield from ("", "| share of | " + " | ".join(f"{n:,}" for n in _SIZES) + " | all of it at | what helps |")
    yield "|---|" + "---|" * (len(_SIZES) + 2)
    for row in zip(*(limits.uses(each, figures, known) for each in asked), strict=True):
        shares = " | ".join(f"{use.share:.0%}" for use in row)
        yield f"| {row[0].name} | {shares} | {_SIZES[0] / row[0].share:,.0f} workers | {row[0].remedy} |"


def _row(name: str, values: list[float]) -> str:
    return f"| {name} | " + " | ".join(f"{value:,.3g}" if value < 100 else f"{value:,.0f}" for value in values) + " |"


def _s3() -> limits.Load:
    """Requests of a batch of each step, and of a job."""
    load = measured_load()
    return {name: load[name]["s3"] for name in ("infer_batch", "render_batch", "job")}


def whatever(known: Policy, figures: Figures) -> Iterator[str]:
    """What does not depend on how many workers there are."""
    settings, night, each_s = known.settings, figures["videos"], limits.compared_s(figures)
    most, long_s = settings.quiet_s / each_s, night * each_s
    yield f"- The sweeper compares a job of which there was no news for `quiet_s` ({settings.quiet_s:.0f} s) with"
    yield f"  storage, {AT_ONCE} side by side, {each_s * 1e3:.0f} ms each: {most:,.0f} open jobs fill all of its time."
    yield f"  For {night:,.0f} set `quiet_s` to {long_s:,.0f} or more; with less, lost messages wait for sweeps to end."
    longest_h, limit_s = limits.longest_video_h(figures, known), known.delivery.limits["stitch"]
    yield f"- Stitch takes videos of up to {longest_h:.1f} hours in its limit of {limit_s:.0f} s."
    held_gb = settings.max_waiting * figures["message"] / 1e9
    yield f"- {settings.max_waiting:,} batches that wait (`max_waiting`) take {held_gb:.1f} GB of Redis's memory."
    yield f"- A core of the API tells {figures['answers']:.0f} times a second where jobs stand."


def price(known: Policy, figures: Figures) -> Iterator[str]:
    """What an hour of video costs."""
    video = video_of(figures, 3600)
    one = Rates.of(1, figures, known, video)
    gpu_h = 1 / one.jobs / 3600
    busy = limits.processes(one, figures, known, video)
    cores_h = sum(busy.values()) * gpu_h
    reads, writes = (each / one.jobs for each in limits.s3_rates(one, figures, _s3(), video))
    rows = [
        ("a pod with a GPU", gpu_h, "h", gpu_h * figures["gpu_price"]),
        ("cores of other pods", cores_h, "h", cores_h * figures["core_price"]),
        ("S3 reads", reads, "", reads / 1e3 * figures["get_price"]),
        ("S3 writes", writes, "", writes / 1e3 * figures["put_price"]),
    ]
    yield from ("| for an hour of video | how much | price |", "|---|---|---|")
    for name, amount, unit, cost in rows:
        yield f"| {name} | {amount:,.3g} {unit} | {cost:.3f} |"
    yield f"| all | | {sum(cost for *_, cost in rows):.3f} |"


def answers(figures: Figures, profile: str, seed: int) -> Iterator[str]:
    """All tables, one after the other."""
    known, kind = policy.read(profile), f"{figures['seconds']:.0f} s at {figures.kind} lines"
    hours = figures["hours"]
    yield from (f"### GPU workers for {figures['videos']:,.0f} videos in {hours:.0f} hours", "")
    yield from workers_needed(known, figures)
    yield from ("", f"### That night, videos of {kind}, annotated, profile `{profile}`", "")
    yield from the_night(known, figures, seed)
    yield from ("", "### What gives way, GPU workers all busy", "")
    yield from breaking(known, figures, seed)
    yield ""
    yield from whatever(known, figures)
    yield from ("", "### Price", "")
    yield from price(known, figures)
    yield from ("", "### Measured runs and what the model says of them", "")
    yield table(compare(recorded()))
    yield from ("", "### What went in", "")
    yield from inputs(figures)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, each in Figures().given.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=each.value, help=f"{each.what}")
    parser.add_argument("--profile", default="production-gpu", help="of the chart's values")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="write them into docs/simulation.md as well")
    asked = vars(parser.parse_args())
    profile, seed, page = (asked.pop(name) for name in ("profile", "seed", "page"))
    said = []
    for line in answers(Figures(asked), profile, seed):
        print(line, flush=True)
        said.append(line)
    if page:
        kept = PAGE.read_text().partition(_MARK)[0]
        PAGE.write_text("\n".join([f"{kept}{_MARK}", "", *said, ""]))


if __name__ == "__main__":
    main()
