"""numba's compiler, without the linear algebra that nothing here compiles.

When numba comes to its array functions it loads SciPy's linear algebra, only to see whether there is any, which takes
a third of the time in which a process reads compiled functions.
"""

from numba import njit
from numba.np import linalg


def _none() -> None:
    raise ImportError("not looked for")


_look, linalg.ensure_blas = linalg.ensure_blas, _none
try:
    import numba.np.arraymath  # noqa: F401
finally:
    linalg.ensure_blas = _look

__all__ = ["njit"]
