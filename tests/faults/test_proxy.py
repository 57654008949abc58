"""The proxies themselves, before an echo server and a little HTTP server."""

import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.support.proxy import Faults, Proxy
from tests.support.s3_proxy import SILENCE, S3Faults, S3Proxy

BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0))

    def answer(taken: socket.socket) -> None:
        with taken:
            try:
                while data := taken.recv(1 << 16):
                    taken.sendall(data)
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                taken, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(taken,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo, seed=1) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        yield connection


def say(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = client.recv(1 << 16)
        if not piece:
            break
        got += piece
    return got


def test_bytes_go_through(client):
    assert say(client, BODY) == BODY


def test_latency_and_slices_change_no_byte(client, proxy):
    proxy.faults = Faults(latency_s=0.1, jitter_s=0.05, slice_bytes=7)
    began = time.monotonic()
    assert say(client, BODY) == BODY
    assert time.monotonic() - began >= 0.2


def test_bandwidth_is_cut(client, proxy):
    proxy.faults = Faults(bytes_per_s=50_000, slice_bytes=1000)
    began = time.monotonic()
    assert say(client, BODY) == BODY
    assert time.monotonic() - began >= 0.2


def test_a_half_open_connection_says_nothing_while_new_ones_work(client, proxy):
    assert say(client, b"hello") == b"hello"
    proxy.half_open_all()
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        say(client, b"anybody?")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as other:
        assert say(other, b"hello") == b"hello"


def test_silence_ends(proxy):
    proxy.faults = Faults(silent=True)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3) as client:
        with pytest.raises(TimeoutError):
            say(client, b"hello")
        proxy.faults = Faults()
        client.settimeout(5)
        assert client.recv(5) == b"hello"


def test_connections_are_reset(client, proxy):
    assert say(client, b"hello") == b"hello"
    proxy.reset_all()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_share_of_pieces_resets_the_connection(client, proxy):
    proxy.faults = Faults(reset_share=1.0)
    with pytest.raises(ConnectionResetError):
        say(client, b"hello")


class Objects(BaseHTTPRequestHandler):
    """PUT and GET of bodies in memory, with ranges."""

    protocol_version = "HTTP/1.1"
    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, b"")

    def do_GET(self) -> None:
        body = self.kept[self.path]
        if self.headers["Range"]:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            self._send(206, body[first : last + 1], f"bytes {first}-{last}/{len(body)}")
            return
        self._send(200, self.headers["Host"].encode() if self.path == "/host" else body)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.kept[self.path])))
        self.end_headers()

    def _send(self, status: int, body: bytes, span: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def objects() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Objects)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def s3(objects: int) -> Iterator[S3Proxy]:
    Objects.kept.update({"/o": BODY, "/host": b""})
    with S3Proxy(objects, seed=1) as running:
        yield running


@pytest.fixture
def http(s3: S3Proxy) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", s3.port, timeout=3)
    yield connection
    connection.close()


def fetch(http: HTTPConnection, method: str, target: str, body=None, headers=None) -> tuple[int, bytes]:
    http.request(method, target, body, headers or {})
    with http.getresponse() as reply:
        return reply.status, reply.read()


def test_requests_go_through_one_connection_and_are_counted(s3, http):
    assert fetch(http, "PUT", "/new", b"x" * 70_000)[0] == 200
    assert fetch(http, "GET", "/new") == (200, b"x" * 70_000)
    assert fetch(http, "HEAD", "/new") == (200, b"")
    assert s3.methods() == {"PUT": 1, "GET": 1, "HEAD": 1}
    assert s3.accepted == 1


def test_the_host_header_is_sent_on_unchanged(s3, http):
    assert fetch(http, "GET", "/host") == (200, f"127.0.0.1:{s3.port}".encode())


def test_bodies_in_chunked_coding_go_through(http):
    http.request("GET", "/o", iter([b"a", b"b"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    with http.getresponse() as reply:
        assert reply.read() == BODY


def test_errors_come_at_their_share_and_do_not_reach_the_server(s3, http):
    s3.s3_faults = S3Faults(error_share=0.3, errors=(503, 500))
    statuses = [fetch(http, "GET", "/o")[0] for _ in range(200)]
    assert 30 < statuses.count(503) + statuses.count(500) < 90
    assert s3.faulty() == 200 - statuses.count(200)


def test_errors_narrowed_to_a_key_and_a_number(s3, http):
    s3.s3_faults = S3Faults(error_share=1.0, errors=(500,), only="/o", most=2)
    assert [fetch(http, "GET", target)[0] for target in ("/host", "/o", "/o", "/o")] == [200, 500, 500, 200]


def test_silence_is_a_timeout(s3, http):
    s3.s3_faults = S3Faults(error_share=1.0, errors=(SILENCE,))
    http.timeout = 0.3
    with pytest.raises(TimeoutError):
        fetch(http, "GET", "/o")


def test_a_reply_is_lost_after_the_write(s3, http):
    s3.s3_faults = S3Faults(lost_reply_share=1.0)
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        fetch(http, "PUT", "/lost", b"written")
    assert Objects.kept["/lost"] == b"written"


def test_a_body_is_cut(s3, http):
    s3.s3_faults = S3Faults(cut_share=1.0)
    with pytest.raises(IncompleteRead):
        fetch(http, "GET", "/o")


def test_a_body_is_cut_and_nothing_says_so(s3, http):
    s3.s3_faults = S3Faults(hidden_cut_share=1.0)
    assert fetch(http, "GET", "/o") == (200, BODY[: len(BODY) // 2])


def test_a_range_is_answered_with_the_whole(s3, http):
    assert fetch(http, "GET", "/o", headers={"Range": "bytes=10-19"}) == (206, BODY[10:20])
    s3.s3_faults = S3Faults(whole_share=1.0)
    status, body = fetch(http, "GET", "/o", headers={"Range": "bytes=10-19"})
    assert (status, len(body), body[10:20]) == (200, len(BODY), BODY[10:20])
