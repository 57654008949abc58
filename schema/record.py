"""The base of all messages and records.

Readers ignore fields they do not know, so a worker understands a newer producer of the same version; another version
is refused.
"""

import json
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from schema.errors import MessageError

VERSION: Literal[1] = 1


class Record(BaseModel):
    """A frozen value with a version, read from and written to JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    schema_version: Literal[1] = VERSION

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Read ``body``.

        Raises:
            MessageError: another version, or fields missing or of the wrong type.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise MessageError(f"not a {cls.__name__} of version {VERSION}: {_first(error)}") from error

    @classmethod
    def from_message(cls, message: dict[str, object]) -> Self:
        """Read a task's argument; raises like `from_json`."""
        return cls.from_json(json.dumps(message))

    def to_json(self) -> bytes:
        """One JSON object in UTF-8, the same bytes for the same value."""
        return self.model_dump_json(indent=1).encode()

    def to_message(self) -> dict[str, object]:
        """The value as a task's argument."""
        return self.model_dump(mode="json")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
