"""Runs of real processes, held against the model: ``make simulate-check``.

One run with one worker gives the model its costs, other runs are foretold with them and then made: with two and three
workers, with longer batches, with a worker that is stopped or killed half-way, and with an autoscaler that goes from no
pods to three and back.  Totals are from the message of the first job to the last manifest.

    python -m tests.simulation.measured [--json FILE]
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.simulation import policy
from tests.simulation.costs import Cost, Costs
from tests.simulation.fleet import Fleet
from tests.simulation.pod import Steps
from tests.simulation.policy import Policy
from tests.simulation.runs import CALIBRATION, OTHERS, POOL, VALIDATION, VALUES, Outcome, Run, make, scaling, videos

RECORDED = Path(__file__).with_name("measured.json")
WHOLE_STEPS = {"plan": "split", "stitch": "stitch", "publish": "publish"}
BAR = 0.15
"""Of the measured total."""


def calibrated(run: Run, outcome: Outcome) -> Costs:
    """What one run says that steps cost, beside the model's own time; the rest of a job is split among its steps."""
    each_s = outcome.steps["infer"] / run.batches - run.frames * run.cost_s
    rest_s = outcome.total_s - sum(outcome.steps.values())
    whole = {queue: Cost(outcome.steps[step]) for queue, step in WHOLE_STEPS.items()}
    whole["plan"] = Cost(outcome.steps["split"] + rest_s)
    return Costs({**whole, "infer": Cost(each_s, run.cost_s), "render": Cost(0)}, {"": outcome.start_s})


def foretold(run: Run, costs: Costs, seed: int = 0) -> tuple[float, Fleet]:
    """Seconds that the model says a run takes, and its fleet."""
    infer = replace(costs.steps["infer"], frame_s=run.cost_s)
    fleet = Fleet(_policy(run), replace(costs, steps={**costs.steps, "infer": infer}), seed)
    fleet.submit(videos(run), at_s=fleet.costs.start("") * (not run.scaled))
    if run.disturbed:
        fleet.env.process(_disturb(fleet, run))
    ended_s = fleet.run()
    return ended_s - fleet.jobs[0].accepted_s, fleet


def _policy(run: Run) -> Policy:
    """The chart's, with so many pods as the run has."""
    known = policy.read("keda", VALUES)
    pools = [replace(known.pool(name), pods=1, scaling=None) for name in OTHERS]
    scaled = scaling() if run.scaled else None
    return replace(known, pools=(*pools, replace(known.pool(POOL), pods=run.workers, scaling=scaled)))


def _disturb(fleet: Fleet, run: Run) -> Steps:
    while fleet.tally.done["infer"] < run.videos * run.batches // 2:
        yield fleet.env.timeout(0.02)
    pod = fleet.pods[POOL].pop()
    if run.disturbed == "stopped":
        pod.stop(pod.pool.soft_s, pod.pool.grace_s)
    else:
        pod.lose()


@dataclass(frozen=True)
class Comparison:
    """A run as measured and as foretold."""

    run: Run
    outcome: Outcome
    foretold_s: float

    @property
    def error(self) -> float:
        """Of the total, as a share of what was measured."""
        return self.foretold_s / self.outcome.total_s - 1


def compare(record: Mapping[str, Outcome]) -> list[Comparison]:
    """Every run but that which the model got its costs from."""
    costs = calibrated(CALIBRATION, record[CALIBRATION.name])
    return [Comparison(run, record[run.name], foretold(run, costs)[0]) for run in VALIDATION if run.name in record]


def recorded(path: Path = RECORDED) -> dict[str, Outcome]:
    """Outcomes that were kept."""
    return {name: Outcome(**each) for name, each in json.loads(path.read_text())["runs"].items()}


def keep(path: Path, part: str, found: Mapping[str, object]) -> None:
    """Write a part of what is recorded, beside the others."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**kept, part: {**kept.get(part, {}), **found}}, indent=1) + "\n")


def table(compared: list[Comparison]) -> str:
    """For people."""
    lines = ["| run | measured s | model s | error |", "|---|---|---|---|"]
    for each in compared:
        figures = f"{each.outcome.total_s:.1f} | {each.foretold_s:.1f} | {each.error:+.1%}"
        lines.append(f"| {each.run.name} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    """Make all runs and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="keep the outcomes here")
    parser.add_argument("--only", default="", help="runs with this in their name")
    asked = parser.parse_args()
    record: dict[str, Outcome] = {}
    for run in (CALIBRATION, *VALIDATION):
        if run is CALIBRATION or asked.only in run.name:
            record[run.name] = make(run)
            print(f"{run.name}: {record[run.name].total_s:.1f} s", flush=True)
            if asked.json:
                keep(asked.json, "runs", {name: asdict(outcome) for name, outcome in record.items()})
    compared = compare(record)
    print(table(compared))
    if any(abs(each.error) > BAR for each in compared):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
