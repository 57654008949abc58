"""Where the headers of a plan's windows are stored."""

from hashlib import sha256

from producer.split import _put_headers
from schema.names import HEADERS, JobKeys
from schema.plan import Plan
from tests.support.memory import Memory
from tests.unit.test_stitch import plan_of
from workers.storage import known

KEYS = JobKeys("j")


def test_the_same_cut_has_the_same_headers():
    store = Memory()
    assert [_put_headers(store, "j", bytes([1, 2])) for _ in range(2)] == [HEADERS, HEADERS]
    assert store.bodies == {KEYS.headers(HEADERS): bytes([1, 2])}


def test_headers_of_another_cut_stay_and_are_not_those_of_the_plan():
    store = Memory()
    _put_headers(store, "j", b"of who died before it wrote its plan")
    mine = _put_headers(store, "j", b"mine")
    assert mine == f"index-{sha256(b'mine').hexdigest()[:16]}.bin"
    assert known._headers_of(mine)(store, "j") == b"mine"
    assert store.get(KEYS.headers(HEADERS)) == b"of who died before it wrote its plan"


def test_a_plan_names_its_headers():
    plan = plan_of([(0, 10)]).model_copy(update={"headers": "index-0123456789abcdef.bin"})
    assert Plan.from_json(plan.to_json()).headers == "index-0123456789abcdef.bin"
    assert plan_of([(0, 10)]).headers == HEADERS


def test_no_headers_no_object():
    store = Memory()
    assert _put_headers(store, "j", b"") == HEADERS
    assert store.bodies == {}
