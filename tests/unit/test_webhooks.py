"""Where webhooks may lead, and one delivery."""

import hashlib
import hmac
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from producer.notify import sign
from producer.post import Undelivered, is_public, post
from producer.webhooks import check_webhook
from schema.errors import ConfigurationError
from schema.settings import Settings

SETTINGS = Settings(webhook_secret="0123456789abcdef", webhook_hosts="hooks.internal, 127.0.0.1")


@pytest.mark.parametrize("url", ["https://example.org/x", "https://hooks.internal:9/x?y", "http://127.0.0.1:8000"])
def test_https_anywhere_and_http_to_named_hosts(url):
    check_webhook(url, SETTINGS)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://127.0.0.1/x",
        "https://",
        "https://user:word@example.org/",
        "https://example.org:port/",
        "https://exämple.org/",
        "https://example.org/a b\n",
        "example.org",
        "https://[::1",
    ],
)
def test_other_urls_are_refused(url):
    with pytest.raises(ConfigurationError, match="webhook: "):
        check_webhook(url, SETTINGS)


def test_without_a_secret_there_are_no_webhooks():
    with pytest.raises(ConfigurationError, match="POSEFLEET_WEBHOOK_SECRET"):
        check_webhook("https://example.org", Settings(webhook_secret=None))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:1::1"),
    ],
)
def test_addresses_inside(address):
    assert not is_public(address)


def test_the_signature_is_of_time_and_body():
    said = dict(part.split("=") for part in sign("secret", b"{}", 1700000000).split(","))
    assert said["t"] == "1700000000"
    assert said["v1"] == hmac.new(b"secret", b"1700000000.{}", hashlib.sha256).hexdigest()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.status = [], 204
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}/hook?key=1"


def test_a_post_arrives_as_it_was_sent(receiver):
    assert post(address(receiver), b"{}", {"X-Y": "z"}, anywhere=True, within_s=5) == 204
    [(path, headers, body)] = receiver.got
    assert (path, headers["X-Y"], body) == ("/hook?key=1", "z", b"{}")
    assert headers["Host"] == f"127.0.0.1:{receiver.server_address[1]}"


def test_redirects_are_not_followed(receiver):
    receiver.status = 307
    assert post(address(receiver), b"{}", {}, anywhere=True, within_s=5) == 307
    assert len(receiver.got) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_a_name_that_leads_inside_is_not_called(receiver, host):
    with pytest.raises(Undelivered, match=r"no public address|has no address"):
        post(address(receiver).replace("127.0.0.1", host), b"{}", {}, anywhere=False, within_s=5)
    assert receiver.got == []


def test_who_does_not_speak_tls_is_not_told(receiver):
    with pytest.raises(Undelivered, match="did not answer"):
        post(address(receiver).replace("http", "https", 1), b"{}", {}, anywhere=True, within_s=5)
    assert receiver.got == []


def test_who_answers_byte_by_byte_is_hung_up_on():
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip():
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(Undelivered, match="did not answer"):
            post(url, b"{}", {}, anywhere=True, within_s=0.5)
        over.set()
        thread.join()


def test_the_readme_tells_how_to_check_a_signature():
    text = (Path(__file__).parents[2] / "README.md").read_text()
    block = next(part for part in text.split("```") if part.startswith("python\nimport hashlib, hmac, time"))
    found: dict = {}
    exec(block.removeprefix("python\n"), found)
    now_s = int(time.time())
    assert found["is_genuine"](sign("secret", b"{}", now_s), b"{}", "secret")
    assert not found["is_genuine"](sign("secret", b"{}", now_s), b"{ }", "secret")
    assert not found["is_genuine"](sign("other", b"{}", now_s), b"{}", "secret")
    assert not found["is_genuine"](sign("secret", b"{}", now_s - 1000), b"{}", "secret")
