"""Every version of a watched video becomes one job, whoever tells of it and how often."""

import pytest

from producer.events.intake import Intake
from producer.events.listing import Listing
from producer.events.parse import Upload
from producer.sweep import Sweeper
from schema.errors import ConfigurationError, ModelError
from tests.support.uploads import BUCKET, Uploads

pytestmark = pytest.mark.stack


def told(key: str, bucket: str = BUCKET, **more: object) -> Upload:
    return Upload(bucket, key, **more)


def test_a_video_below_the_prefix_becomes_a_job_of_its_bucket(uploads: Uploads):
    uploads.put("videos/a b+ü.mp4")
    job_id = Intake(uploads.fleet).take(told("videos/a b+ü.mp4"))
    (job,) = uploads.jobs()
    assert (job.job_id, job.source.key, job.submitter) == (job_id, "videos/a b+ü.mp4", "events:footage")
    assert not job.options.render


def test_what_is_not_watched_is_left_alone(uploads: Uploads):
    own = uploads.fleet.store.bucket
    intake = Intake(uploads.with_settings(watch=f"s3://footage/videos/, s3://{own}/"))
    for key in ("other/a.mp4", "videos/", "videos/a.mp4.part", "videos/a.txt", "videos/empty.mp4"):
        uploads.put(key, b"" if "empty" in key else b"bytes")
        assert intake.take(told(key)) is None
    uploads.put("jobs/1/results/annotated.mp4", bucket=own)
    assert intake.take(told("jobs/1/results/annotated.mp4", own)) is None
    assert intake.take(told("videos/a.mp4", "elsewhere")) is None
    assert uploads.keys() == []


def test_an_object_that_is_gone_is_no_failed_job(uploads: Uploads):
    assert Intake(uploads.fleet).take(told("videos/gone.mp4", etag='"1"', size=5)) is None
    assert uploads.keys() == []


def test_duplicates_and_late_events_make_no_second_job(uploads: Uploads):
    intake = Intake(uploads.fleet)
    first = told("videos/a.mp4", etag=uploads.put("videos/a.mp4", b"first"), size=5)
    jobs = [intake.take(first), intake.take(first)]
    second = told("videos/a.mp4", etag=uploads.put("videos/a.mp4", b"second"), size=6)
    jobs += [intake.take(second), intake.take(first), intake.take(told("videos/a.mp4"))]
    assert jobs == [jobs[0], jobs[0], jobs[2], jobs[0], jobs[2]]
    assert len(uploads.jobs()) == 2


def test_a_late_event_takes_the_version_that_is_there(uploads: Uploads):
    second = uploads.put("videos/a.mp4", b"second")
    Intake(uploads.fleet).take(told("videos/a.mp4", etag='"first"', size=5))
    assert [job.source.etag for job in uploads.jobs()] == [second]


def test_a_version_is_not_taken_again_with_other_options_or_after_its_job(uploads: Uploads):
    uploads.put("videos/a.mp4")
    job_id = Intake(uploads.fleet).take(told("videos/a.mp4"))
    changed = uploads.with_settings(watch_options='{"quality": "best"}')
    assert Intake(changed).take(told("videos/a.mp4")) == job_id
    uploads.fleet.delete(job_id)
    assert Listing(changed).look().jobs == []
    assert uploads.jobs() == []


def test_listing_takes_what_no_event_told_of(uploads: Uploads):
    for number in range(5):
        uploads.put(f"videos/{number}.mp4", b"video %d" % number)
    uploads.put("videos/notes.txt")
    parts(uploads, "videos/parts.mp4")
    Intake(uploads.fleet).take(told("videos/0.mp4"))
    Intake(uploads.fleet).take(told("videos/parts.mp4"))
    listed = Listing(uploads.fleet).look()
    assert (listed.seen, len(listed.jobs), listed.complete) == (6, 4, True)
    assert Listing(uploads.fleet).look().jobs == []
    assert uploads.keys() == [*(f"videos/{number}.mp4" for number in range(5)), "videos/parts.mp4"]


def test_listing_stops_when_its_time_is_over(uploads: Uploads):
    uploads.put("videos/a.mp4")
    listed = Listing(uploads.fleet).look(most_s=-1)
    assert (listed.jobs, listed.complete) == ([], False)


def test_etags_of_listings_are_those_of_heads(uploads: Uploads):
    uploads.put("videos/a.mp4")
    parts(uploads, "videos/parts.mp4")
    found = list(uploads.fleet.store.objects("videos/", BUCKET))
    assert [each.key for each in found] == ["videos/a.mp4", "videos/parts.mp4"]
    assert [uploads.fleet.store.head(each.key, BUCKET).etag for each in found] == [each.etag for each in found]


def test_a_prefix_that_is_not_there_does_not_keep_others_from_being_listed(uploads: Uploads):
    uploads.put("videos/a.mp4")
    fleet = uploads.with_settings(watch="s3://nowhere/videos/, s3://footage/videos/")
    listed = Listing(fleet).look()
    assert len(listed.jobs) == 1
    assert list(listed.errors) == ["s3://nowhere/videos/"]
    assert "no s3://nowhere/videos/" in listed.lines()[1]


def test_the_sweeper_lists(uploads: Uploads):
    uploads.put("videos/a.mp4")
    sweeper = Sweeper(uploads.fleet)
    assert "1 videos of which no event had told" in " ".join(sweeper.sweep().lines())
    uploads.put("videos/b.mp4")
    assert sweeper.sweep().watched == []
    assert len(Sweeper(uploads.with_settings(watch_interval_s=1e-9)).sweep().watched) == 1
    assert Sweeper(uploads.with_settings(watch=None)).sweep().watched == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"watch": "footage/videos/"}, "give s3://bucket/prefix/"),
        ({"watch": "s3://footage/videos"}, "give s3://bucket/prefix/"),
        ({"watch": "s3://footage"}, "give s3://bucket/prefix/"),
        ({"watch": None}, "nothing is watched"),
        ({"watch": " , "}, "nothing is watched"),
        ({"watch_options": "quality=best"}, "no JSON"),
        ({"watch_options": '["best"]'}, "no JSON object"),
        ({"watch_options": '{"quality": "finest"}'}, "WATCH_OPTIONS: --quality finest: fast, balanced or best"),
        ({"watch_options": '{"qualty": "best"}'}, "there is no such option"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(uploads: Uploads, changed, said):
    with pytest.raises(ConfigurationError, match=said):
        Intake(uploads.with_settings(**changed)).require()


def test_a_model_that_is_missing_is_noticed_at_the_start(uploads: Uploads):
    with pytest.raises(ModelError):
        Intake(uploads.with_settings(model="singlepose-heavenly")).require()


def parts(uploads: Uploads, key: str) -> None:
    """A multipart upload of two parts."""
    name = {"Bucket": BUCKET, "Key": key}
    name["UploadId"] = uploads.client.create_multipart_upload(**name)["UploadId"]
    done = []
    for number, body in enumerate((b"x" * (5 << 20), b"y"), start=1):
        answer = uploads.client.upload_part(**name, PartNumber=number, Body=body)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    uploads.client.complete_multipart_upload(**name, MultipartUpload={"Parts": done})
