"""Render: the frames of one range and its tracks to one piece of the annotated video."""

import io
from collections.abc import Iterator

from schema.errors import SourceMissing
from schema.manifest import Stitched
from schema.messages import VideoJob
from schema.names import TRACKS, JobKeys
from schema.plan import FrameRange, Plan
from workers.core.rows import TrackRows
from workers.formats.tracks import by_frame, read_range
from workers.media.drawing import DrawnPerson
from workers.media.frames import ShownFrame, decode_range
from workers.media.writer import encode_piece
from workers.storage.port import ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import read_header, source_file


def render(*, store: ObjectStore, job: VideoJob, plan: Plan, stitched: Stitched, wanted: FrameRange) -> str:
    """Draw the people of ``wanted`` on its frames and write the piece; its key. Empty when no frame decodes.

    Raises:
        VideoError, SourceChanged, SourceMissing, StorageUnavailable
    """
    keys = JobKeys(job.job_id)
    key = keys.piece(wanted.start, wanted.stop)
    if store.head(key) is None:
        first = stitched.first_indexes[plan.ranges.index(wanted)]
        people = _people(store, keys, first, first + wanted.stop - wanted.start)
        header = read_header(store, job.job_id, wanted)
        shown = decode_range(source_file(store, job), plan, wanted, header)
        body = io.BytesIO()
        encode_piece(_with_people(shown, people, first), plan, body)
        store.put_new(key, body.getvalue(), "video/x-nut")
    return key


def _with_people(
    shown: Iterator[ShownFrame], people: dict[int, list[DrawnPerson]], first: int
) -> Iterator[tuple[ShownFrame, list[DrawnPerson]]]:
    for index, frame in enumerate(shown, start=first):
        yield frame, people.get(index, [])


def _people(store: ObjectStore, keys: JobKeys, start: int, stop: int) -> dict[int, list[DrawnPerson]]:
    """People to draw by frame index, read from the row groups of the track file that hold ``start..stop``."""
    info = store.head(keys.result(TRACKS))
    if info is None:
        raise SourceMissing(f"there is no {keys.result(TRACKS)}")
    return drawn_people(read_range(RangedFile(store, info), start, stop))


def drawn_people(rows: TrackRows) -> dict[int, list[DrawnPerson]]:
    """People to draw by frame index."""
    return {
        frame: [DrawnPerson(int(track), people.keypoints[i], people.boxes[i]) for i, track in enumerate(people.tracks)]
        for frame, people in by_frame(rows)
    }
