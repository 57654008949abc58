"""Render: the frames of one range and its tracks to one piece of the annotated video."""

import io
from collections.abc import Iterator
from fractions import Fraction

from schema.errors import SourceMissing
from schema.failpoint import hit
from schema.manifest import Stitched
from schema.messages import VideoJob
from schema.names import TRACKS, JobKeys
from schema.plan import FrameRange, Plan
from workers.core.rows import TrackRows
from workers.formats.tracks import by_frame, read_range
from workers.media.frames import ShownFrame
from workers.media.history import HEAT_S, DrawnPerson
from workers.media.jail.calls import decode_range
from workers.media.painter import Painter
from workers.media.writer import encode_piece
from workers.storage import known
from workers.storage.port import ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import source_file
from workers.telemetry.measure import finished

People = list[DrawnPerson]


def render(
    *, store: ObjectStore, job: VideoJob, plan: Plan, stitched: Stitched, wanted: FrameRange, nvenc: bool = False
) -> str:
    """Draw the people of ``wanted`` on its frames and write the piece; its key. Empty when no frame decodes.

    Where nobody looked for people, nobody can be hidden: then there is no piece, and the manifest lists the range.

    Raises:
        VideoError, SourceChanged, SourceMissing, StorageUnavailable
    """
    key = JobKeys(job.job_id).piece(wanted.start, wanted.stop)
    painter = Painter(frozenset(job.options.style))
    if painter.hides and (wanted.start, wanted.stop) in stitched.dead_ranges:
        return key
    if store.head(key) is None:
        first = stitched.first_indexes[plan.index_of(wanted.start, wanted.stop)]
        begins_s = float(wanted.first_pts * Fraction(plan.stream.time_base))
        since_s = begins_s - HEAT_S if painter.remembers else float("inf")
        rows = read_range(tracks_file(store, job), first, first + wanted.stop - wanted.start, since_s)
        people = drawn_people(rows)
        header = known.header(store, job.plan_of, plan, wanted)
        shown = decode_range(source_file(store, job), plan, wanted, header)
        body = io.BytesIO()
        frames = _with_people(shown, people, first)
        drawn = encode_piece(frames, plan, job.options, body, past_of(rows, people, first), nvenc=nvenc)
        hit("render.before_put", key)
        store.put_new(key, body.getvalue(), "video/x-nut")
        finished(drawn)
    return key


def _with_people(
    shown: Iterator[ShownFrame], people: dict[int, People], first: int
) -> Iterator[tuple[ShownFrame, People]]:
    for index, frame in enumerate(shown, start=first):
        yield frame, people.get(index, [])


def tracks_file(store: ObjectStore, job: VideoJob) -> RangedFile:
    """The track file that a job draws."""
    info = store.head(JobKeys(job.plan_of).result(TRACKS))
    if info is None:
        raise SourceMissing(f"there is no {JobKeys(job.plan_of).result(TRACKS)}")
    return RangedFile(store, info)


def drawn_people(rows: TrackRows) -> dict[int, People]:
    """People to draw by frame index."""
    return {
        frame: [DrawnPerson(int(track), people.keypoints[i], people.boxes[i]) for i, track in enumerate(people.tracks)]
        for frame, people in by_frame(rows)
    }


def past_of(rows: TrackRows, people: dict[int, People], first: int) -> list[tuple[float, People]]:
    """The people of the frames before ``first``, and the frames' times."""
    times = dict(zip(rows.frames.tolist(), rows.times.tolist(), strict=True))
    return [(times[frame], people[frame]) for frame in sorted(people) if frame < first]
