"""The exporter of each format."""

from collections.abc import Callable
from pathlib import Path

from schema.formats import FOLDERS
from schema.names import COCO
from workers.formats.exports.json_lists import CocoExporter, MMPoseExporter, PoseTrackExporter
from workers.formats.exports.openpose import BODY_25, COCO_18, OpenPoseExporter
from workers.formats.exports.port import Exporter, Video
from workers.formats.exports.tables import CsvExporter, MotChallengeExporter, MotExporter, TrcExporter


def _deeplabcut(folder: Path, video: Video) -> Exporter:
    from workers.formats.exports.labs import DeepLabCutExporter  # h5py takes its time

    return DeepLabCutExporter(folder / f"{video.name}_deeplabcut.h5", folder / f"{video.name}_deeplabcut.csv", video)


def _sleap(folder: Path, video: Video) -> Exporter:
    from workers.formats.exports.labs import SleapExporter

    return SleapExporter(folder / f"{video.name}.analysis.h5", video)


_MAKERS: dict[str, Callable[[Path, Video], Exporter]] = {
    "coco": lambda folder, _: CocoExporter(folder / COCO),
    "csv": lambda folder, _: CsvExporter(folder / "tracks.csv"),
    "deeplabcut": _deeplabcut,
    "mmpose": lambda folder, video: MMPoseExporter(folder / f"{video.name}_mmpose.json", video),
    "mot": MotExporter,
    "motchallenge": lambda folder, video: MotChallengeExporter(folder / f"{video.name}_motchallenge.txt"),
    "openpose": lambda folder, video: OpenPoseExporter(folder, video, BODY_25),
    "openpose-coco18": lambda folder, video: OpenPoseExporter(folder, video, COCO_18),
    "posetrack": lambda folder, video: PoseTrackExporter(folder / f"{video.name}_posetrack.json", video),
    "sleap": _sleap,
    "trc": TrcExporter,
}


def exporter(name: str, folder: Path, video: Video) -> Exporter:
    """The exporter of a format of `schema.formats`; one of many files has a folder of its own in ``folder``."""
    return _MAKERS[name](folder / name if name in FOLDERS else folder, video)
