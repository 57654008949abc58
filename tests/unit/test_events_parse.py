"""Notifications of all shapes tell of the same uploads."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.events.parse import Upload, parse
from schema.errors import MessageError
from tests.support import notifications as told

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
KEY = "videos/a b+ü %.mp4"
UPLOAD = Upload("footage", KEY, f'"{ETAG}"', 1024)
SEAWEEDFS = Path(__file__).with_name("seaweedfs_events.jsonl").read_text().splitlines()
"""What the server sent, bodies as they came: put, put again, tagged, multipart, deleted, renamed, written by the filer,
and two versions in a bucket with versions."""


@pytest.mark.parametrize(
    "body",
    [
        told.aws(KEY),
        told.minio(KEY),
        told.sns(told.aws(KEY)),
        told.sqs(told.aws(KEY)),
        told.sqs(told.sns(told.aws(KEY))),
        told.aws(KEY).encode(),
    ],
    ids=["AWS", "MinIO", "SNS", "SQS", "SNS to SQS", "bytes"],
)
def test_every_wrapping_tells_of_the_upload(body):
    assert parse(body) == [UPLOAD]


@pytest.mark.parametrize("event", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
def test_every_way_to_create_an_object_is_an_upload(event):
    assert parse(told.aws(KEY, event=f"ObjectCreated:{event}")) == [UPLOAD]
    assert parse(told.minio(KEY, event=f"s3:ObjectCreated:{event}")) == [UPLOAD]


@pytest.mark.parametrize(
    "event", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectTagging:Put", "ObjectRestore:Post"]
)
def test_other_events_are_passed_over(event):
    assert parse(told.aws(KEY, event=event)) == []


def test_the_test_event_is_passed_over():
    assert parse(told.sns(told.test_event())) == []


def test_a_version_is_named_by_its_object():
    assert parse(told.aws(KEY, versionId="096fKKXTRTtl3on89fVO.nfljtsv6qko")) == [UPLOAD]


def test_etag_and_size_may_be_missing():
    record = told.aws_record(KEY)
    record["s3"]["object"] = {"key": "a.mp4"}
    assert parse(json.dumps({"Records": [record]})) == [Upload("footage", "a.mp4", None, None)]


def test_several_records_are_told_once_each():
    records = [told.aws_record(key) for key in ("a.mp4", "b.mp4", "a.mp4")]
    assert [upload.key for upload in parse(json.dumps({"Records": records}))] == ["a.mp4", "b.mp4"]


def test_seaweedfs_tells_of_what_is_there_afterwards():
    found = [[(upload.key, upload.etag, upload.size) for upload in parse(line)] for line in SEAWEEDFS]
    first, second = '"5d41402abc4b2a76b9719d911017c592"', '"44997f87b891f89472b7f2bbe4e000c3"'
    parts = '"0c62823571cff39c8dddcc6a74e2569f-2"'
    one, two = '"f97c5d29941bfb1b2fdab0874906ab82"', '"b8a9f715dbb64fd5c56e7783c6820a61"'
    assert [each for told in found for each in told] == [
        (KEY, first, 5),
        (KEY, second, 11),
        (KEY, second, 11),
        ("videos/sub/parts.mp4", parts, 5242881),
        ("videos/moved.mp4", parts, 5242881),
        ("videos/filer.mp4", None, 12),
        ("videos/v.mp4", one, 3),
        ("videos/v.mp4", one, 3),
        ("videos/v.mp4", two, 3),
    ]
    assert {upload.bucket for line in SEAWEEDFS for upload in parse(line)} == {"posefleet"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "17",
        "{}",
        '{"Records": [17]}',
        '{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        '{"Records": [{"body": "no JSON"}]}',
        '{"Message": "no JSON"}',
        '{"event_type": "create"}',
        '{"event_type": ["create"], "message": {"new_entry": {"name": "a.mp4"}}}',
        '{"event_type": "create", "message": {"new_entry": {"name": 5}}}',
        b"\xff\xfe\x00",
        told.aws("a.mp4").replace("a.mp4", "\\ud800.mp4"),
        "[" * 100_000,
    ],
)
def test_what_is_no_notification_is_refused(body):
    with pytest.raises(MessageError, match="notification"):
        parse(body)


def test_wrappings_without_end_are_refused():
    body = told.aws(KEY)
    for _ in range(6):
        body = told.sns(body)
    with pytest.raises(MessageError, match="unknown shape"):
        parse(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "Message", "body", "eventName", "s3", "bucket", "object", "key", "name"])
            | st.sampled_from(["event_type", "message", "new_entry", "new_parent_path", "extended", "attributes"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_or_refused(value):
    with suppress(MessageError):
        assert all(isinstance(upload, Upload) for upload in parse(json.dumps(value)))
