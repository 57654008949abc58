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
