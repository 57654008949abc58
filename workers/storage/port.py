"""The port that stages see. Every write is one conditional PUT: the first writer wins."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ObjectInfo:
    """What a HEAD request tells."""

    bucket: str
    key: str
    etag: str
    size: int
    """Bytes."""
    modified_s: float = 0.0
    """Seconds since 1970."""


class RangeReader(Protocol):
    """What reading an object piece by piece needs."""

    def get_range(self, source: ObjectInfo, start: int, stop: int) -> bytes:
        """Bytes ``start..stop`` of exactly this version; raises `SourceChanged` when it was overwritten."""
        ...


class ObjectStore(RangeReader, Protocol):
    """One bucket of jobs and results, and read access to the buckets of sources.

    Every method raises `StorageUnavailable` when the store does not answer, `SourceMissing` when an object is
    not there and none was promised.
    """

    def __hash__(self) -> int: ...

    @property
    def bucket(self) -> str: ...

    def head(self, key: str, bucket: str | None = None) -> ObjectInfo | None:
        """Facts of an object, or none when there is none."""
        ...

    def get(self, key: str) -> bytes:
        """The whole of an object."""
        ...

    def get_or_none(self, key: str) -> bytes | None:
        """The whole of an object, or none when there is none."""
        ...

    def put_new(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> bool:
        """Write an object unless there is one; whether this call wrote it."""
        ...

    def put_new_file(self, key: str, path: Path, content_type: str, bucket: str | None = None) -> bool:
        """Like `put_new` for a file of any size."""
        ...

    def download(self, key: str, path: Path) -> None:
        """Write an object to a file."""
        ...

    def objects(self, prefix: str, bucket: str | None = None) -> Iterator[ObjectInfo]:
        """All objects below a prefix, by key."""
        ...

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those not there are no error."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Names that stand between ``prefix`` and the next slash."""
        ...

    def abort_uploads(self, prefix: str, before_s: float) -> int:
        """Give up uploads in parts below ``prefix`` that began before ``before_s`` (seconds since 1970); how many."""
        ...
