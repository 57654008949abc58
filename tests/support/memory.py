"""An object store in memory."""

from schema.errors import SourceMissing
from workers.storage.port import ObjectInfo


class Memory:
    """The first writer of an object wins, as in the real one."""

    bucket = "b"

    def __init__(self):
        self.bodies = {}

    def head(self, key, bucket=None):
        body = self.bodies.get(key)
        return None if body is None else ObjectInfo(self.bucket, key, f'"{hash(body)}"', len(body))

    def get(self, key):
        if key not in self.bodies:
            raise SourceMissing(f"there is no {key}")
        return self.bodies[key]

    def get_or_none(self, key):
        return self.bodies.get(key)

    def put_new(self, key, body, content_type=""):
        return self.bodies.setdefault(key, body) is body

    def put_new_file(self, key, path, content_type, bucket=None):
        return self.put_new(key, path.read_bytes())

    def download(self, key, path):
        path.write_bytes(self.get(key))

    def objects(self, prefix, bucket=None):
        return [self.head(key) for key in sorted(self.bodies) if key.startswith(prefix)]

    def folders(self, prefix):
        return sorted({key.removeprefix(prefix).partition("/")[0] for key in self.bodies if key.startswith(prefix)})

    def delete(self, keys):
        for key in keys:
            self.bodies.pop(key, None)
