"""Every number that goes into the answers, with its source. Options of the command change them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.costs import Cost, Costs
from tests.simulation.measured import RECORDED, calibrated, recorded
from tests.simulation.policy import Policy
from tests.simulation.runs import CALIBRATION

_PAGE = "measured on two cores, one thread"
_RUN = "measured: `make simulate-check`"
_COUNTED = "measured: `python -m tests.simulation.load`"
_ASSUMED = "assumption"


@dataclass(frozen=True)
class Figure:
    """A number and where it comes from."""

    value: float
    unit: str
    what: str
    source: str


def _given() -> dict[str, Figure]:
    """What can be changed on the command line."""
    return {
        "videos": Figure(70_000, "", "videos of the night", "the question"),
        "seconds": Figure(60, "s", "length of each", _ASSUMED),
        "fps": Figure(30, "frames/s", "frame rate", _ASSUMED),
        "height": Figure(720, "", "720 or 1080 lines", _ASSUMED),
        "hours": Figure(10, "h", "length of the night", _ASSUMED),
        "gpu_fps": Figure(1000, "frames/s", "the model alone on one GPU", f"{_ASSUMED}: no GPU was measured"),
        "s3_s": Figure(0.03, "s", "one S3 request beside the transfer", _ASSUMED),
        "node_s": Figure(120, "s", "until a new node is there", _ASSUMED),
        "load_s": Figure(60, "s", "until a GPU pod has loaded TensorFlow and its model", _ASSUMED),
        "spread": Figure(0.2, "", "standard deviation of a unit's time ÷ mean", _ASSUMED),
        "spot_h": Figure(12, "h", "mean life of a spot node", _ASSUMED),
        "unannounced": Figure(0.1, "", "share of spot nodes that go without a notice", _ASSUMED),
        "get_limit": Figure(5500, "1/s", "GET and HEAD requests below one prefix", f"{_ASSUMED}, AWS's guide"),
        "put_limit": Figure(3500, "1/s", "PUT and DELETE requests below one prefix", f"{_ASSUMED}, AWS's guide"),
        "connections": Figure(10_000, "", "connections that Redis takes", "Redis's default `maxclients`"),
        "redis_speed": Figure(1.0, "", "Redis's core ÷ a core of the machine that measured", _ASSUMED),
        "gpu_price": Figure(1.0, "per h", "a pod with a GPU", f"{_ASSUMED}: put in yours"),
        "core_price": Figure(0.04, "per h", "a core of other pods", f"{_ASSUMED}: put in yours"),
        "get_price": Figure(0.0004, "per 1,000", "GET and HEAD requests", f"{_ASSUMED}: put in yours"),
        "put_price": Figure(0.005, "per 1,000", "PUT requests", f"{_ASSUMED}: put in yours"),
    }


_FRAME_MS = {
    720: {"decode": 2.4, "scale": 0.46, "model": 17.0, "render": 2.4 + 9.8},
    1080: {"decode": 4.7, "scale": 1.4, "model": 17.0, "render": 4.7 + 23.0},
}
_JAIL_MS = 0.3
_STITCH_MS = 55_000 / 216_000


def _fixed() -> dict[str, Figure]:
    """What was measured, by its unit of a frame or a batch."""
    found = {}
    for height, parts in _FRAME_MS.items():
        for part, value in parts.items():
            found[f"{part}_{height}"] = Figure(value, "ms/frame", f"{part}, {height} lines, one core", _PAGE)
    found["jail"] = Figure(_JAIL_MS, "ms/frame", "handing a frame to the worker", "measured: ARCHITECTURE.md")
    stitch = "measured: `python -m tests.benchmarks.tracking`, six people"
    found["stitch"] = Figure(_STITCH_MS, "ms/frame", "tracks of the whole video, one core", stitch)
    found["publish"] = Figure(0.2, "ms/frame", "joining pieces, one core", _ASSUMED)
    found["enqueued"] = Figure(10_000 / 60, "videos/s", "by one command", "measured: `make bench-bulk`")
    found["answers"] = Figure(600, "1/s", "of one core of the API, where a job stands", "measured: `make bench-api`")
    load, costs = measured_load(), calibrated(CALIBRATION, recorded()[CALIBRATION.name])
    for queue in ("plan", "infer", "stitch", "publish"):
        what = f"{queue}, beside frames: servers on the same machine"
        found[f"{queue}_fixed"] = Figure(costs.steps[queue].fixed_s * 1e3, "ms/unit", what, _RUN)
    for name in ("infer_batch", "render_batch", "job"):
        said = name.replace("_", " of ")
        found[f"redis_{name}"] = Figure(load[name]["commands"], "commands", f"of clients to Redis, {said}", _COUNTED)
        found[f"core_{name}"] = Figure(load[name]["redis_s"] * 1e3, "ms", f"of Redis's core, {said}", _COUNTED)
        found[f"s3_{name}"] = Figure(sum(load[name]["s3"].values()), "requests", f"to S3, {said}", _COUNTED)
    first = "to S3 for job, plan and headers, by whoever sees a job first: every batch of short videos in a large fleet"
    found["first"] = Figure(3, "requests", first, "workers/storage/records.py")
    idle, polls = load["idle_worker"], load["idle_polls"]
    beats, per_command_ms = idle["commands"] - polls, idle["redis_s"] * 1e3 / idle["commands"]
    found["redis_beat"] = Figure(beats, "commands/s", "of a worker to Redis, work or not", _COUNTED)
    found["core_beat"] = Figure(beats * per_command_ms, "ms/s", "of Redis's core, the same", _COUNTED)
    found["clients"] = Figure(load["connections"], "", "connections of a worker to Redis", _COUNTED)
    found["message"] = Figure(load["message_bytes"], "bytes", "of Redis's memory, a batch that waits", _COUNTED)
    found["compared"] = Figure(load["compared_s"] * 1e3, "ms", "of the sweeper, a job without news", _COUNTED)
    found["compared_s3"] = Figure(load["compared_s3"], "requests", "to S3, the same", _COUNTED)
    return found


def measured_load() -> dict[str, Any]:
    """What `tests.simulation.load` has kept."""
    found: dict[str, Any] = json.loads(RECORDED.read_text())["load"]
    return found


class Figures:
    """All of them; ``figures["gpu_fps"]`` is a number."""

    def __init__(self, given: Mapping[str, float] | None = None) -> None:
        self.given = _given()
        for name, value in (given or {}).items():
            known = self.given[name]
            if value != known.value:
                self.given[name] = Figure(value, known.unit, known.what, "given")
        self.all = {**self.given, **_fixed()}

    def __getitem__(self, name: str) -> float:
        return self.all[name].value

    @property
    def kind(self) -> int:
        """Lines of a picture, 720 or 1080."""
        return int(self["height"])

    @property
    def pixels(self) -> int:
        return self.kind * self.kind * 16 // 9

    @property
    def decode_s(self) -> float:
        """Of a frame, in the one process that reads a video."""
        return (self[f"decode_{self.kind}"] + self["jail"]) / 1e3

    def gpu_frame_s(self, threads: int = 1) -> float:
        """The model overlaps with the process that decodes in ``threads`` and scales in one: the slower one counts."""
        read_ms = self[f"decode_{self.kind}"] / threads + self[f"scale_{self.kind}"] + self["jail"]
        return max(read_ms / 1e3, 1 / self["gpu_fps"])

    @property
    def cpu_frame_s(self) -> float:
        """A core does all of it."""
        return self.decode_s + (self[f"scale_{self.kind}"] + self[f"model_{self.kind}"]) / 1e3

    def costs(self, policy: Policy) -> Costs:
        """For the model; stitch and publish read the batches one after the other."""
        batch_frames = policy.settings.batch_frames
        each_s = self["s3_s"] / batch_frames
        fixed_s = {name: self[f"{name}_fixed"] / 1e3 for name in ("plan", "infer", "stitch", "publish")}
        asked = {name: self[f"s3_{name}"] + self["first"] for name in ("infer_batch", "render_batch")}
        infer_s = fixed_s["infer"] + asked["infer_batch"] * self["s3_s"]
        render_s = fixed_s["infer"] + asked["render_batch"] * self["s3_s"]
        whole_s = self["s3_job"] / 3 * self["s3_s"]
        steps = {
            "plan": Cost(fixed_s["plan"] + whole_s),
            "infer": Cost(infer_s, self.cpu_frame_s),
            "infer@gpu": Cost(infer_s, self.gpu_frame_s(policy.decoder_threads), policy.sharing / self["gpu_fps"]),
            "stitch": Cost(fixed_s["stitch"] + whole_s, self["stitch"] / 1e3 + each_s),
            "render": Cost(render_s, self[f"render_{self.kind}"] / 1e3),
            "publish": Cost(fixed_s["publish"] + whole_s, self["publish"] / 1e3 + each_s),
        }
        start_s = {"": self["node_s"], "infer-gpu": self["node_s"] + self["load_s"]}
        batch_s = (self["core_infer_batch"] + self["core_render_batch"]) / 2e3
        speed = self["redis_speed"]
        return Costs(steps, start_s, self["spread"], batch_s / speed, self["core_beat"] / 1e3 / speed)
