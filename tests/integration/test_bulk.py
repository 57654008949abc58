"""Many videos below a prefix or in a list, by a real fleet: found, left out, not twice; and how jobs are listed."""

import json
import time
from pathlib import Path

import pytest

from producer import Fleet
from producer.bulk import Bulk, Filter, Order, below, enqueue_all, listed
from producer.stack.stack import Stack
from producer.standing import info_from_storage
from producer.sweep import Sweeper
from schema.errors import ConfigurationError, SourceMissing
from schema.manifest import State
from schema.names import JobKeys
from schema.options import Options
from tests.support.command import posefleet
from tests.support.media import CLIP, beginning

pytestmark = pytest.mark.stack
WAIT_S = 120
TRACKS_ONLY = Options(render=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return beginning(CLIP, tmp_path_factory.mktemp("clip") / "clip.mp4", frames=30).read_bytes()


@pytest.fixture
def put(fleet: Fleet, clip: bytes, request: pytest.FixtureRequest):
    """Put videos below a prefix of the test's own; the prefix."""
    prefix = f"many/{request.node.name}/"

    def put(*names: str, body: bytes = clip) -> str:
        for name in names:
            fleet.store.put_new(prefix + name, body)
        return f"s3://{fleet.store.bucket}/{prefix}"

    return put


def enqueue(fleet: Fleet, prefix: str, wanted: Filter | None = None, **order) -> Bulk:
    bulk, order = Bulk(), {"options": TRACKS_ONLY, "submitter": "tests"} | order
    return enqueue_all(fleet, below(fleet, prefix, wanted or Filter(), bulk), Order(**order), bulk)


def names(bulk: Bulk, prefix: str) -> list[str]:
    return sorted(uri.removeprefix(prefix) for uri in bulk.jobs.values())


def test_every_video_below_a_prefix_is_a_job_and_none_is_one_twice(fleet, put):
    prefix = put("a.mp4", "deep/er/b.MOV", "c.mp4")
    put("notes.txt", "picture.jpg")
    put("nothing.mp4", body=b"")
    first, second = enqueue(fleet, prefix), enqueue(fleet, prefix)
    assert names(first, prefix) == ["a.mp4", "c.mp4", "deep/er/b.MOV"]
    assert (first.new, first.known, second.new, second.known) == (3, 0, 0, 3)
    assert dict(first.left_out) == {"not named like videos": 1, "pictures": 1, "empty": 1}
    ended = [fleet.job(job_id).wait(WAIT_S) for job_id in first.jobs]
    assert [status.state for status in ended] == [State.SUCCEEDED] * 3


def test_a_job_of_a_listing_is_the_job_of_the_single_video(fleet, put):
    prefix = put("a.mp4")
    bulk = enqueue(fleet, prefix)
    assert [*bulk.jobs] == [fleet.enqueue(f"{prefix}a.mp4", TRACKS_ONLY).job_id]


def test_patterns_and_age_say_what_is_wanted(fleet, put):
    prefix = put("a.mp4", "b.mov", "raw/c.mp4", "clip.bin")
    assert names(enqueue(fleet, prefix, Filter(include=("*.mp4", "clip.*"))), prefix) == [
        *("a.mp4", "clip.bin", "raw/c.mp4"),
    ]
    left = enqueue(fleet, prefix, Filter(exclude=("raw/*", "b.*")))
    assert (names(left, prefix), left.left_out["excluded"]) == (["a.mp4"], 2)
    assert enqueue(fleet, prefix, Filter(since_s=time.time() + 60)).left_out["older"] == 3


def test_a_list_names_videos_and_it_is_said_which_are_missing(fleet, put):
    prefix, bulk = put("a.mp4", "b.mp4"), Bulk()
    lines = ["# of today", f"{prefix}a.mp4\n", "", "clip.mp4", f"{prefix}gone.mp4", f" {prefix}b.mp4 "]
    lines += ["s3://no bucket/c.mp4", f"{prefix}c.jpg"]
    enqueue_all(fleet, listed(fleet, lines, bulk), Order(TRACKS_ONLY), bulk)
    assert names(bulk, prefix) == ["a.mp4", "b.mp4"]
    assert [line.partition(": ")[0] for line in bulk.wrong] == [
        "clip.mp4 is no video in object storage",
        f"there is no {prefix}gone.mp4",
        "s3://no bucket/c.mp4 is no name of a bucket or an object",
        f"{prefix}c.jpg is a picture",
    ]
    assert bulk.lines()[1] == "left out: 4 named wrongly"


def test_what_is_cut_off_goes_on_where_it_was(fleet, put):
    prefix = put(*(f"{number}.mp4" for number in range(6)))

    def cut(_: Bulk) -> None:
        raise KeyboardInterrupt

    bulk = Bulk()
    found = list(below(fleet, prefix, Filter(), bulk))
    with pytest.raises(KeyboardInterrupt):
        enqueue_all(fleet, found[:3], Order(TRACKS_ONLY), bulk, cut)
    again = enqueue(fleet, prefix)
    assert (again.new, again.known) == (3, 3)


def test_redis_tells_what_storage_knows(fleet, put):
    job = fleet.job(next(iter(enqueue(fleet, put("a.mp4"), priority="high").jobs)))
    assert job.wait(WAIT_S).state is State.SUCCEEDED
    told = fleet.info(job.job_id)
    assert told == info_from_storage(fleet.store, job.job_id)
    assert (told.frames, told.submitter, told.steps["infer"].done) == (30, "tests", 30)


def test_a_wiped_catalog_is_made_anew(fleet, put):
    job = fleet.job(next(iter(enqueue(fleet, put("a.mp4")).jobs)))
    job.wait(WAIT_S)
    before = fleet.info(job.job_id)
    fleet.progress.redis.delete("posefleet:jobs", "posefleet:jobs:by_time", "posefleet:jobs:whole")
    assert fleet.info(job.job_id) == before
    fleet.progress.redis.delete("posefleet:jobs", "posefleet:jobs:by_time", "posefleet:jobs:whole")
    Sweeper(fleet).sweep(every=True)
    assert fleet.catalog.get(job.job_id) == before
    assert before in fleet.list_jobs(search=job.job_id).jobs


def test_a_deleted_job_is_listed_no_more(fleet, put):
    job_id = next(iter(enqueue(fleet, put("a.mp4")).jobs))
    fleet.delete(job_id)
    assert fleet.catalog.get(job_id) is None
    assert fleet.list_jobs(search=job_id).jobs == ()
    assert fleet.store.head(JobKeys(job_id).job) is None


def test_a_single_video_does_not_wait_for_many_of_somebody_else(fleet, put):
    prefix = put(*(f"{number:02}.mp4" for number in range(40)), "single.mp4")
    many = enqueue(fleet, prefix, Filter(exclude=("single.mp4",)), force=True)
    single = fleet.enqueue(f"{prefix}single.mp4", TRACKS_ONLY, submitter="somebody", force=True)
    assert single.wait(WAIT_S).state is State.SUCCEEDED
    left = sum(not fleet.info(job_id).state.final for job_id in many.jobs)
    for job_id in many.jobs:
        fleet.job(job_id).wait(WAIT_S)
    assert left >= 20, f"{left} of 40 were left when the single one was done"


def test_two_who_enqueue_many_share_the_fleet(fleet, put):
    prefix = put(*(f"{who}/{number:02}.mp4" for who in ("ann", "bob") for number in range(20)))
    jobs = {who: enqueue(fleet, f"{prefix}{who}/", submitter=who, force=True).jobs for who in ("ann", "bob")}
    for job_id in jobs["bob"]:
        fleet.job(job_id).wait(WAIT_S)
    left = sum(not fleet.info(job_id).state.final for job_id in jobs["ann"])
    ended = {who: sorted(fleet.info(job_id).ended_s or 1e12 for job_id in some) for who, some in jobs.items()}
    for job_id in jobs["ann"]:
        fleet.job(job_id).wait(WAIT_S)
    assert ended["bob"][9] < ended["ann"][-1], f"bob waited for ann, of whom {left} were left"


def test_the_command_line_counts_rehearses_and_lists(stack: Stack, put, tmp_path: Path):
    where, prefix = stack.addresses.environment(), put("a.mp4", "b.mp4", "c.txt")
    rehearsed = posefleet("enqueue", prefix, "--no-render", "--dry-run", **where)
    assert "2 videos" in rehearsed.stdout
    assert "about 60 frames, by the indexes of 2 of them" in rehearsed.stdout
    assert "left out: 1 not named like videos" in rehearsed.stdout
    done = posefleet("enqueue", prefix, "--no-render", "--json", "--submitter", "cli", **where)
    jobs = json.loads(done.stdout)
    assert sorted(each["uri"] for each in jobs) == [f"{prefix}a.mp4", f"{prefix}b.mp4"]
    assert "2 new jobs, 0 had one" in done.stderr
    (tmp_path / "list").write_text("\n".join(each["uri"] for each in jobs))
    again = posefleet("enqueue", "--from", tmp_path / "list", "--no-render", **where)
    assert "0 new jobs, 2 had one" in again.stdout
    watched = posefleet("watch", *(each["job_id"] for each in jobs), **where)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert "2 of 2 jobs ended; 60 of 60 frames" in watched.stdout
    listed = json.loads(posefleet("jobs", "--submitter", "cli", "--sort", "uri", "--json", **where).stdout)
    assert [(each["uri"], each["state"]) for each in listed] == [(f"{prefix}{n}.mp4", "succeeded") for n in "ab"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to enqueue"),
        (["--from", "no-such-file"], "--from no-such-file: No such file"),
        (["s3://posefleet/a/", "--since", "soon"], "--since soon: minutes, hours or days ago"),
        (["s3://posefleet/a.mp4", "--priority", "now"], "--priority now: auto, high or normal"),
    ],
)
def test_what_is_wrong_is_named(stack: Stack, arguments, message):
    said = posefleet("enqueue", *arguments, **stack.addresses.environment())
    assert said.returncode == 2
    assert message in said.stderr


def test_a_state_may_be_named_and_one_that_is_none_is_refused(fleet, put):
    job = fleet.job(next(iter(enqueue(fleet, put("a.mp4")).jobs)))
    state = str(job.wait(WAIT_S).state)
    assert [info.job_id for info in fleet.list_jobs(state=state, search=job.job_id).jobs] == [job.job_id]
    assert fleet.list_jobs(state="cancelled", search=job.job_id).jobs == ()
    with pytest.raises(ConfigurationError, match="no state done: queued, planning"):
        fleet.list_jobs(state="done")


def test_results_of_a_job_that_is_not_there_are_not_yet_to_come(fleet, tmp_path):
    with pytest.raises(SourceMissing, match="there is no job nosuch"):
        fleet.fetch("nosuch", tmp_path)
