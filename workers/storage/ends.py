"""Tell Redis, and through it workers and people, that a job has ended."""

from schema.catalog import ended_info
from schema.manifest import Manifest
from schema.messages import VideoJob
from schema.names import JobKeys
from workers.storage.catalog import Catalog
from workers.storage.port import ObjectStore
from workers.storage.progress import Progress


def tell_ended(store: ObjectStore, progress: Progress, catalog: Catalog, job_id: str) -> None:
    """Note what a job that has its manifest has come to, and stop what still runs for it.

    Raises:
        SourceMissing: the job has no manifest, or was deleted.
        StorageUnavailable, BrokerUnavailable
    """
    keys = JobKeys(job_id)
    written = store.head(keys.manifest)
    manifest = Manifest.from_json(store.get(keys.manifest))
    catalog.end(ended_info(VideoJob.from_json(store.get(keys.job)), manifest, written.modified_s if written else 0.0))
    progress.end(job_id)
