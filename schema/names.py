"""Names of queues and tasks, the object keys of a job, and the Redis keys of its progress."""

from dataclasses import dataclass

QUEUE_PLAN = "plan"
QUEUE_INFER = "infer"
QUEUE_STITCH = "stitch"
QUEUE_RENDER = "render"
QUEUE_PUBLISH = "publish"
QUEUES = (QUEUE_PLAN, QUEUE_INFER, QUEUE_STITCH, QUEUE_RENDER, QUEUE_PUBLISH)

TASK_SPLIT = "posefleet.split"
TASK_INFER = "posefleet.infer"
TASK_STITCH = "posefleet.stitch"
TASK_RENDER = "posefleet.render"
TASK_PUBLISH = "posefleet.publish"
TASK_QUEUES = {
    TASK_SPLIT: QUEUE_PLAN,
    TASK_INFER: QUEUE_INFER,
    TASK_STITCH: QUEUE_STITCH,
    TASK_RENDER: QUEUE_RENDER,
    TASK_PUBLISH: QUEUE_PUBLISH,
}

MANIFEST = "manifest.json"
TRACKS = "tracks.parquet"
ANNOTATED = "annotated.mp4"
TRACKS_RAW = "tracks_raw.parquet"
SUMMARY = "tracks_summary.csv"
ANGLES = "angles.parquet"
TIMELINE = "timeline.png"
COCO = "keypoints_coco.json"
POSTER = "poster.jpg"
CONTACT_SHEET = "contact_sheet.jpg"
PREVIEW = "preview.webp"


def range_name(start: int, stop: int) -> str:
    """The half-open frame range ``start..stop`` as it stands in keys: fixed width, so keys sort by frame."""
    return f"{start:08d}-{stop:08d}"


@dataclass(frozen=True)
class JobKeys:
    """Object keys of one job. All are pure functions of the job id and a frame range."""

    job_id: str

    @property
    def prefix(self) -> str:
        return f"jobs/{self.job_id}/"

    @property
    def job(self) -> str:
        return f"{self.prefix}job.json"

    @property
    def plan(self) -> str:
        return f"{self.prefix}plan.json"

    @property
    def manifest(self) -> str:
        return self.result(MANIFEST)

    @property
    def index(self) -> str:
        """Headers of the windows of the plan's ranges."""
        return f"{self.prefix}index.bin"

    def poses(self, start: int, stop: int) -> str:
        return f"{self.prefix}poses/{range_name(start, stop)}.npz"

    def piece(self, start: int, stop: int) -> str:
        return f"{self.prefix}render/{range_name(start, stop)}.nut"

    def drawn(self, start: int, stop: int) -> str:
        """Says which annotated pictures a range gave: the pictures themselves are results."""
        return f"{self.prefix}render/{range_name(start, stop)}.json"

    def dead(self, step: str, start: int, stop: int) -> str:
        return f"{self.prefix}dead/{step}-{range_name(start, stop)}.json"

    def stitched(self) -> str:
        """Facts of the stitch step: written after the tracks, so its presence says that they are complete."""
        return f"{self.prefix}stitched.json"

    def result(self, name: str) -> str:
        return f"{self.prefix}results/{name}"


@dataclass(frozen=True)
class ProgressKeys:
    """Redis keys of one job. All of them may vanish at any time: object storage is the truth."""

    job_id: str

    def done(self, step: str) -> str:
        """Set of the frame ranges of ``step`` that are finished (or dead)."""
        return f"posefleet:job:{self.job_id}:done:{step}"

    def claim(self, step: str) -> str:
        """Held by whoever enqueues what follows ``step``."""
        return f"posefleet:job:{self.job_id}:claim:{step}"

    def attempts(self, step: str, unit: str) -> str:
        """Counts how often a unit of work was started."""
        return f"posefleet:job:{self.job_id}:attempts:{step}:{unit}"

    @property
    def times(self) -> str:
        """Hash of first start and last end per step, seconds of the Redis server's clock."""
        return f"posefleet:job:{self.job_id}:times"
