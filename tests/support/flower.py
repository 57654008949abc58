"""Ask the Flower of a stack."""

import urllib.request
from base64 import b64encode

from producer.stack.addresses import Addresses


def flower(addresses: Addresses, path: str) -> bytes:
    """One of its pages; raises `urllib.error.HTTPError`."""
    word = b64encode(addresses.flower_auth.encode()).decode()
    request = urllib.request.Request(addresses.flower_url + path, headers={"Authorization": f"Basic {word}"})
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())
