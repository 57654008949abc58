"""Messages between a worker and the process that reads sources: a JSON object and raw bytes, never pickles."""

import json
import select
import socket
import struct
from typing import Any

_HEAD = struct.Struct(">II")
_MOST_WORDS = 256 << 20
_MOST_BYTES = 512 << 20

Words = dict[str, Any]


class BrokenWire(Exception):
    """The other side is gone, or does not keep to the protocol."""


class Wire:
    """One end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def has_something(self, wait_s: float = 0.0) -> bool:
        """Whether the other side says something, or hangs up, within ``wait_s``."""
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        return bool(waiting.poll(1000 * wait_s))

    def close(self) -> None:
        """Hang up."""
        self._end.close()

    def send(self, words: Words, body: bytes | memoryview = b"") -> None:
        """Raises `BrokenWire`."""
        head = json.dumps(words).encode()
        try:
            self._end.sendall(_HEAD.pack(len(head), len(body)) + head)
            if len(body):
                self._end.sendall(body)
        except (OSError, ValueError) as error:
            raise BrokenWire(f"sending failed: {type(error).__name__}") from error

    def receive(self) -> tuple[Words, bytes]:
        """The next message; raises `BrokenWire`."""
        size, body_size = _HEAD.unpack(self._exactly(_HEAD.size))
        if size > _MOST_WORDS or body_size > _MOST_BYTES:
            raise BrokenWire("a message is too long")
        head, body = self._exactly(size), self._exactly(body_size)
        try:
            words = json.loads(head)
        except (ValueError, RecursionError) as error:
            raise BrokenWire("a message is no JSON") from error
        if not isinstance(words, dict):
            raise BrokenWire("a message is no object")
        return words, bytes(body)

    def _exactly(self, size: int) -> bytearray:
        body = bytearray(size)
        view, at = memoryview(body), 0
        while at < size:
            try:
                got = self._end.recv_into(view[at:])
            except OSError as error:
                raise BrokenWire(f"receiving failed: {type(error).__name__}") from error
            if not got:
                raise BrokenWire("the other side has closed")
            at += got
        return body
