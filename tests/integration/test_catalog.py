"""The catalog and the lanes against a real Redis, without workers."""

import pytest

from schema.catalog import JobInfo, ended_info
from schema.errors import ConfigurationError
from schema.lanes import Turns
from schema.manifest import Failure, Manifest, People, State
from schema.messages import ModelIdentity, Source, VideoJob
from schema.names import HIGH, JobKeys
from schema.options import Options
from workers.storage.catalog import HIGH_AT_ONCE, Catalog

RANGE = "00000000-00000010"


@pytest.fixture
def catalog(progress):
    return Catalog(progress.redis)


def job(name: str, submitter: str = "ann", **more) -> VideoJob:
    source = Source(bucket="videos", key=f"{name}.mp4", etag='"1"', size=1)
    return VideoJob.accept(source, Options(), ModelIdentity(name="m", sha256="0"), submitter=submitter, **more)


def lanes(catalog: Catalog, submitter: str, count: int) -> list[str]:
    return catalog.lanes([job(f"{submitter}{number}", submitter) for number in range(count)])


def manifest(of: VideoJob, state: State = State.SUCCEEDED, **more) -> Manifest:
    return Manifest(job_id=of.job_id, state=state, source={}, software_version="1", planned_frames=10, **more)


def test_the_first_jobs_of_a_submitter_go_first_and_the_others_share_a_lane(catalog):
    found = lanes(catalog, "ann", 8)
    assert found == [HIGH] * HIGH_AT_ONCE + [""] * 4


def test_submitters_with_many_jobs_have_lanes_of_their_own(catalog):
    found = {name: lanes(catalog, name, 6)[-1] for name in ("ann", "bob", "cid", "dee", "eve")}
    assert sorted(found.values()) == ["", "", "1", "2", "3"]


def test_a_job_keeps_its_lane_and_leaves_it_when_it_ends(catalog, progress):
    jobs = [job(str(number), priority="normal") for number in range(2)]
    assert catalog.lanes([*jobs, *jobs]) == [""] * 4
    assert catalog.lanes([job("x", "bob", priority="normal")]) == ["1"]
    for each in jobs:
        catalog.leave(each.job_id)
    assert progress.redis.hkeys("posefleet:submitters") == ["bob"]
    assert catalog.lanes([job("y", "cid", priority="normal")]) == [""]


def test_whoever_says_high_goes_first_however_many_there_are(catalog):
    assert set(catalog.lanes([job(str(number), priority="high") for number in range(20)])) == {HIGH}


def test_workers_ask_high_lanes_first_and_the_others_in_turn():
    turns = Turns()
    turns.update(["infer", "infer.1", "infer.high", "render.high"])
    assert turns.consume(4) == ["infer.high", "render.high", "infer", "infer.1"]
    turns.rotate("infer")
    assert turns.consume(4) == ["infer.high", "render.high", "infer.1", "infer"]
    turns.rotate("infer.high")
    turns.update(["infer", "infer.1", "infer.high", "render.high"])
    assert turns.consume(4) == ["render.high", "infer.high", "infer.1", "infer"]


def test_a_worker_that_asks_for_a_queue_gets_its_lanes(redis_url):
    from schema.queue import make_app
    from schema.settings import Settings

    app = make_app(Settings(redis_url=redis_url))
    app.amqp.queues.select(["infer", "render.high"])
    assert set(app.amqp.queues.consume_from) == {
        *("infer", "infer.high", "infer.1", "infer.2", "infer.3"),
        "render.high",
    }


def test_where_a_job_stands_follows_from_what_tasks_note(catalog, progress):
    asked = job("a")
    catalog.add([asked])
    seen = [catalog.get(asked.job_id)]

    def note(*changes) -> None:
        for change in changes:
            change()
        seen.append(catalog.get(asked.job_id))

    def done(step: str, unit: str = "all"):
        return lambda: progress.finish(asked.job_id, step, unit, 1)

    note(lambda: progress.start(asked.job_id, "split", "all", fresh=True, within_s=60))
    note(lambda: progress.planned(asked.job_id, 10), done("split"))
    note(done("infer", RANGE), done("infer", RANGE))
    note(done("stitch"))
    note(done("render", RANGE))
    assert [info.state for info in seen] == [
        *(State.QUEUED, State.PLANNING, State.INFERRING, State.STITCHING, State.RENDERING, State.PUBLISHING),
    ]
    assert {name: (step.done, step.total) for name, step in seen[-1].steps.items()} == {
        "infer": (10, 10),
        "render": (10, 10),
    }


def test_a_unit_that_is_opened_again_is_not_counted(catalog, progress):
    asked = job("a")
    catalog.add([asked])
    progress.planned(asked.job_id, 20)
    progress.finish(asked.job_id, "infer", RANGE, 2)
    progress.reopen(asked.job_id, "infer", RANGE, 2)
    assert catalog.get(asked.job_id).steps["infer"].done == 0


def test_an_ended_job_says_what_it_has_come_to(catalog):
    asked = job("a")
    catalog.add([asked])
    catalog.end(ended_info(asked, manifest(asked, people=People(tracks=3, max_per_frame=2)), 5.0))
    catalog.add([asked])
    found = catalog.get(asked.job_id)
    assert (found.state, found.frames, found.people, found.tracks, found.ended_s) == ("succeeded", 10, 2, 3, 5.0)


def test_a_failed_job_says_why(catalog):
    asked = job("a")
    why = Failure(reason="empty_file", message="it is empty")
    catalog.end(ended_info(asked, manifest(asked, State.FAILED, error=why), 5.0))
    assert catalog.get(asked.job_id).error == why


def names(page) -> list[str]:
    return [info.uri.removeprefix("s3://videos/").removesuffix(".mp4") for info in page.jobs]


def page(catalog: Catalog, limit: int = 100, cursor: str = "", *, state=None, search="", submitter=None):
    return catalog.page(state=state, search=search, submitter=submitter, limit=limit, cursor=cursor)


def test_pages_are_newest_first_and_go_on_where_the_last_one_ended(catalog):
    catalog.restore(info(str(number), created_s=number // 2) for number in range(10))
    first = page(catalog, 3)
    second = page(catalog, 3, first.cursor)
    catalog.restore([info("new", created_s=99)])
    rest = page(catalog, 100, second.cursor)
    assert sorted(names(first) + names(second) + names(rest)) == [str(number) for number in range(10)]
    assert [each.created_s for found in (first, second, rest) for each in found.jobs] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
    assert rest.cursor == ""


def info(name: str, **more) -> JobInfo:
    return JobInfo(job_id=f"id{name}", uri=f"s3://videos/{name}.mp4", **more)


def test_jobs_are_found_by_name_state_and_submitter(catalog):
    catalog.restore(
        [
            info("Match", submitter="ann"),
            info("rematch", submitter="bob", state=State.FAILED),
            info("other", submitter="bob"),
        ]
    )
    assert sorted(names(page(catalog, search="match"))) == ["Match", "rematch"]
    assert names(page(catalog, search="match", submitter="bob")) == ["rematch"]
    assert names(page(catalog, state=State.FAILED)) == ["rematch"]


def test_what_redis_does_not_know_is_named(catalog):
    catalog.restore([info("a")])
    assert catalog.unknown(["ida", "idb"]) == ["idb"]
    catalog.remove("ida")
    assert catalog.unknown(["ida"]) == ["ida"]
    assert names(page(catalog)) == []


def test_a_record_of_another_version_keeps_no_other_job_from_being_listed(quiet_fleet):
    good, unreadable = job("good"), JobKeys("unreadable").job
    quiet_fleet.store.put_new(JobKeys(good.job_id).job, good.to_json())
    quiet_fleet.store.put_new(unreadable, b'{"schema_version": 99}')
    try:
        quiet_fleet.progress.redis.flushall()
        assert [info.job_id for info in quiet_fleet.list_jobs(search=good.job_id).jobs] == [good.job_id]
        assert quiet_fleet.list_jobs(search="unreadable").jobs == ()
    finally:
        quiet_fleet.store.delete([JobKeys(good.job_id).job, unreadable])


def test_a_cursor_that_is_none_is_refused(catalog):
    with pytest.raises(ConfigurationError, match="'yesterday' is no cursor"):
        page(catalog, cursor="yesterday")
