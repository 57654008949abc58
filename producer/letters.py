"""Dead letters: list the batches that were given up, do them again, or drop their records."""

from collections.abc import Iterator

from producer.fleet import Fleet
from producer.job import Job
from schema.dead import DeadRecord
from schema.errors import ConfigurationError
from schema.messages import VideoJob
from schema.names import LETTERS, TASK_OF, JobKeys
from workers.storage.records import accept, read_plan


def letters(fleet: Fleet, job_id: str | None = None) -> Iterator[DeadRecord]:
    """Dead letters of a job, or of all jobs, by job and range."""
    jobs = [job_id] if job_id else [found.key.removeprefix(LETTERS) for found in fleet.store.objects(LETTERS)]
    for each in jobs:
        for found in fleet.store.objects(JobKeys(each).dead_prefix):
            yield DeadRecord.from_json(fleet.store.get(found.key))


def retry(fleet: Fleet, job_id: str) -> tuple[Job, int]:
    """Do the dead batches of a job again; the job that does, and how many batches.

    While the step of a batch goes on, it is done again in the same job.  A manifest is never written twice, so an
    ended job is gone on with by a new one, which takes over the poses of all other batches.

    Raises:
        ConfigurationError: the job has no dead letters.
        SourceMissing: there is no such job.
        StorageUnavailable, BrokerUnavailable
    """
    job = fleet.job(job_id)
    found = list(letters(fleet, job_id))
    if not found:
        raise ConfigurationError(f"job {job_id} has no dead letters")
    if not job.status().state.final:
        return job, sum(_reopen(fleet, letter) for letter in found)
    old = VideoJob.from_json(fleet.store.get(JobKeys(job_id).job))
    new = VideoJob.accept(
        old.source,
        old.options,
        old.model,
        refiner=old.refiner,
        pictures=old.pictures,
        tracks_of=old.tracks_of,
        again_of=job_id,
        submitter=old.submitter,
        priority=old.priority,
        webhook=old.webhook,
    )
    if accept(fleet.store, new):
        fleet.dispatch.send(new.job_id, TASK_OF["split"], ["all"])
    return Job(fleet, new.job_id), len(found)


def _reopen(fleet: Fleet, letter: DeadRecord) -> int:
    """Do one batch of a running job again; 0 when its step is complete without it."""
    units = len(read_plan(fleet.store, letter.job_id).ranges)
    if not fleet.progress.reopen(letter.job_id, letter.step, letter.unit, units):
        return 0
    fleet.store.delete([JobKeys(letter.job_id).dead(letter.step, letter.start, letter.stop)])
    fleet.dispatch.send(letter.job_id, TASK_OF[letter.step], [letter.unit], again=True)
    return 1


def drop(fleet: Fleet, job_id: str) -> int:
    """Delete the dead letters of an ended job, whose manifest keeps listing the ranges; how many.

    Raises:
        ConfigurationError: the job has not ended: its dead letters say that their ranges are done with.
        SourceMissing: there is no such job.
    """
    keys = JobKeys(fleet.job(job_id).job_id)
    if fleet.store.head(keys.manifest) is None:
        raise ConfigurationError(f"job {job_id} has not ended: cancel it, or wait")
    found = [each.key for each in fleet.store.objects(keys.dead_prefix)]
    fleet.store.delete([*found, keys.letters])
    return len(found)
