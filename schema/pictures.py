"""The list of pictures that stands in for a video: one job, its pictures are the frames."""

import re
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from schema.record import Record

SUFFIX = ".pictures.json"
"""Keys of picture lists end like this."""


class PictureEntry(BaseModel):
    """One version of one picture in object storage."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Path below the folder, with forward slashes."""
    key: str
    etag: str
    size: int
    """Bytes."""


class PictureList(Record):
    """Pictures by name; their order is their frame index."""

    bucket: str
    pictures: tuple[PictureEntry, ...]

    @property
    def coco_ids(self) -> tuple[int, ...] | None:
        """Image ids when every file is named as COCO names its pictures, with a number of 12 digits at the end."""
        found = [re.search(r"(?:^|_)(\d{12})$", PurePosixPath(entry.name).stem) for entry in self.pictures]
        ids = tuple(int(match[1]) for match in found if match)
        return ids if len(set(ids)) == len(self.pictures) else None

    @property
    def image_ids(self) -> tuple[int, ...]:
        """COCO's ids, else positions from 1."""
        return self.coco_ids or tuple(range(1, len(self.pictures) + 1))


class BrokenPicture(BaseModel):
    """A picture that could not be read, and why."""

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
