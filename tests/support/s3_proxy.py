"""An HTTP proxy before an S3 server: errors, silence, lost replies, cut bodies, whole bodies for ranges, counts.

Signatures cover the Host header: clients address the proxy, and it sends their headers on as they are.
"""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass

from tests.support.proxy import Link, Proxy

SILENCE = "silence"
_CODES = {500: ("Internal Server Error", "InternalError"), 503: ("Service Unavailable", "SlowDown")}
_END = b"\r\n"


@dataclass(frozen=True)
class S3Faults:
    """Shares of requests that go wrong; those whose target has ``only`` in it, and not more than ``most`` in all."""

    error_share: float = 0.0
    """Requests that never reach the server."""
    errors: tuple[int | str, ...] = (503, 500, SILENCE)
    lost_reply_share: float = 0.0
    """Of writes: the server has done it, the connection ends without a reply."""
    cut_share: float = 0.0
    """Of GETs: half of the body, then the end of the connection."""
    hidden_cut_share: float = 0.0
    """Of GETs: half of the body, and its length is given as that."""
    whole_share: float = 0.0
    """Of GETs of a range: 200 and as many bytes as the object has."""
    only: str = ""
    most: int | None = None


@dataclass(frozen=True)
class Exchange:
    """One request and what became of it."""

    method: str
    target: str
    status: int
    """0 when there was no reply."""
    fault: str = ""


@dataclass(frozen=True)
class Head:
    """First line and headers of a request or a reply."""

    first: str
    lines: tuple[str, ...]

    @classmethod
    def parse(cls, raw: bytes) -> "Head":
        """Read it."""
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        return cls(first, tuple(lines))

    def get(self, name: str) -> str:
        """A header's value; empty when there is none."""
        found = (line.partition(":")[2].strip() for line in self.lines if line.lower().startswith(f"{name}:"))
        return next(found, "")

    def without(self, *names: str) -> "Head":
        """The same without some headers."""
        kept = [line for line in self.lines if line.partition(":")[0].lower() not in names]
        return Head(self.first, tuple(kept))

    def plus(self, *lines: str) -> "Head":
        """The same with more headers."""
        return Head(self.first, (*self.lines, *lines))

    def raw(self) -> bytes:
        """As it goes over the wire."""
        return "\r\n".join((self.first, *self.lines, "", "")).encode("latin-1")


class S3Proxy(Proxy):
    """A proxy that understands requests."""

    def __init__(self, upstream: int, seed: int = 0) -> None:
        super().__init__(upstream, seed)
        self.s3_faults = S3Faults()
        self._log: list[Exchange] = []
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def exchanges(self) -> list[Exchange]:
        """All requests so far."""
        with self._lock:
            return list(self._log)

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._log.clear()

    def methods(self) -> Counter[str]:
        """How many requests there were of each method."""
        return Counter(each.method for each in self.exchanges())

    def faulty(self) -> int:
        """How many requests went wrong."""
        return sum(bool(each.fault) for each in self.exchanges())

    async def serve(self, link: Link) -> None:
        """One request after the other, until the client has no more."""
        while raw := await _head(link.reader):
            head = Head.parse(raw)
            if head.get("expect").lower() == "100-continue":
                await self.pass_on(link, b"HTTP/1.1 100 Continue\r\n\r\n", link.client)
            body = await _body(head, link.reader)
            if not await self._answer(link, head.without("expect"), body):
                return

    async def _answer(self, link: Link, head: Head, body: bytes) -> bool:
        """Answer one request; whether the connection goes on."""
        method, target = head.first.split()[:2]
        fault = self._fault(method, target, head)
        if isinstance(fault, int):
            self._note(method, target, fault, str(fault))
            await self.pass_on(link, _failure(fault, method), link.client)
            return True
        if fault == SILENCE:
            self._note(method, target, 0, fault)
            await link.reader.read(1)
            return False
        reply, content = await self._ask(link, head, body)
        status = int(reply.first.split()[1])
        if fault == "lost reply":
            self._note(method, target, status, fault)
            link.reset()
            return False
        self._note(method, target, status, fault)
        return await self._reply(link, reply, content, fault)

    async def _ask(self, link: Link, head: Head, body: bytes) -> tuple[Head, bytes]:
        """The server's reply, from a connection of its own."""
        reader, writer = await self.dial(link)
        try:
            await self.pass_on(link, head.raw() + body, writer)
            while (reply := await _reply_head(reader)).first.split()[1] == "100":
                pass
            bare = head.first.startswith("HEAD ") or reply.first.split()[1] in ("204", "304")
            return reply, b"" if bare else await _body(reply, reader, to_the_end=True)
        finally:
            link.writers.remove(writer)
            writer.close()

    async def _reply(self, link: Link, reply: Head, content: bytes, fault: str) -> bool:
        if fault == "whole":
            reply, content = _whole(reply, content)
        if fault == "hidden cut":
            content = content[: len(content) // 2]
            reply = reply.without("content-length", "etag").plus(f"Content-Length: {len(content)}")
        if fault == "cut":
            await self.pass_on(link, reply.raw() + content[: len(content) // 2], link.client)
            return False
        await self.pass_on(link, reply.raw() + content, link.client)
        return bool(reply.get("content-length") or reply.get("transfer-encoding") or not content)

    def _fault(self, method: str, target: str, head: Head) -> int | str:
        """What is to go wrong with a request; empty for nothing."""
        faults = self.s3_faults
        if faults.only not in target or (faults.most is not None and self.faulty() >= faults.most):
            return ""
        if self._drawn(faults.error_share):
            return self.random.choice(faults.errors)
        if method in ("PUT", "POST") and self._drawn(faults.lost_reply_share):
            return "lost reply"
        if method == "GET":
            shares = {"cut": faults.cut_share, "hidden cut": faults.hidden_cut_share}
            if head.get("range"):
                shares["whole"] = faults.whole_share
            return next((name for name, share in shares.items() if self._drawn(share)), "")
        return ""

    def _drawn(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def _note(self, method: str, target: str, status: int, fault: str) -> None:
        with self._lock:
            self._log.append(Exchange(method, target, status, fault))


def _whole(reply: Head, content: bytes) -> tuple[Head, bytes]:
    """A 206 as a server gives it that does not know ranges: the rest of the object is zeros here."""
    if " 206 " not in f"{reply.first} ":
        return reply, content
    span, _, total = reply.get("content-range").removeprefix("bytes ").partition("/")
    start = int(span.partition("-")[0])
    body = bytes(start) + content + bytes(int(total) - start - len(content))
    kept = reply.without("content-length", "content-range", "transfer-encoding")
    return Head("HTTP/1.1 200 OK", (*kept.lines, f"Content-Length: {len(body)}")), body


def _failure(status: int, method: str) -> bytes:
    words, code = _CODES[status]
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>".encode()
    head = Head(f"HTTP/1.1 {status} {words}", ("Content-Type: application/xml", f"Content-Length: {len(body)}"))
    return head.raw() + (b"" if method == "HEAD" else body)


async def _reply_head(reader: asyncio.StreamReader) -> Head:
    if not (raw := await _head(reader)):
        raise ConnectionResetError("the server has closed the connection")
    return Head.parse(raw)


async def _head(reader: asyncio.StreamReader) -> bytes:
    """First line and headers; empty at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""


async def _body(head: Head, reader: asyncio.StreamReader, *, to_the_end: bool = False) -> bytes:
    """The body that follows a head, as it goes over the wire."""
    if head.get("transfer-encoding").lower() == "chunked":
        return await _pieces(reader)
    if length := head.get("content-length"):
        return await reader.readexactly(int(length))
    return await reader.read() if to_the_end else b""


async def _pieces(reader: asyncio.StreamReader) -> bytes:
    """A body in chunked coding, with the coding."""
    raw = b""
    while True:
        line = await reader.readuntil(_END)
        size = int(line.partition(b";")[0], 16)
        raw += line
        if size == 0:
            return raw + await reader.readuntil(_END)
        raw += await reader.readexactly(size + 2)
