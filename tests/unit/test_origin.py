"""Where an error came from."""

import json
import linecache
from typing import Any

from workers.origin import origin


def fails(cause: bool) -> None:
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("no such thing") from (error if cause else None)


def caught(cause: bool) -> BaseException:
    try:
        fails(cause)
    except RuntimeError as error:
        return error
    raise AssertionError


def test_each_link_of_the_chain_is_told_the_first_cause_first():
    said = origin(caught(cause=True))
    assert said.index("JSONDecodeError: Expecting") < said.index("which led to") < said.index("RuntimeError: no such")
    places = [line for line in said.splitlines() if line.startswith("  File")]
    assert places[-1].endswith(f"line {fails.__code__.co_firstlineno + 4}, in fails")
    assert any("decoder.py" in place and place.endswith("in raw_decode") for place in places)


def test_a_cause_that_is_hidden_is_not_told():
    assert "JSONDecodeError" not in origin(caught(cause=False))


def test_causes_that_go_round_in_circles_are_told_once():
    first, second = ValueError("first"), RuntimeError("second")
    first.__cause__, second.__context__ = second, first
    assert origin(first) == "RuntimeError: second\nwhich led to\nValueError: first"


def test_no_source_is_read(monkeypatch):
    read: list[Any] = []
    monkeypatch.setattr(linecache, "getlines", lambda *asked: read.append(asked) or [])
    monkeypatch.setattr(linecache, "updatecache", lambda *asked: read.append(asked) or [])
    origin(caught(cause=True))
    assert read == []
