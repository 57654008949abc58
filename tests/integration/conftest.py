"""Fixtures that several files of this folder share."""

from collections.abc import Iterator

import pytest

from workers.storage.progress import Progress


@pytest.fixture
def progress(redis_url: str) -> Iterator[Progress]:
    """Counters in a Redis that holds nothing else."""
    found = Progress(redis_url)
    found.redis.flushall()
    yield found
    found.redis.close()
