"""Names of queues and tasks, the object keys of a job, and the Redis keys of its progress."""

from dataclasses import dataclass

QUEUE_PLAN = "plan"
QUEUE_INFER = "infer"
QUEUE_STITCH = "stitch"
QUEUE_RENDER = "render"
QUEUE_PUBLISH = "publish"
STEP_QUEUES = (QUEUE_PLAN, QUEUE_INFER, QUEUE_STITCH, QUEUE_RENDER, QUEUE_PUBLISH)

HIGH = "high"
LANES = (HIGH, "", "1", "2", "3")
"""Every queue has these: the first is served first, the others in turn, so that submitters share the fleet."""


def queue_name(queue: str, lane: str) -> str:
    """One lane of a queue: ``infer.high``, ``infer``, ``infer.1`` …"""
    return f"{queue}.{lane}" if lane else queue


def lanes_of(queue: str) -> tuple[str, ...]:
    """All lanes of a queue, by name."""
    return tuple(queue_name(queue, lane) for lane in LANES)


QUEUES = tuple(name for queue in STEP_QUEUES for name in lanes_of(queue))

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

STEPS = {task.rpartition(".")[2]: queue for task, queue in TASK_QUEUES.items()}
"""Queue of each step."""
TASK_OF = {task.rpartition(".")[2]: task for task in TASK_QUEUES}
"""Task of each step."""

MANIFEST = "manifest.json"
HEADERS = "index.bin"
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


def safe_name(name: str) -> str:
    """``name`` as a path that stays below the folder it is put into: for names that come from outside."""
    parts = ["".join(c if c.isprintable() and c != "\\" else "_" for c in part) for part in name.split("/")]
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def range_name(start: int, stop: int) -> str:
    """The half-open frame range ``start..stop`` as it stands in keys: fixed width, so keys sort by frame."""
    return f"{start:08d}-{stop:08d}"


OPEN = "open/"
"""Below it an empty object stands for every job that has not ended, so that finding them costs nothing."""
LETTERS = "dead/"
"""Below it an empty object stands for every job with dead letters."""
JOBS = "jobs/"
TAKEN = "taken/"
"""Below it a folder stands for every version of a video that enqueued itself; it outlives the job."""
UPLOADS = "uploads/"
"""Below it lie local files that were uploaded, those of the API's clients below their submitter."""
NOTICES = "notify/"
"""Below it an empty object stands for every job whose end somebody is still to be told."""
OWN = (JOBS, OPEN, LETTERS, TAKEN, UPLOADS, NOTICES)
"""What the fleet keeps in its bucket for itself."""
WHOLE = "all"
"""The one unit of a step of the whole job."""


def taken_key(version: str) -> str:
    """Says which job a version of a video became by itself."""
    return f"{TAKEN}{version}/job"


@dataclass(frozen=True)
class JobKeys:
    """Object keys of one job. All are pure functions of the job id and a frame range."""

    job_id: str

    @property
    def prefix(self) -> str:
        return f"{JOBS}{self.job_id}/"

    @property
    def job(self) -> str:
        return f"{self.prefix}job.json"

    @property
    def plan(self) -> str:
        return f"{self.prefix}plan.json"

    @property
    def manifest(self) -> str:
        return self.result(MANIFEST)

    def headers(self, name: str) -> str:
        """Headers of the windows of the ranges of the plan that names them."""
        return f"{self.prefix}{name}"

    def poses(self, start: int, stop: int) -> str:
        return f"{self.poses_prefix}{range_name(start, stop)}.npz"

    @property
    def poses_prefix(self) -> str:
        return f"{self.prefix}poses/"

    def piece(self, start: int, stop: int) -> str:
        return f"{self.render_prefix}{range_name(start, stop)}.nut"

    def drawn(self, start: int, stop: int) -> str:
        """Says which annotated pictures a range gave: the pictures themselves are results."""
        return f"{self.render_prefix}{range_name(start, stop)}.json"

    def dead(self, step: str, start: int, stop: int) -> str:
        return f"{self.dead_prefix}{step}-{range_name(start, stop)}.json"

    @property
    def dead_prefix(self) -> str:
        return f"{self.prefix}dead/"

    @property
    def render_prefix(self) -> str:
        return f"{self.prefix}render/"

    @property
    def results_prefix(self) -> str:
        return f"{self.prefix}results/"

    @property
    def open(self) -> str:
        """Stands until the job has ended and nothing is left to tidy up."""
        return f"{OPEN}{self.job_id}"

    @property
    def letters(self) -> str:
        """Stands while the job has dead letters."""
        return f"{LETTERS}{self.job_id}"

    @property
    def notice(self) -> str:
        """Stands from just before the job ends until its webhook has been told."""
        return f"{NOTICES}{self.job_id}"

    def stitched(self) -> str:
        """Facts of the stitch step: written after the tracks, so its presence says that they are complete."""
        return f"{self.prefix}stitched.json"

    def result(self, name: str) -> str:
        return f"{self.results_prefix}{name}"


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

    @property
    def attempts(self) -> str:
        """Hash of how often each unit of work was started, and how often it stumbled over servers."""
        return f"posefleet:job:{self.job_id}:attempts"

    @property
    def notes(self) -> str:
        """Hash of what the last attempt of a unit ended with."""
        return f"posefleet:job:{self.job_id}:notes"

    @property
    def ended(self) -> str:
        """Set once the job has ended, so that what still runs for it stops."""
        return f"posefleet:job:{self.job_id}:ended"

    @property
    def working(self) -> list[str]:
        """All that is of no use once the job has ended."""
        by_step = [key(step) for step in STEPS for key in (self.done, self.claim)]
        return [*by_step, self.attempts, self.notes, self.times]

    @property
    def times(self) -> str:
        """Hash of first start, last end (seconds of the Redis server's clock) and frames done per step, and of all
        frames there are."""
        return f"posefleet:job:{self.job_id}:times"


@dataclass(frozen=True)
class NoticeKeys:
    """Redis keys of telling a webhook that a job has ended."""

    job_id: str

    @property
    def held(self) -> str:
        """Set while somebody tries, and until the next try."""
        return f"posefleet:notice:{self.job_id}:held"

    @property
    def tries(self) -> str:
        """How often nobody took it."""
        return f"posefleet:notice:{self.job_id}:tries"


class LedgerKeys:
    """Redis keys of what the whole fleet has to do: which messages there are, and which of them are worked on."""

    open = "posefleet:open"
    """Sorted set of the jobs that have not ended, by the time something last happened."""
    lock = "posefleet:sweeper"
    """Held by the one sweeper that is active."""
    server = "posefleet:server"
    """Run id of the Redis server that the last sweep saw."""
    probe = "posefleet:probe"
    """Written to see whether there is room."""
    channel = "posefleet:ended"
    """Tells workers the ids of jobs that have ended."""

    workers = "posefleet:workers"
    """Sorted set of workers (name, queues, processes), by the time they last showed up."""
    swept = "posefleet:swept"
    """When a sweep last ended."""

    @staticmethod
    def waiting(step: str, lane: str = "") -> str:
        """Sorted set of units whose message was sent, by the time from which it should be on that lane."""
        return queue_name(f"posefleet:waiting:{step}", lane)

    @staticmethod
    def all_waiting(step: str) -> list[str]:
        """Those of all lanes."""
        return [LedgerKeys.waiting(step, lane) for lane in LANES]

    @staticmethod
    def running(step: str) -> str:
        """Sorted set of units that are worked on, by the time of their start."""
        return f"posefleet:running:{step}"


class CatalogKeys:
    """Redis keys of what people ask about jobs; made anew from storage when they are gone."""

    jobs = "posefleet:jobs"
    """Hash of a `JobInfo` in JSON by job id: as accepted, then as ended."""
    by_time = "posefleet:jobs:by_time"
    """Sorted set of job ids by when they were accepted."""
    whole = "posefleet:jobs:whole"
    """Set when every job of storage is in the catalog."""
    lanes = "posefleet:lanes"
    """Hash of ``lane|submitter`` by the id of jobs that have not ended."""
    submitters = "posefleet:submitters"
    """Hash of the shared lane of each submitter that has one."""

    @staticmethod
    def of(submitter: str) -> str:
        """Set of the jobs of a submitter that have not ended."""
        return f"posefleet:submitter:{submitter}"
