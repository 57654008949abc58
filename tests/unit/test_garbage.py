"""When Python looks for garbage, seen in a process of its own."""

import subprocess
import sys

import pytest

#: A circle that has grown old is given up, and many small objects follow, far fewer than last.
_WORK = """
import gc, weakref
from workers.garbage import settle
class Node: pass
lasting = [[] for _ in range(300_000)]
gc.collect()
{settled}
one = Node()
one.itself, seen = one, weakref.ref(one)
gc.collect(1)
del one
more = [[] for _ in range(40_000)]
print(seen() is None)
"""


@pytest.mark.parametrize(("settled", "found"), [("settle()", "True"), ("", "False")])
def test_old_garbage_is_found_soon_beside_much_that_lasts(settled, found):
    code = _WORK.format(settled=settled)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found


#: Memory below a small piece that stays: the C library keeps it until it is told.
_HELD = """
import ctypes, psutil
from workers.garbage import give_back
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
pieces = [libc.malloc(60_000) for _ in range(1_000)]
for piece in pieces: ctypes.memset(piece, 1, 60_000)
def held(): return psutil.Process().memory_info().rss
before = held()
for piece in pieces[:-1]: libc.free(piece)
freed = held()
give_back()
print(before - freed < 20e6, before - held() > 40e6)
"""


def test_what_is_free_goes_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", _HELD], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
