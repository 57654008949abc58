"""Uploads of which the object store tells twice, or never."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from producer.events.listing import Listing
from tests.faults.rows import ALL, Record, Stopwatch, row
from tests.support.serving import serving
from tests.support.telling import Disturbing, application
from tests.support.uploads import Uploads
from tests.support.waiting import until

pytestmark = pytest.mark.stack


@row(27, "1,000 uploads, 5 % of their events twice, 1 % never", ci=True)
def test_uploads_told_of_twice_or_never(uploads: Uploads, seed: int, record: Record):
    count = 1000 if ALL else 100
    names = [f"{number:04d}.mp4" for number in range(count)]
    chosen = random.Random(seed).sample(names, count * 6 // 100)
    never, twice = chosen[: count // 100], chosen[count // 100 :]
    disturbing, watch = Disturbing(application(uploads.fleet), set(twice), set(never)), Stopwatch()
    with serving(disturbing, uploads.port), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: uploads.put(f"videos/{name}", name.encode()), names))
        until(lambda: disturbing.told.total() == count - len(never) + len(twice), 200, "not all were told of")
    record.about(f"uploaded and told of in {watch.seconds:.0f} s")
    record.exactly("jobs by events", len(uploads.jobs()), count - len(never))
    record.exactly("found by listing", len(Listing(uploads.fleet).look().jobs), len(never))
    record.exactly("jobs", len(uploads.jobs()), count)
    assert uploads.keys() == [f"videos/{name}" for name in names]
    record.verdict()
