"""One job of a fleet: where it stands, waiting for it, its results."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schema.catalog import StepProgress
from schema.errors import ConfigurationError
from schema.manifest import Failure, Manifest, State
from schema.names import ANGLES, TRACKS, TRACKS_RAW, JobKeys

if TYPE_CHECKING:
    import pyarrow as pa

    from producer.fleet import Fleet

_POLL_S = 0.3


@dataclass(frozen=True)
class Status:
    """Where a job stands."""

    job_id: str
    uri: str
    state: State
    steps: dict[str, StepProgress]
    """``infer`` and ``render``, once the plan is known."""
    manifest: Manifest | None
    """Once the job has ended."""

    @property
    def error(self) -> Failure | None:
        return self.manifest.error if self.manifest else None


@dataclass(frozen=True)
class Job:
    """One job of a fleet."""

    fleet: "Fleet"
    job_id: str

    def status(self) -> Status:
        """Where it stands."""
        return self.fleet.status(self.job_id)

    def wait(
        self,
        timeout_s: float | None = None,
        report: Callable[[Status], None] | None = None,
        progress: bool | None = None,
    ) -> Status:
        """Wait until the job has ended.

        Args:
            timeout_s: longest wait; none waits for ever.
            report: called with every status on the way.
            progress: show a progress bar; none shows one in terminals and notebooks, unless ``report`` is given.

        Raises:
            TimeoutError: the job has not ended in time.
        """
        if report is not None or progress is False:
            return self._wait(timeout_s, report)
        from producer.show import Watch, console

        shown = console()
        if not (progress or shown.is_terminal or shown.is_jupyter):
            return self._wait(timeout_s, None)
        with Watch(shown) as watch:
            return self._wait(timeout_s, lambda now: watch.show(self.job_id, now))

    def _wait(self, timeout_s: float | None, report: Callable[[Status], None] | None) -> Status:
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            status = self.status()
            if report:
                report(status)
            if status.state.final:
                return status
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"job {self.job_id} is {status.state} after {timeout_s} s")
            time.sleep(_POLL_S)

    def tracks(self, *, raw: bool = False) -> "pa.Table":
        """The track table, as Arrow: ``.to_pandas()`` makes it a data frame.

        Args:
            raw: as found, before outliers were removed and curves smoothed.

        Raises:
            ConfigurationError: the job has not ended, or has no tracks; the message says why.
        """
        return self.table(TRACKS_RAW if raw else TRACKS)

    def angles(self) -> "pa.Table":
        """The table of joint angles and speeds of a job with ``kinematics``; raises as `tracks` does."""
        return self.table(ANGLES)

    def table(self, name: str) -> "pa.Table":
        """A Parquet file of the results; raises as `tracks` does."""
        import io

        import pyarrow.parquet as pq

        body = self.fleet.store.get_or_none(JobKeys(self.job_id).result(name))
        if body is None:
            status = self.status()
            why = status.error.message if status.error else f"it is {status.state}"
            raise ConfigurationError(f"job {self.job_id} has no {name}: {why}")
        return pq.read_table(io.BytesIO(body))

    def fetch(self, folder: Path) -> list[Path]:
        """Download all results, see `Fleet.fetch`."""
        return self.fleet.fetch(self.job_id, Path(folder))
