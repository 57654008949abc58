"""Messages that come twice, from older and newer producers, and reducers that run at once."""

import http.client
import json
import random
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI

from producer import Fleet
from producer.events import PATH
from producer.events.listing import Listing
from producer.events.webhook import router
from producer.job import Job
from producer.models import models_for
from schema.messages import Source, VideoJob
from schema.names import QUEUE_INFER, QUEUE_PLAN, QUEUE_STITCH, QUEUES, TASK_INFER, TASK_SPLIT, TRACKS, JobKeys
from schema.options import Options
from tests.faults.ground import Ground
from tests.faults.oracle import check
from tests.faults.rows import Record, Stopwatch, row
from tests.support import notifications
from tests.support.doubling import Doubling
from tests.support.media import CLIP, beginning
from tests.support.serving import serving
from tests.support.waiting import until
from workers.stages.publish import publish
from workers.stages.stitch import stitch
from workers.storage.records import read_job, read_plan, read_stitched
from workers.storage.s3 import S3Store

pytestmark = pytest.mark.stack
WAIT_S = 120


@row(14, "every message published twice", ci=True)
def test_every_message_comes_twice(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.start=sleep:0.1")
    with Doubling(ground.server.port, QUEUES) as doubling:
        jobs = [ground.job(batch_frames=5), ground.job(batch_frames=40, render=True)]
        assert [job.wait(WAIT_S).state for job in jobs] == ["succeeded"] * 2
        until(lambda: ground.outstanding() == 0, 60, "messages are left")
    batches = sum(len(ground.runs(job)) for job in jobs)
    redone = sum(ground.redone(job) for job in jobs)
    record.at_least("messages doubled", doubling.doubled, batches)
    record.about(f"{redone} of {batches} batches done twice")
    record.at_least("duplicates' work avoided, %", 100 * (1 - redone / batches), 95)
    record.exactly("second publications", sum(written(ground, job).count(200) - 1 for job in jobs), 0)
    check(ground, jobs, undisturbed)
    record.verdict()


def written(ground: Ground, job: Job, name: str = "manifest.json") -> list[int]:
    """What writers of a result were told."""
    key = JobKeys(job.job_id).result(name)
    return [each.status for each in ground.s3_proxy.exchanges() if each.method == "PUT" and key in each.target]


@row(20, "two reducers at once")
def test_two_reducers_at_once(ground: Ground, undisturbed, record: Record, tmp_path: Path):
    ground.usual("infer-1", "infer-2")
    ground.start("planner", queues=QUEUE_PLAN)
    job = ground.job(batch_frames=20)
    until(lambda: ground.queued(QUEUE_STITCH), WAIT_S, "not all batches are done")
    store = S3Store(ground.settings(ground.fleet.settings.redis_url, ground.s3_proxy.endpoint))
    accepted, plan = read_job(store, job.job_id), read_plan(store, job.job_id)
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    at_once([partial(stitch, store=store, job=accepted, plan=plan, work=folder) for folder in folders])
    stitched = read_stitched(store, job.job_id)
    publisher = partial(publish, store=store, job=accepted, plan=plan, stitched=stitched, steps={})
    at_once([partial(publisher, work=folder) for folder in folders])
    record.exactly("manifests written", written(ground, job).count(200), 1)
    record.exactly("track files written", written(ground, job, TRACKS).count(200), 1)
    ground.usual()
    check(ground, [job], undisturbed)
    record.verdict()


def at_once(calls: list[Callable[[], object]]) -> None:
    """Run all of them at the same time; raises what one of them raised."""
    ready, errors = threading.Barrier(len(calls)), list[BaseException]()

    def run(call: Callable[[], object]) -> None:
        ready.wait()
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


#: Fields of a job's record that the first producers did not write.
LATER = {"refiner", "pictures", "batch_frames", "tracks_of", "nonce"}


@row(26, "old producer with new worker and back", ci=True)
def test_messages_of_other_versions(ground: Ground, undisturbed, record: Record):
    older, newer = accepted(ground, "older"), accepted(ground, "newer")
    put(ground, older, {name: value for name, value in json.loads(older.to_json()).items() if name not in LATER})
    put(ground, newer, {**json.loads(newer.to_json()), "someday": {"a": 1}})
    tell(ground, TASK_SPLIT, {"job_id": older.job_id})
    tell(ground, TASK_SPLIT, {"schema_version": 1, "job_id": newer.job_id, "someday": [1]})
    tell(ground, TASK_INFER, {"schema_version": 2, "job_id": newer.job_id, "range": "0..5"}, QUEUE_INFER)
    jobs = [ground.fleet.job(each.job_id) for each in (older, newer)]
    ended = [job.wait(WAIT_S) for job in jobs]
    record.exactly("errors", sum(status.state != "succeeded" for status in ended), 0)
    check(ground, jobs, undisturbed)
    record.verdict()


def accepted(ground: Ground, nonce: str) -> VideoJob:
    bucket, _, key = ground.uri.removeprefix("s3://").partition("/")
    info = ground.fleet.store.head(key)
    assert info is not None
    source, options = Source(bucket=bucket, key=key, etag=info.etag, size=info.size), Options(render=False)
    return VideoJob.accept(source, options, models_for(ground.fleet.settings, None, options)[0], nonce=nonce)


def put(ground: Ground, job: VideoJob, body: dict[str, object]) -> None:
    ground.fleet.store.put_new(JobKeys(job.job_id).job, json.dumps(body).encode(), "application/json")


def tell(ground: Ground, task: str, message: dict[str, object], queue: str = QUEUE_PLAN) -> None:
    """Send a message as another producer might."""
    ground.fleet.dispatch.app.send_task(task, args=[message], queue=queue)


STORM_UPLOADS, STORM_EVENTS, STORM_SENDERS = 100, 10_000, 8


@row(27, "event storm: 10,000 duplicate and 1 % dropped S3 events", patience_s=600)
def test_an_event_storm(ground: Ground, undisturbed, record: Record, tmp_path: Path):
    ground.usual()
    versions = storm_uploads(ground, tmp_path)
    watching = {"watch": f"s3://{ground.fleet.store.bucket}/storm-{ground.seed}/", "watch_options": '{"render": false}'}
    fleet, chance = Fleet(ground.fleet.settings.model_copy(update=watching)), random.Random(ground.seed)
    dropped = chance.sample(sorted(versions), STORM_UPLOADS // 100)
    told = [key for key in versions if key not in dropped]
    told += chance.choices(told, k=STORM_EVENTS)
    chance.shuffle(told)
    events = [notifications.aws(key, bucket=fleet.store.bucket, eTag=versions[key].strip('"')) for key in told]
    watch = Stopwatch()
    storm(fleet, events)
    record.about(f"{len(events)} events in {watch.seconds:.0f} s")
    record.exactly("found by listing", len(Listing(fleet).look().jobs), len(dropped))
    jobs = [job for job in ground.fleet.jobs() if ground.fleet.info(job.job_id).uri.startswith(watching["watch"])]
    record.exactly("jobs", len(jobs), len(versions))
    assert {job.wait(WAIT_S).state for job in jobs} == {"succeeded"}
    puts = [each.target for each in ground.s3_proxy.exchanges() if (each.method, each.status) == ("PUT", 200)]
    plans = [sum(JobKeys(job.job_id).plan in target for target in puts) for job in jobs]
    record.exactly("versions without exactly one plan", len(plans) - plans.count(1), 0)
    check(ground, jobs, None)
    record.verdict()


def storm_uploads(ground: Ground, folder: Path) -> dict[str, str]:
    """Short videos, each with a box at its end that readers pass over and that makes it another; etags by key."""
    body, etags = beginning(CLIP, folder / "storm.mp4", frames=4).read_bytes(), {}
    for number in range(STORM_UPLOADS):
        key = f"storm-{ground.seed}/{number:03d}.mp4"
        box = (12).to_bytes(4, "big") + b"free" + number.to_bytes(4, "big")
        etags[key] = ground.client.put_object(Bucket=ground.fleet.store.bucket, Key=key, Body=body + box)["ETag"]
    return etags


def storm(fleet: Fleet, events: list[str]) -> None:
    """Several senders tell at once."""
    app = FastAPI()
    app.include_router(router(fleet, lambda: None))
    with serving(app) as address:
        shares = [events[first::STORM_SENDERS] for first in range(STORM_SENDERS)]
        at_once([partial(tell_all, address, share) for share in shares])


def tell_all(address: str, events: list[str]) -> None:
    """One event after the other, as a sender does that waits for the answer."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    for event in events:
        connection.request("POST", PATH, event)
        with connection.getresponse() as answer:
            assert answer.status == 200, answer.read()
            answer.read()
    connection.close()
