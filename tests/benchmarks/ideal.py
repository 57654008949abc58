"""The best that one process does in place of the fleet, from a local file: the infer step, and a whole job.

Same model file, scaler, decoder, sketches, tracking, drawing and encoder, without a queue, object storage or a process
for hostile input.  Each has two shapes, of which the faster one counts in every round:

- a thread per core does everything for its share of the video; a whole job decodes a second time to draw;
- one thread decodes ahead of a model per core; in a whole job one more draws and encodes meanwhile.  That draws poses
  as they are found, before there are tracks, which is less than the fleet does.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np

from schema.names import ANNOTATED, TRACKS
from schema.options import Options
from schema.plan import FrameRange, Plan
from workers.core.letterbox import Letterbox
from workers.core.poses import FramePoses, to_picture
from workers.core.regions import Region
from workers.engine.ahead import ahead
from workers.formats.tracks import read_range
from workers.media.frames import ShownFrame, decode_range
from workers.media.gallery import make_gallery
from workers.media.history import DrawnPerson
from workers.media.index import read_index
from workers.media.local import on_disk
from workers.media.pixels import Frames, Pixels
from workers.media.ranges import frame_ranges
from workers.media.writer import encode_piece, join
from workers.models.litert import LiteRTMultiPose
from workers.stages.products import About, make
from workers.stages.render import drawn_people
from workers.stages.tracking import Frame

CORES = os.cpu_count() or 1
OPTIONS = Options()
_LEAST_SCORE = 0.01
_AHEAD = 4
_DRAWN_AHEAD = 8

Found = tuple[ShownFrame, FramePoses]


class Video:
    """A local video, cut at key frames into equal shares."""

    def __init__(self, path: Path, shares: int) -> None:
        index = read_index(on_disk(path))
        keys = np.searchsorted(index.table.pts, index.table.key_pts).astype(np.int64)
        wanted = np.linspace(0, index.stream.frames, shares, endpoint=False)
        starts = np.unique([keys[np.argmin(np.abs(keys - each))] for each in wanted]).tolist()
        cuts = list(zip(starts, [*starts[1:], index.stream.frames], strict=True))
        ranges, self._headers = frame_ranges(index, cuts)
        self.path = path
        self.plan = Plan(job_id="", stream=index.stream, ranges=tuple(ranges))
        self.box = Letterbox.fit(index.stream.display_width, index.stream.display_height, OPTIONS.input_size)

    def frames(self, wanted: FrameRange) -> Iterator[ShownFrame]:
        """The frames of a share."""
        header = self._headers[slice(*wanted.window.header)] if wanted.window else b""
        return decode_range(on_disk(self.path), self.plan, wanted, header)

    def view(self, shown: ShownFrame, frames: Frames) -> Pixels:
        """What the model is shown of a frame."""
        stream = self.plan.stream
        region = Region(0, 0, stream.display_width, stream.display_height)
        return frames.picture(shown.picture).view(region, self.box)

    def people(self, model: LiteRTMultiPose, views: list[Pixels]) -> list[FramePoses]:
        """The people of each frame."""
        found = model.detect(np.stack(views), OPTIONS.max_people)
        return [to_picture(each[each[:, 55] >= _LEAST_SCORE], self.box) for each in found]

    def tracked(self, found: list[tuple[int, FramePoses]], sketches: Frames) -> Iterator[Frame]:
        """Frames as the tracker takes them, from their times, people and sketches."""
        time_base = Fraction(self.plan.stream.time_base)
        for index, (pts, people) in enumerate(found):
            yield Frame(float(pts * time_base), people, sketches.sketches[index])


class Ideal:
    """Models that are loaded already: one for each core, of one thread."""

    def __init__(self, trunk: Path, batch: int | None) -> None:
        self._models = [LiteRTMultiPose(trunk, batch=batch, threads=1) for _ in range(CORES)]

    def infer_threads(self, clip: Path) -> int:
        """A thread per core, each with its share; the frames."""
        return sum(len(found) for found, _ in self._shares(Video(clip, CORES)))

    def infer_ahead(self, clip: Path) -> int:
        """One thread decodes ahead of the models; the frames."""
        video = Video(clip, 1)
        return sum(1 for _ in self._found(video, Frames(video.plan.stream)))

    def job_threads(self, clip: Path, folder: Path) -> int:
        """All that a job delivers, every step on all cores where it can be cut; the frames."""
        video = Video(clip, CORES)
        shares = self._shares(video)
        frames = (frame for found, sketches in shares for frame in video.tracked(found, sketches))
        products = make(frames, _about(video), OPTIONS, folder)

        def drawn(wanted: FrameRange) -> Path:
            people = drawn_people(read_range(folder / TRACKS, wanted.start, wanted.stop))
            shown = enumerate(video.frames(wanted), start=wanted.start)
            return _encoded(((each, people.get(index, [])) for index, each in shown), video, folder / f"{wanted.start}")

        with ThreadPoolExecutor(CORES) as pool:
            _deliver(list(pool.map(drawn, video.plan.ranges)), video, folder)
        return products.frames

    def job_ahead(self, clip: Path, folder: Path) -> int:
        """One pass: decode, model, draw and encode side by side, then tracks and files; the frames."""
        video = Video(clip, 1)
        sketches, waiting = Frames(video.plan.stream), queue.Queue[Found | None](_DRAWN_AHEAD)
        piece = folder / "piece"
        drawing = threading.Thread(target=lambda: _encoded(_poses(iter(waiting.get, None)), video, piece))
        drawing.start()
        found = []
        for shown, people in self._found(video, sketches):
            waiting.put((shown, people))
            found.append((shown.pts, people))
        waiting.put(None)
        drawing.join()
        make(video.tracked(found, sketches), _about(video), OPTIONS, folder)
        _deliver([piece], video, folder)
        return len(found)

    def _shares(self, video: Video) -> list[tuple[list[tuple[int, FramePoses]], Frames]]:
        """Times and people of the frames of each share, and their sketches; a thread for each."""

        def share(model: LiteRTMultiPose, wanted: FrameRange) -> tuple[list[tuple[int, FramePoses]], Frames]:
            sketches, found = Frames(video.plan.stream), []
            frames = video.frames(wanted)
            while some := list(islice(frames, model.batch(1, 1))):
                people = video.people(model, [video.view(each, sketches) for each in some])
                found += [(shown.pts, each) for shown, each in zip(some, people, strict=True)]
            return found, sketches

        with ThreadPoolExecutor(CORES) as pool:
            return list(pool.map(share, self._models, video.plan.ranges))

    def _found(self, video: Video, sketches: Frames) -> Iterator[Found]:
        """Every frame with its people, in order; decoded in a thread ahead of the models."""
        idle = queue.SimpleQueue[LiteRTMultiPose]()
        for model in self._models:
            idle.put(model)

        def people(views: list[Pixels]) -> list[FramePoses]:
            model = idle.get()
            try:
                return video.people(model, views)
            finally:
                idle.put(model)

        waiting: deque[tuple[list[ShownFrame], Future[list[FramePoses]]]] = deque()
        with ThreadPoolExecutor(CORES) as pool, ahead(self._batches(video, sketches), _AHEAD) as batches:
            for some, views in batches:
                waiting.append((some, pool.submit(people, views)))
                if len(waiting) > 2 * CORES:
                    yield from _done(waiting)
            while waiting:
                yield from _done(waiting)

    def _batches(self, video: Video, sketches: Frames) -> Iterator[tuple[list[ShownFrame], list[Pixels]]]:
        frames = video.frames(video.plan.ranges[0])
        while some := list(islice(frames, self._models[0].batch(1, 1))):
            yield some, [video.view(each, sketches) for each in some]


def _done(waiting: deque[tuple[list[ShownFrame], Future[list[FramePoses]]]]) -> Iterator[Found]:
    some, people = waiting.popleft()
    return zip(some, people.result(), strict=True)


def _poses(found: Iterator[Found]) -> Iterator[tuple[ShownFrame, list[DrawnPerson]]]:
    """Whom to draw of people who have no track yet."""
    for shown, people in found:
        sure = people.pick(people.scores >= OPTIONS.min_score)
        pairs = enumerate(zip(sure.keypoints, sure.boxes, strict=True), start=1)
        yield shown, [DrawnPerson(number, points, box) for number, (points, box) in pairs]


def _encoded(frames: Iterator[tuple[ShownFrame, list[DrawnPerson]]], video: Video, path: Path) -> Path:
    body = BytesIO()
    encode_piece(frames, video.plan, OPTIONS, body)
    path.write_bytes(body.getvalue())
    return path


def _deliver(pieces: list[Path], video: Video, folder: Path) -> None:
    """Join the pieces, and make the pictures."""
    join([on_disk(piece) for piece in pieces], on_disk(video.path), video.plan, OPTIONS, folder / ANNOTATED)
    make_gallery(folder / ANNOTATED, folder / TRACKS, folder)


def _about(video: Video) -> About:
    stream = video.plan.stream
    name, uri = video.path.stem, str(video.path)
    return About(name, uri, stream.display_width, stream.display_height, stream.frame_rate, {})


def checked(run: Callable[[], int], frames: int) -> None:
    """Run, and make sure that no frame was left out."""
    assert (found := run()) == frames, f"{found} of {frames} frames"
