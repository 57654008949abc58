"""How close a job came to what its workers could do, from what their tasks noted."""

from collections.abc import Iterable, Mapping

from schema.manifest import StepReport

PARTS = ("fetch", "decode", "letterbox", "infer", "heads", "draw", "encode", "write", "wait")
"""What a task's time goes into, as tasks note it; some of it side by side."""


def reports(times: Mapping[str, str], frames: int) -> dict[str, StepReport]:
    """Each step that has begun and ended something, from a job's ``times`` in Redis.

    Args:
        times: see `schema.names.ProgressKeys.times`.
        frames: of the job, for steps that count none themselves.
    """
    steps = [name.removesuffix(":start") for name in times if name.endswith(":start")]
    return {step: _report(step, times, frames) for step in steps if f"{step}:end" in times}


def _report(step: str, times: Mapping[str, str], frames: int) -> StepReport:
    seconds = float(times[f"{step}:end"]) - float(times[f"{step}:start"])
    done = min(frames, int(times.get(f"{step}:frames", 0))) or frames
    spent = {part: float(times.get(f"{step}:{part}", 0)) for part in (*PARTS, "busy", "ideal")}
    return StepReport(
        seconds=round(seconds, 3),
        frames_per_second=round(done / seconds, 1) if seconds > 0 else None,
        busy_seconds=round(spent["busy"] + spent["wait"], 3),
        ideal_seconds=round(spent["ideal"], 3),
        speed_of_light=_ratio(spent["ideal"], spent["busy"] + spent["wait"]),
        parts={part: round(spent[part], 3) for part in PARTS if spent[part] > 0},
    )


def speed_of_light(steps: Iterable[StepReport]) -> float | None:
    """Of all steps together; none where nothing is known."""
    known = [step for step in steps if step.busy_seconds and step.ideal_seconds]
    return _ratio(sum(step.ideal_seconds for step in known), sum(step.busy_seconds for step in known))


def _ratio(ideal_s: float, busy_s: float) -> float | None:
    return round(ideal_s / busy_s, 3) if ideal_s > 0 and busy_s > 0 else None
