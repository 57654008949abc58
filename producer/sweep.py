"""The sweeper: what Redis has lost is made anew from storage, and what nobody needs any more is cleared away.

One sweep is cheap: it looks at the ledger in Redis, and at the objects of those jobs only that Redis does not know
(it was wiped, or another server has taken its place) or of which there has been no news for long.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from producer import notify
from producer.events.listing import Listing
from producer.fleet import Fleet
from producer.missing import Missing, missing
from producer.standing import complete
from schema.errors import MessageError, PermanentError, SourceMissing, TransientError
from schema.names import JOBS, OPEN, TASK_OF, UPLOADS, JobKeys
from workers.garbage import settle
from workers.ready import BEAT_S, beat
from workers.storage.ends import tell_ended
from workers.storage.records import close, purge
from workers.storage.several import answers
from workers.work import clear_work

log = logging.getLogger("posefleet")

_STALE_S = 6 * 3600
"""After this an upload in parts, or a job that was begun to be accepted, is given up."""
_STALE_UPLOAD_S = 7 * 86_400
"""The same for uploads in parts by people, whose line may be slow."""
_DAILY_S = 86_400
AT_ONCE = 16
"""Jobs that are compared with storage side by side."""
_LISTING_S = 60.0
"""Taking uploads that no event told of may take so long before sweeping goes on."""


@dataclass
class Findings:
    """What one sweep found and did."""

    active: bool = True
    """False when another sweeper was at work."""
    open_jobs: int = 0
    compared: int = 0
    """Jobs whose objects were looked at."""
    sent: Counter[str] = field(default_factory=Counter)
    """Messages that were sent again, by step."""
    closed: list[str] = field(default_factory=list)
    """Jobs that had ended and were tidied up."""
    deleted: list[str] = field(default_factory=list)
    """Jobs deleted for their age."""
    watched: list[str] = field(default_factory=list)
    """What listing the watched prefixes found."""
    uploads: int = 0
    """Uploads in parts that were given up."""
    folders: int = 0
    """Temporary folders that were removed."""
    errors: dict[str, str] = field(default_factory=dict)
    """Jobs that could not be looked after, and why."""

    @property
    def nothing(self) -> bool:
        """Whether everything was as it should be."""
        found = (self.sent, self.closed, self.deleted, self.watched, self.uploads, self.folders, self.errors)
        return self.active and not any(found)

    def lines(self) -> list[str]:
        """What to tell people."""
        if not self.active:
            return ["another sweeper is at work: nothing done"]
        said = [f"{self.open_jobs} jobs under way, {self.compared} compared with storage"]
        said += [f"sent again: {count} of {step}" for step, count in sorted(self.sent.items())]
        said += [f"closed: job {job_id} had ended" for job_id in self.closed]
        said += [f"deleted for its age: job {job_id}" for job_id in self.deleted]
        said += self.watched
        said += [f"given up: {self.uploads} uploads in parts"] if self.uploads else []
        said += [f"removed: {self.folders} temporary folders"] if self.folders else []
        said += [f"not looked after: job {job_id}: {why}" for job_id, why in self.errors.items()]
        return said


class Sweeper:
    """Looks after one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._settings = fleet.settings
        self._cleaned_s = self._listed_s = 0.0

    def sweep(self, *, every: bool = False) -> Findings:
        """Look once.

        Args:
            every: compare all jobs that have not ended with storage, whether Redis knows them or not, also those
                that have lost their entry below ``open/``.

        Raises:
            StorageUnavailable, BrokerUnavailable
        """
        with self._fleet.ledger.alone() as active:
            if not active:
                return Findings(active=False)
            findings = Findings()
            every = self._fleet.ledger.restarted() or every
            self._send_lost(findings)
            self._compare(findings, every=every)
            if self._settings.watch and (every or time.time() - self._listed_s > self._settings.watch_interval_s):
                self._list(findings)
            if every or not self._fleet.catalog.is_whole():
                complete(self._fleet.store, self._fleet.catalog)
            findings.folders = clear_work()
            if every or time.time() - self._cleaned_s > _DAILY_S:
                self._clean(findings)
            self._fleet.ledger.note_sweep()
            return findings

    def _send_lost(self, findings: Findings) -> None:
        """Send what neither a queue nor a worker has."""
        for step in TASK_OF:
            by_job: dict[str, list[str]] = {}
            for job_id, unit in self._fleet.ledger.lost(
                step, self._settings.lost_after_s, self._settings.visibility_timeout_s
            ):
                by_job.setdefault(job_id, []).append(unit)
            for job_id, units in by_job.items():
                with _noted(findings, job_id):
                    if self._has_ended(job_id) or self._fleet.store.head(JobKeys(job_id).job) is None:
                        self._fleet.ledger.drop(step, [(job_id, unit) for unit in units])
                    else:
                        self._send(findings, step, job_id, units)

    def _compare(self, findings: Findings, *, every: bool) -> None:
        """Bring Redis up to what storage says of the jobs that it does not know well."""
        opened = {found.key.removeprefix(OPEN): found.modified_s for found in self._fleet.store.objects(OPEN)}
        if every:
            opened |= dict.fromkeys(self._unmarked(opened), 0.0)
        known, running = self._fleet.ledger.open_jobs(), self._fleet.ledger.running_jobs()
        findings.open_jobs = len(opened)
        quiet = self._fleet.ledger.now() - self._settings.quiet_s
        silent = [job_id for job_id in opened if every or known.get(job_id, -1.0) < quiet]
        for job_id, left in zip(silent, answers(self._missing, silent, AT_ONCE), strict=True):
            self._look_after(findings, job_id, left, opened[job_id], busy=job_id in running)
        for job_id in known.keys() - opened.keys():
            with _noted(findings, job_id):
                if self._has_ended(job_id):
                    self._tell_ended(job_id)
                    self._fleet.ledger.close(job_id)
                elif known[job_id] < quiet and self._fleet.store.head(JobKeys(job_id).job) is None:
                    self._fleet.ledger.close(job_id)  # deleted while something still ran for it

    def _unmarked(self, opened: dict[str, float]) -> list[str]:
        """Jobs without manifest that are not among the open ones."""
        jobs = [job_id for job_id in self._fleet.store.folders(JOBS) if job_id not in opened]
        return [job_id for job_id in jobs if not self._has_ended(job_id)]

    def _missing(self, job_id: str) -> Missing | PermanentError | None:
        try:
            return missing(self._fleet.store, job_id)
        except (MessageError, SourceMissing) as error:
            return error

    def _look_after(
        self, findings: Findings, job_id: str, left: Missing | PermanentError | None, modified_s: float, *, busy: bool
    ) -> None:
        findings.compared += 1
        beat()
        if isinstance(left, PermanentError):
            findings.errors[job_id] = str(left)
            return
        with _noted(findings, job_id):
            if left is None:
                self._close(findings, job_id, modified_s, busy=busy)
            else:
                self._go_on(findings, job_id, left)

    def _go_on(self, findings: Findings, job_id: str, left: Missing) -> None:
        """Note what a job has, and send what takes it on."""
        self._fleet.progress.begin_anew(job_id)
        for step, done in left.done.items():
            self._fleet.ledger.mark_done(job_id, step, done)
        if left.frames:
            self._fleet.progress.planned(job_id, left.frames)
        alive = self._fleet.ledger.alive(job_id, left.step, left.units)
        self._send(findings, left.step, job_id, [unit for unit in left.units if unit not in alive])
        self._fleet.ledger.touch(job_id)

    def _close(self, findings: Findings, job_id: str, modified_s: float, *, busy: bool) -> None:
        """Tidy up after a job that has ended, once nothing works on it."""
        if self._has_ended(job_id):
            self._tell_ended(job_id)
            if not busy:
                close(self._fleet.store, job_id)
                self._fleet.ledger.close(job_id)
                findings.closed.append(job_id)
        elif time.time() - modified_s > _STALE_S:
            purge(self._fleet.store, job_id)

    def _send(self, findings: Findings, step: str, job_id: str, units: list[str]) -> None:
        if units:
            self._fleet.dispatch.send(job_id, TASK_OF[step], units, again=True)
            findings.sent[step] += len(units)

    def _tell_ended(self, job_id: str) -> None:
        tell_ended(self._fleet.store, self._fleet.progress, self._fleet.catalog, job_id)

    def _has_ended(self, job_id: str) -> bool:
        beat()
        return self._fleet.store.head(JobKeys(job_id).manifest) is not None

    def _list(self, findings: Findings) -> None:
        """Take uploads of which no event has told; what does not fit into one sweep is for the next."""
        began_s = time.time()
        try:
            listed = Listing(self._fleet).look(_LISTING_S)
            findings.watched, complete = listed.lines(), listed.complete
        except PermanentError as error:
            findings.watched, complete = [f"the watched prefixes are not listed: {error}"], True
        self._listed_s = began_s if complete else 0.0

    def _clean(self, findings: Findings) -> None:
        """What needs looking at all there is: stale uploads, jobs past their time."""
        abort, now = self._fleet.store.abort_uploads, time.time()
        findings.uploads = abort(JOBS, now - _STALE_S) + abort(UPLOADS, now - _STALE_UPLOAD_S)
        if self._settings.retention_days is not None:
            before = time.time() - self._settings.retention_days * _DAILY_S
            findings.deleted = delete_older(self._fleet, before)
        self._cleaned_s = time.time()


@contextmanager
def _noted(findings: Findings, job_id: str) -> Iterator[None]:
    """A job whose records make no sense, or that is deleted meanwhile, is no other job's fault."""
    try:
        yield
    except (MessageError, SourceMissing) as error:
        findings.errors[job_id] = str(error)


def delete_older(fleet: Fleet, before_s: float) -> list[str]:
    """Delete the jobs that ended before ``before_s``, seconds since 1970; their ids."""
    deleted = []
    for job_id in list(fleet.store.folders(JOBS)):
        beat()
        manifest = fleet.store.head(JobKeys(job_id).manifest)
        if manifest is not None and manifest.modified_s < before_s:
            with suppress(SourceMissing):  # somebody else deletes it
                fleet.delete(job_id)
                deleted.append(job_id)
    return deleted


def run(fleet: Fleet) -> None:
    """Sweep for ever, once in `sweep_interval_s`, and tell webhooks; servers that are away are waited for."""
    notify.start(fleet)
    sweeper, away = Sweeper(fleet), False
    settle()
    while True:
        try:
            findings = sweeper.sweep()
        except TransientError as error:
            if not away:
                log.warning("cannot sweep, waiting: %s", error)
            away = True
        else:
            away = False
            if findings.active and not findings.nothing:
                log.warning("%s", "; ".join(findings.lines()))
        _rest(fleet.settings.sweep_interval_s)


def _rest(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        beat()
        time.sleep(min(left, BEAT_S))
