"""How often a token may ask, and which sources it may name."""

import pytest
from starlette.exceptions import HTTPException

from producer.api.limits import RateLimit
from producer.api.sources import check_source
from producer.api.tokens import Token
from schema.errors import ConfigurationError
from schema.settings import Settings

LAB = Token(name="lab", sha256="0", scopes=("submit",), created_s=0)
ADMIN = Token(name="boss", sha256="0", scopes=("admin",), created_s=0)
SETTINGS = Settings(bucket="fleet", api_buckets="films/public/, archive,fleet/shared/")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_four_seconds_worth_may_come_at_once_then_the_rate_counts():
    clock = Clock()
    limit = RateLimit(2.0, clock)
    assert [limit.take("a") for _ in range(8)] == [0.0] * 8
    assert limit.take("a") == pytest.approx(0.5)
    assert limit.take("b") == 0.0
    clock.now = 0.5
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0
    clock.now = 1000
    assert [limit.take("a") > 0 for _ in range(9)] == [False] * 8 + [True]


def test_a_rate_below_one_a_second_still_lets_one_through():
    limit = RateLimit(0.1, Clock())
    assert limit.take("a") == 0.0
    assert limit.take("a") == pytest.approx(10)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://fleet/uploads/lab/x/a.mp4",
        "s3://fleet/uploads/lab/photos/",
        "s3://films/public/a.mp4",
        "s3://archive/any/thing.mov",
        "s3://fleet/shared/a.mp4",
    ],
)
def test_own_uploads_and_opened_buckets_may_be_named(uri):
    check_source(uri, LAB, SETTINGS)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://fleet/uploads/other/x/a.mp4",
        "s3://fleet/uploads/laboratory/a.mp4",
        "s3://fleet/uploads/lab",
        "s3://fleet/jobs/1/results/annotated.mp4",
        "s3://fleet/notify/1",
        "s3://fleet/other/a.mp4",
        "s3://films/private/a.mp4",
        "s3://films/public",
        "s3://archives/a.mp4",
        "s3://Archive/a.mp4",
        "s3://fleet/uploads/lab/x/list.pictures.json",
    ],
)
def test_everything_else_is_refused(uri):
    with pytest.raises(HTTPException) as error:
        check_source(uri, LAB, SETTINGS)
    assert error.value.status_code == 403


@pytest.mark.parametrize(
    "key", ["uploads/lab/../other/a", "uploads/lab/./a", "uploads/lab//a", "/a", "uploads/lab/a\n"]
)
def test_path_tricks_are_no_keys(key):
    with pytest.raises(HTTPException) as error:
        check_source(f"s3://fleet/{key}", LAB, SETTINGS)
    assert error.value.status_code == 422


@pytest.mark.parametrize("uri", ["https://host/a.mp4", "/etc/passwd", "s3://fleet", "s3:///a", "file:///a"])
def test_other_addresses_are_no_sources(uri):
    with pytest.raises(ConfigurationError):
        check_source(uri, LAB, SETTINGS)


def test_an_admin_may_name_everybodys_uploads_but_no_job():
    check_source("s3://fleet/uploads/lab/x/a.mp4", ADMIN, SETTINGS)
    for key in ("jobs/1/job.json", "open/1", "other/a.mp4"):
        with pytest.raises(HTTPException):
            check_source(f"s3://fleet/{key}", ADMIN, SETTINGS)


def test_opening_the_fleets_own_bucket_opens_nothing_that_the_fleet_keeps_there():
    everything = SETTINGS.model_copy(update={"api_buckets": "fleet"})
    check_source("s3://fleet/videos/a.mp4", LAB, everything)
    for key in ("jobs/1/job.json", "uploads/other/a.mp4"):
        with pytest.raises(HTTPException):
            check_source(f"s3://fleet/{key}", LAB, everything)
