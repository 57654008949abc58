"""When Python looks for garbage, and what becomes of the memory."""

import ctypes
import gc

_YOUNG, _OLDER, _OLD = 700, 10, 1
"""Python's own thresholds, but for the last, 10: old garbage is looked for after two looks at what is older."""


def settle() -> None:
    """Take what is there now for lasting, and look through the rest often: call it once all is loaded.

    Python looks through everything once what is new is a quarter of what lasts.  Beside 200,000 objects of libraries
    that takes hours, in which circles of objects that nobody needs pile up, and then long.
    """
    gc.freeze()
    gc.collect()  # counts what lasts: nothing of what is frozen
    gc.set_threshold(_YOUNG, _OLDER, _OLD)


def give_back() -> None:
    """Find all garbage now, and give the system back what the C library keeps of it, where that can be told to."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
