"""Render beside the loop that everybody writes: ``make bench-render``.

The loop decodes, converts to RGB, draws with OpenCV, converts back and encodes with libx264.  Both decode the same
file, draw the same people, use the same preset and CRF, one thread and one core; they take turns in every round.
SSIM is that of the luma where nothing is drawn, against the source.  ``--presets`` compares presets of libx264.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from schema.options import Options
from schema.skeleton import LIMBS, side_of
from tests.support.media import CLIP
from tests.support.scenes import crossings
from workers.media import encoders
from workers.media.history import DrawnPerson
from workers.media.local import LocalVideo, on_disk
from workers.media.painter import SIDE_RGB, person_rgb
from workers.media.writer import encode_piece, join

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
BARS = {"720p": 1.15, "1080p": 1.25}
SCENE_WIDTH = 1280

People = list[DrawnPerson]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--presets", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            source = Path(folder) / f"{name}.mp4"
            make_source(source, size, arguments.frames)
            people = people_of(size[0] / SCENE_WIDTH, arguments.frames)
            if arguments.presets:
                presets(name, source, people)
            else:
                compare(name, source, people, arguments.rounds)


def make_source(path: Path, size: tuple[int, int], frames: int) -> None:
    """The clip at another size, as a phone would have it: H.264 of good quality, a key frame every second."""
    with av.open(str(CLIP)) as clip, av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=30, options={"crf": "18", "preset": "veryfast", "g": "30"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        scaler = VideoReformatter()
        for number, frame in enumerate(clip.decode(video=0)):
            if number >= frames:
                break
            output.mux(video.encode(scaler.reformat(frame, *size, "yuv420p")))
        output.mux(video.encode(None))


def people_of(scale: float, frames: int) -> list[People]:
    """Two people who cross, in every frame."""
    scene = crossings()[0]
    box = np.array([scale] * 4, np.float32)
    point = np.array([scale, scale, 1], np.float32)
    found = []
    for number in range(frames):
        at = number % len(scene.truth)
        pairs = zip(scene.truth[at].keypoints, scene.truth[at].boxes, strict=True)
        found.append([DrawnPerson(i + 1, points * point, edges * box) for i, (points, edges) in enumerate(pairs)])
    return found


def compare(name: str, source: Path, people: list[People], rounds: int) -> None:
    ours, theirs = source.with_suffix(".ours.mp4"), source.with_suffix(".loop.mp4")
    video = LocalVideo.read(source)
    contenders: dict[str, Callable[[], None]] = {
        "render": lambda: render(video, people, ours),
        "loop": lambda: loop(source, people, theirs),
    }
    taken: dict[str, list[float]] = {each: [] for each in contenders}
    for _ in range(rounds):
        for each, run in contenders.items():
            began = time.process_time()
            run()
            taken[each].append((time.process_time() - began) / len(people))
    ratios = [b / a for a, b in zip(taken["render"], taken["loop"], strict=True)]
    quality = [ssim(source, each, people) for each in (ours, theirs)]
    print(
        f"{name}: render {1000 * statistics.median(taken['render']):.1f} ms, loop "
        f"{1000 * statistics.median(taken['loop']):.1f} ms a frame and core; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}; bar {BARS[name]}); SSIM where nothing is drawn {quality[0]:.4f} and "
        f"{quality[1]:.4f}; {ours.stat().st_size / 1e6:.1f} and {theirs.stat().st_size / 1e6:.1f} MB",
        flush=True,
    )


def render(video: LocalVideo, people: list[People], target: Path) -> None:
    """What the render and publish steps do, from disk to disk."""
    piece = target.with_suffix(".nut")
    with piece.open("wb") as stream:
        encode_piece(zip(video.frames(), people, strict=True), video.plan, Options(), stream)
    join([on_disk(piece)], on_disk(video.path), video.plan, Options(), target)


def loop(source: Path, people: list[People], target: Path) -> None:
    """Decode, to RGB, draw with OpenCV, back, encode."""
    encoder = encoders.SOFTWARE["h264"]
    settings = {**encoder.options, "crf": str(encoder.crf)}
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        container.streams.video[0].thread_type = "NONE"
        video: Any = output.add_stream(encoder.name, rate=30, options=settings)
        video.width, video.height = container.streams.video[0].width, container.streams.video[0].height
        video.pix_fmt = "yuv420p"
        for frame, persons in zip(container.decode(video=0), people, strict=True):
            picture = frame.to_ndarray(format="rgb24")
            for person in persons:
                draw(picture, person)
            made = av.VideoFrame.from_ndarray(picture, format="rgb24")
            made.pts, made.time_base = frame.pts, frame.time_base
            output.mux(video.encode(made))
        output.mux(video.encode(None))


def draw(picture: NDArray[np.uint8], person: DrawnPerson) -> None:
    """Limbs, keypoints and the id, like `Painter` with the style ``overlay``."""
    pen = max(2, round(max(picture.shape[:2]) / 320))
    points = person.keypoints[:, :2].round().astype(int)
    for a, b in LIMBS:
        cv2.line(picture, points[a].tolist(), points[b].tolist(), SIDE_RGB[side_of((a, b))], pen, cv2.LINE_AA)
    for point in points:
        cv2.circle(picture, point.tolist(), round(1.3 * pen), person_rgb(person.track_id), -1, cv2.LINE_AA)
    text, scale = str(person.track_id), 0.35 * pen
    (across, up), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, pen)
    x, y = int(person.box[0] + person.box[2] / 2 - across / 2), int(person.box[1] - 2 * pen)
    paper = person_rgb(person.track_id)
    cv2.rectangle(picture, (x - 2 * pen, y - up - 2 * pen), (x + across + 2 * pen, y + 2 * pen), paper, -1)
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), pen, cv2.LINE_AA)


def ssim(source: Path, made: Path, people: list[People]) -> float:
    """Mean structural similarity of the luma, away from people."""
    values = []
    for number, (a, b) in enumerate(zip(lumas(source), lumas(made), strict=True)):
        if number % 10 == 0:
            values.append(_ssim_map(a, b)[_untouched(a.shape, people[number])].mean())
    return float(np.mean(values))


def lumas(path: Path) -> Iterator[NDArray[np.float32]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            stored = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
            yield stored[:, : plane.width].astype(np.float32)


def _untouched(shape: tuple[int, ...], people: People) -> NDArray[np.bool_]:
    mask = np.ones(shape, np.bool_)
    margin = shape[0] // 10
    for person in people:
        x, y, across, down = person.box.astype(int)
        mask[max(0, y - margin) : y + down + margin, max(0, x - margin) : x + across + margin] = False
    return mask


def _ssim_map(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    def blurred(picture: NDArray[np.float32]) -> Any:
        return cv2.GaussianBlur(picture, (11, 11), 1.5)

    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    both = blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return np.asarray(found, np.float32)


def presets(name: str, source: Path, people: list[People]) -> None:
    """Time, size and quality of libx264's faster presets at the default CRF."""
    video, usual = LocalVideo.read(source), encoders.SOFTWARE["h264"]
    for preset in ("ultrafast", "superfast", "veryfast", "faster"):
        encoders.SOFTWARE["h264"] = usual._replace(options={**usual.options, "preset": preset})
        target, began = source.with_suffix(f".{preset}.mp4"), time.process_time()
        render(video, people, target)
        each = 1000 * (time.process_time() - began) / len(people)
        size = target.stat().st_size / 1e6
        print(f"{name} {preset:10} {each:6.1f} ms a frame {size:6.2f} MB  SSIM {ssim(source, target, people):.4f}")
    encoders.SOFTWARE["h264"] = usual


if __name__ == "__main__":
    main()
