"""What ``run`` takes: video files, folders of them, and objects in S3."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from producer.fleet import Fleet
from schema.errors import ConfigurationError

VIDEO_SUFFIXES = frozenset(
    ".3g2 .3gp .avi .flv .gif .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .webm .wmv".split(" ")
)


@dataclass(frozen=True)
class Input:
    """One video to process, and the name of its folder of results."""

    origin: str
    """As the user named it: a path or an S3 URI."""
    folder: str


def collect(named: list[str]) -> list[Input]:
    """The videos that ``named`` stands for, each with a folder name of its own.

    Raises:
        ConfigurationError: a path does not exist, or a folder holds no video.
    """
    origins = list(dict.fromkeys(origin for name in named for origin in _expand(name)))
    stems = Counter(PurePosixPath(origin).stem for origin in origins)
    folders: Counter[str] = Counter()
    found = []
    for origin in origins:
        folder = _folder(origin, shared=stems[PurePosixPath(origin).stem] > 1)
        folders[folder] += 1
        again = folders[folder]
        found.append(Input(origin, folder if again == 1 else f"{folder}-{again}"))
    return found


def upload(fleet: Fleet, path: Path) -> str:
    """Put a local file into the fleet's bucket, under a key that its content determines; the URI.

    Raises:
        StorageUnavailable
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    key = f"uploads/{digest[:20]}/{path.name}"
    fleet.store.put_new_file(key, path, "application/octet-stream")
    return f"s3://{fleet.store.bucket}/{key}"


def _expand(name: str) -> list[str]:
    if name.startswith("s3://"):
        return [name]
    path = Path(name)
    if path.is_dir():
        videos = [str(p) for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in VIDEO_SUFFIXES]
        if not videos:
            raise ConfigurationError(f"{name} holds no video file ({', '.join(sorted(VIDEO_SUFFIXES))})")
        return videos
    if not path.is_file():
        raise ConfigurationError(f"{name} does not exist: give a video file, a folder or s3://bucket/key")
    return [name]


def _folder(origin: str, *, shared: bool) -> str:
    """``<stem>``, or ``<stem>-<ext>`` where several inputs share the stem."""
    path = PurePosixPath(origin)
    return f"{path.stem}-{path.suffix.lstrip('.').lower()}" if shared and path.suffix else path.stem
