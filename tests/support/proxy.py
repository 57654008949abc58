"""A TCP proxy that misbehaves as told: silence, resets, latency, sliced packets, little bandwidth."""

import asyncio
import random
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

_MOST = 64 << 10
_LOOK_S = 0.02


@dataclass(frozen=True)
class Faults:
    """What a proxy does to every connection; nothing by default."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    """Up to this much more latency, drawn anew for each piece."""
    slice_bytes: int | None = None
    """Pieces of at most this size are sent on, one packet each."""
    bytes_per_s: float | None = None
    """Bandwidth of each direction of a connection."""
    reset_share: float = 0.0
    """Share of pieces at which the connection is reset instead."""
    silent: bool = False
    """Connections are taken, and nothing goes through until this ends."""


class Link:
    """A connection of a client, and the one to the server behind the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writers = [writer]
        self.half_open = False
        _no_delay(writer)

    @property
    def client(self) -> asyncio.StreamWriter:
        return self.writers[0]

    def reset(self) -> None:
        """End both connections by RST."""
        for writer in self.writers:
            self.drop(writer)

    @staticmethod
    def drop(writer: asyncio.StreamWriter) -> None:
        """End one connection by RST."""
        with suppress(OSError):
            taken: socket.socket = writer.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


class Proxy:
    """A proxy on a free port of this machine, in a thread of its own, before ``127.0.0.1:upstream``."""

    def __init__(self, upstream: int, seed: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """``tls`` is what clients are answered by, none in the clear."""
        self._tls = tls
        self.faults = Faults()
        self.port = 0
        self.accepted = 0
        """Connections so far."""
        self.random = random.Random(seed)
        self._upstream = upstream
        self._links: set[Link] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def reset_all(self) -> None:
        """End the connections that there are by RST."""
        self._for_links(Link.reset)

    def half_open_all(self) -> None:
        """Nothing goes through the connections that there are, ever again; nobody is told. New ones work."""
        self._for_links(lambda link: setattr(link, "half_open", True))

    def _for_links(self, action: object) -> None:
        done = threading.Event()

        def run() -> None:
            for link in list(self._links):
                action(link)  # type: ignore[operator]
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(5)

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in list(self._links):
            link.reset()
        await asyncio.sleep(_LOOK_S)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        self._links.add(link)
        self.accepted += 1
        try:
            await self.serve(link)
        except (OSError, asyncio.IncompleteReadError):
            link.reset()
        except asyncio.CancelledError:
            link.reset()
        finally:
            self._links.discard(link)
            for each in link.writers:
                each.close()

    async def serve(self, link: Link) -> None:
        """Carry bytes both ways until one side has no more."""
        await self.pass_on(link, b"")
        reader, writer = await self.dial(link)
        ways = [
            asyncio.create_task(self._carry(link, link.reader, writer)),
            asyncio.create_task(self._carry(link, reader, link.client)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def dial(self, link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the server behind."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        _no_delay(writer)
        link.writers.append(writer)
        return reader, writer

    async def _carry(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_MOST):
            await self.pass_on(link, data, writer)

    async def pass_on(self, link: Link, data: bytes, writer: asyncio.StreamWriter | None = None) -> None:
        """Send ``data`` on with the faults of the moment; waits while there is silence."""
        while link.half_open or self.faults.silent:
            await asyncio.sleep(_LOOK_S)
        if not data or writer is None:
            return
        faults = self.faults
        if faults.latency_s or faults.jitter_s:
            await asyncio.sleep(faults.latency_s + self.random.uniform(0, faults.jitter_s))
        step = faults.slice_bytes or len(data)
        for first in range(0, len(data), step):
            await self._send(data[first : first + step], writer, faults)

    async def _send(self, piece: bytes, writer: asyncio.StreamWriter, faults: Faults) -> None:
        if faults.reset_share and self.random.random() < faults.reset_share:
            raise ConnectionResetError
        writer.write(piece)
        await writer.drain()
        if faults.bytes_per_s:
            await asyncio.sleep(len(piece) / faults.bytes_per_s)
        elif faults.slice_bytes:
            await asyncio.sleep(0)


def _no_delay(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
