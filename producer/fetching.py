"""Results of ended jobs, from storage to files."""

import zipfile
from pathlib import Path

from schema.errors import ConfigurationError
from schema.manifest import Manifest
from schema.names import JobKeys, safe_name
from workers.storage.port import ObjectStore


def fetch_result(store: ObjectStore, job_id: str, name: str, path: Path) -> Path:
    """Download one result to ``path``; raises `ConfigurationError` when there is none of this name."""
    keys = JobKeys(job_id)
    if store.head(keys.result(name)) is None:
        raise ConfigurationError(f"job {job_id} has no {name}: 'posefleet status {job_id}' says where it stands")
    store.download(keys.result(name), path)
    return path


def fetch_all(store: ObjectStore, job_id: str, folder: Path) -> list[Path]:
    """Download the manifest and every result into ``folder``; raises `ConfigurationError` when there is no manifest."""
    body = store.get_or_none(JobKeys(job_id).manifest)
    if body is None:
        raise ConfigurationError(f"job {job_id} has not ended: 'posefleet status {job_id}' says where it stands")
    folder.mkdir(parents=True, exist_ok=True)
    fetched = []
    for result in Manifest.from_json(body).results:
        path = folder / safe_name(result.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download(result.key, path)
        fetched.append(_unpacked(path) if path.suffix == ".zip" else path)
    manifest = folder / "manifest.json"
    manifest.write_bytes(body)
    return [*fetched, manifest]


def _unpacked(archive: Path) -> Path:
    """Replace an archive by the folder that it holds."""
    folder = archive.with_suffix("")
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)  # keeps to the folder, and leaves nothing out
    archive.unlink()
    return folder
