"""Puts every message that a fleet sends on its queue once more."""

import codecs
import json
import re
import socket
import threading
import uuid
from contextlib import suppress
from typing import Self

import redis

_PUSH = re.compile(rb'"LPUSH" "posefleet:([\w.]+)" "(.*)"\s*$')


class Doubling:
    """Watches a Redis server while it is open, and repeats each message under a delivery tag of its own."""

    def __init__(self, port: int, queues: tuple[str, ...]) -> None:
        self.doubled = 0
        self._queues, self._known = queues, set[str]()
        self._redis = redis.Redis(port=port)
        self._seen = socket.create_connection(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._seen.sendall(b"MONITOR\r\n")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._seen.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._seen.close()
        self._redis.close()

    def _watch(self) -> None:
        with suppress(ConnectionError), self._seen.makefile("rb") as lines:
            for line in lines:
                if found := _PUSH.search(line):
                    self._repeat(found[1].decode(), codecs.escape_decode(found[2])[0])

    def _repeat(self, queue: str, raw: bytes) -> None:
        message = json.loads(raw)
        tag = message["properties"]["delivery_tag"]
        if queue not in self._queues or tag in self._known:
            return
        message["properties"]["delivery_tag"] = str(uuid.uuid4())
        self._known |= {tag, message["properties"]["delivery_tag"]}
        self._redis.lpush(f"posefleet:{queue}", json.dumps(message))
        self.doubled += 1
