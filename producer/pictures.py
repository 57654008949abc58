"""Pictures as one job: put local ones into the bucket, list those in S3, plan their ranges."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from schema.errors import ConfigurationError, SourceMissing
from schema.messages import VideoJob
from schema.pictures import SUFFIX, PictureEntry, PictureList
from schema.plan import FrameRange, Plan, Stream
from workers.storage.records import read_pictures
from workers.storage.s3 import S3Store

if TYPE_CHECKING:
    from workers.storage.port import ObjectStore

PICTURE_SUFFIXES = frozenset([".avif", ".bmp", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])
_UPLOADS = 8
_MOST = 150_000
"""Pictures of one job, which is more than COCO's largest folder has."""
_PICTURES_PER_RANGE = 64
_PARALLEL = 4


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture."""
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def upload_pictures(store: S3Store, folder: str, files: dict[str, Path]) -> str:
    """Put local pictures and their list into the bucket; the list's URI.

    Args:
        store: the fleet's.
        folder: name of the list.
        files: path by name; the order of the names is that of the pictures.

    Raises:
        StorageUnavailable
    """
    with ThreadPoolExecutor(_UPLOADS) as pool:
        entries = pool.map(lambda name: _upload(store, name, files[name]), sorted(files))
        return _write_list(store, folder, PictureList(bucket=store.bucket, pictures=tuple(entries)))


def list_pictures(store: S3Store, bucket: str, prefix: str) -> str:
    """Write the list of all pictures below ``s3://bucket/prefix``; its URI.

    Raises:
        ConfigurationError: there are none, or too many.
        StorageUnavailable
    """
    found = list(islice((info for info in store.objects(prefix, bucket) if is_picture(info.key)), _MOST + 1))
    if len(found) > _MOST:
        raise ConfigurationError(
            f"s3://{bucket}/{prefix} holds more than {_MOST:,} pictures: enqueue its folders one by one"
        )
    if not found:
        raise ConfigurationError(f"s3://{bucket}/{prefix} holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))})")
    start = len(prefix) if prefix.endswith("/") else prefix.rfind("/") + 1
    entries = [
        PictureEntry(name=_safe(info.key[start:]), key=info.key, etag=info.etag, size=info.size) for info in found
    ]
    name = PurePosixPath(prefix).name or bucket
    return _write_list(store, name, PictureList(bucket=bucket, pictures=tuple(entries)))


def plan_pictures(store: "ObjectStore", job: VideoJob) -> Plan:
    """Cut a list of pictures into ranges of about equal work.

    Raises:
        SourceMissing, SourceChanged, StorageUnavailable
    """
    count = len(read_pictures(store, job).pictures)
    share = max(1, min(round(_PICTURES_PER_RANGE / job.options.work), -(-count // _PARALLEL)))
    size = job.batch_frames or share
    cuts = [(start, min(start + size, count)) for start in range(0, count, size)]
    ranges = [FrameRange(start=a, stop=b, first_pts=a, end_pts=b, seek_dts=None) for a, b in cuts]
    return Plan(job_id=job.job_id, stream=Stream.of_pictures(count), ranges=tuple(ranges))


def _upload(store: S3Store, name: str, path: Path) -> PictureEntry:
    body = path.read_bytes()
    key = f"uploads/{hashlib.sha256(body).hexdigest()[:20]}/{path.name}"
    store.put_new(key, body)
    info = store.head(key)
    if info is None:
        raise SourceMissing(f"{path} was uploaded as {key} and is not there")
    return PictureEntry(name=name, key=key, etag=info.etag, size=info.size)


def _write_list(store: S3Store, folder: str, pictures: PictureList) -> str:
    body = pictures.to_json()
    key = f"uploads/{hashlib.sha256(body).hexdigest()[:20]}/{folder}{SUFFIX}"
    store.put_new(key, body, "application/json")
    return f"s3://{store.bucket}/{key}"


def _safe(name: str) -> str:
    """A key as a path that stays inside the results' folder."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
