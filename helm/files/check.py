"""What `helm test` runs: Redis and the bucket answer, and so does every address that is given."""

import sys
import urllib.request

from schema.settings import current
from workers.storage.progress import Progress
from workers.storage.s3 import S3Store

Progress(current().redis_url).ping()
S3Store(current()).head("ready")
for url in sys.argv[1:]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        if url.endswith("/metrics") and b"posefleet_redis_up 1.0" not in answer.read():
            sys.exit(f"{url} does not reach Redis")
    print(f"{url} answers")
