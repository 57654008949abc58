"""What ``run`` takes: videos, folders of them, pictures, and objects in S3."""

import glob
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from producer.fleet import Fleet
from producer.pictures import PICTURE_SUFFIXES, is_picture, list_pictures, upload_pictures
from producer.uris import parse_uri
from schema.errors import ConfigurationError

VIDEO_SUFFIXES = frozenset(
    ".3g2 .3gp .avi .flv .gif .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .webm .wmv".split(" ")
)


@dataclass(frozen=True)
class Input:
    """One job to be: a video or pictures that belong together, and the name of its folder of results."""

    origin: str
    """As the user named it: a path or an S3 URI."""
    folder: str
    pictures: dict[str, Path] = field(default_factory=dict, hash=False)
    """Local pictures by name; empty for a video."""


def collect(named: list[str]) -> list[Input]:
    """The jobs that ``named`` stands for, each with a folder name of its own.

    A folder is a job for each video in it and one for all its pictures; pictures named one by one are a job for each
    folder that they lie in.

    Raises:
        ConfigurationError: a path does not exist, or a folder holds neither video nor picture.
    """
    files: list[str] = []
    groups: dict[str, dict[str, Path]] = {}
    for name in dict.fromkeys(each for given in named for each in _globbed(given)):
        _sort_out(name, files, groups)
    videos = list(dict.fromkeys(files))
    stems = Counter(PurePosixPath(origin).stem for origin in videos)
    found = [Input(origin, _folder(origin, shared=stems[PurePosixPath(origin).stem] > 1)) for origin in videos]
    found += [Input(origin, _folder_of_pictures(origin, pictures), pictures) for origin, pictures in groups.items()]
    return _numbered(found)


def accept(fleet: Fleet, given: Input) -> str:
    """Put what is local into the fleet's bucket; the URI to enqueue.

    Raises:
        ConfigurationError: there is nothing below an S3 prefix.
        StorageUnavailable
    """
    if given.pictures:
        return upload_pictures(fleet.store, given.folder, given.pictures)
    if given.origin.startswith("s3://"):
        return resolve(fleet, given.origin)
    return upload(fleet, Path(given.origin))


def resolve(fleet: Fleet, uri: str) -> str:
    """The URI to enqueue for an object, a picture, or all pictures below ``s3://bucket/prefix/``."""
    bucket, key = parse_uri(uri)
    return list_pictures(fleet.store, bucket, key) if key.endswith("/") or is_picture(key) else uri


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


def _globbed(name: str) -> list[str]:
    """``name``, or what it matches when it is a pattern."""
    if name.startswith("s3://") or not glob.has_magic(name) or Path(name).exists():
        return [name]
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise ConfigurationError(f"no file matches {name}")
    return found


def _sort_out(name: str, videos: list[str], groups: dict[str, dict[str, Path]]) -> None:
    path = Path(name)
    if name.startswith("s3://"):
        videos.append(name)
    elif path.is_dir():
        _take_folder(path, videos, groups)
    elif not path.is_file():
        raise ConfigurationError(f"{name} does not exist: give a video, a picture, a folder or s3://bucket/key")
    elif is_picture(name):
        groups.setdefault(str(path.parent), {})[path.name] = path
    else:
        videos.append(name)


def _take_folder(folder: Path, videos: list[str], groups: dict[str, dict[str, Path]]) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    pictures = {path.relative_to(folder).as_posix(): path for path in files if is_picture(path.name)}
    of_video = [str(path) for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not pictures and not of_video:
        known = ", ".join(sorted(VIDEO_SUFFIXES | PICTURE_SUFFIXES))
        raise ConfigurationError(f"{folder} holds no video and no picture ({known})")
    videos.extend(of_video)
    if pictures:
        groups[f"{folder}/"] = pictures


def _folder(origin: str, *, shared: bool) -> str:
    """``<stem>`` (of an S3 prefix its last part), or ``<stem>-<ext>`` where several inputs share the stem."""
    path = PurePosixPath(origin)
    return f"{path.stem}-{path.suffix.lstrip('.').lower()}" if shared and path.suffix else path.stem


def _folder_of_pictures(origin: str, pictures: dict[str, Path]) -> str:
    """The folder's name; the stem of a picture that was named alone."""
    if len(pictures) == 1 and not origin.endswith("/"):
        return Path(next(iter(pictures))).stem
    return Path(origin).resolve().name or "pictures"


def _numbered(found: list[Input]) -> list[Input]:
    """The same inputs; where names repeat, the later ones get a number."""
    seen: Counter[str] = Counter()
    named = []
    for given in found:
        seen[given.folder] += 1
        again = seen[given.folder]
        folder = given.folder if again == 1 else f"{given.folder}-{again}"
        named.append(Input(given.origin, folder, given.pictures))
    return named
