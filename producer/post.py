"""One POST to an address that was looked up and checked, within a time; redirects are not followed."""

import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_NAT64 = ipaddress.IPv6Network("64:ff9b::/32")


class Undelivered(Exception):
    """Nobody took it; the message says why, without what may be secret in a URL."""


def post(url: str, body: bytes, headers: dict[str, str], *, anywhere: bool, within_s: float) -> int:
    """POST ``body``; the status of the answer, whose body is not read.

    Args:
        url: where to.
        body: what.
        headers: beside those of HTTP itself.
        anywhere: also to addresses that are not public.
        within_s: all of it, but for looking the name up.

    Raises:
        Undelivered: nobody answered in time, or the name leads to an address that is not public.
    """
    parts = urlsplit(url)
    tls, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if tls else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    end, why = time.monotonic() + within_s, "no address"
    for address in _addresses(host, port, anywhere=anywhere):
        connection = _Connection(host, port, address, tls=tls, timeout=max(0.1, end - time.monotonic()))
        try:
            return connection.told(target, body, headers, end)
        except (OSError, HTTPException, ValueError) as error:
            why = type(error).__name__
        finally:
            connection.close()
        if time.monotonic() > end:
            break
    raise Undelivered(f"{host} did not answer ({why})")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet, and leads to no other one inside it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in _NAT64:
            return False
    return ip.is_global and not ip.is_multicast


def _addresses(host: str, port: int, *, anywhere: bool) -> list[Any]:
    """Socket addresses of a host.

    Raises:
        Undelivered: it has none, or one that is not public.
    """
    try:
        found = [entry[4] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise Undelivered(f"{host} has no address") from error
    if not anywhere and not all(is_public(str(address[0])) for address in found):
        raise Undelivered(f"{host} is no public address: POSEFLEET_WEBHOOK_HOSTS names those that may be private")
    return found


class _Connection(HTTPConnection):
    """A connection to an address that is given, not looked up again."""

    def __init__(self, host: str, port: int, address: Any, *, tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.default_port = 443 if tls else 80
        self._address, self._tls = address, tls

    def connect(self) -> None:
        """Connect to the address; the certificate is that of the host."""
        plain = socket.create_connection(self._address[:2], self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self._tls else plain

    def told(self, target: str, body: bytes, headers: dict[str, str], end: float) -> int:
        """Send and wait for the status until ``end``, also for a server that answers byte by byte."""
        self.connect()
        over = threading.Timer(max(0.0, end - time.monotonic()), self._hang_up)
        over.start()
        try:
            self.request("POST", target, body, headers)
            return self.getresponse().status
        finally:
            over.cancel()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
