"""Which tests run in the same process when there are several: those that share a fleet."""

from functools import cache
from pathlib import Path

from xdist.scheduler.loadscope import LoadScopeScheduling

_ROOT = Path(__file__).parents[2]


class ByFleet(LoadScopeScheduling):  # type: ignore[misc]
    """One process has the fleet that is mistreated, one the fleet of all other tests; the rest goes file by file."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path.startswith("tests/faults/"):
            return "the fleet that is mistreated"
        return "the fleet" if _needs_a_fleet(path) else path


@cache
def _needs_a_fleet(path: str) -> bool:
    return "pytest.mark.stack" in (_ROOT / path).read_text()
