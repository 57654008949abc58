"""Result files in storage: the first one written is the one that counts, and the one that is described."""

import hashlib
from pathlib import Path

from schema.failpoint import hit
from schema.manifest import ResultObject
from schema.names import JobKeys
from workers.storage.port import ObjectStore


def write_result(store: ObjectStore, keys: JobKeys, name: str, path: Path, content_type: str) -> ResultObject:
    """Store the file at ``path`` as the result ``name``, and say what is stored.

    Where another process was first, its file stays, and is what the manifest lists: ``path`` becomes that.
    """
    hit("result.before_put", keys.result(name))
    if not store.put_new_file(keys.result(name), path, content_type):
        store.download(keys.result(name), path)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ResultObject(name=name, key=keys.result(name), size=path.stat().st_size, sha256=digest)
