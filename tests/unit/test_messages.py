import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schema
from schema.errors import ConfigurationError, MessageError
from schema.jsonschema import FILES, written
from schema.messages import FrameBatch, JobReference, ModelIdentity, Source, VideoJob
from schema.options import Options

SOURCE = Source(bucket="videos", key="a.mp4", etag='"1"', size=10)
MODEL = ModelIdentity(name="m", sha256="0" * 64)


def test_the_schema_package_is_ours():
    assert Path(schema.__file__).parents[1] == Path(__file__).parents[2]


@given(st.integers(0, 10**8), st.integers(1, 10**8))
def test_a_batch_survives_the_trip(start, stop):
    batch = FrameBatch(job_id="j", start=start, stop=stop)
    assert FrameBatch.from_message(json.loads(json.dumps(batch.to_message()))) == batch


def test_the_same_video_and_options_are_the_same_job():
    asked = VideoJob.accept(SOURCE, Options(), MODEL)
    others = VideoJob.accept(SOURCE, Options(), MODEL, submitter="else", priority="high", webhook="https://a.example")
    assert asked.job_id == others.job_id


@pytest.mark.parametrize(
    "other",
    [
        VideoJob.accept(SOURCE.model_copy(update={"etag": '"2"'}), Options(), MODEL),
        VideoJob.accept(SOURCE, Options(max_people=7), MODEL),
        VideoJob.accept(SOURCE, Options(), ModelIdentity(name="m", sha256="1" * 64)),
        VideoJob.accept(SOURCE, Options(), MODEL, nonce="again"),
    ],
    ids=["another version", "other options", "other weights", "asked for once more"],
)
def test_other_work_is_another_job(other):
    assert other.job_id != VideoJob.accept(SOURCE, Options(), MODEL).job_id


def test_how_a_video_is_cut_is_no_part_of_the_identity():
    cut = VideoJob.accept(SOURCE, Options(), MODEL, batch_frames=7)
    assert cut.job_id == VideoJob.accept(SOURCE, Options(), MODEL).job_id


def test_a_newer_producer_of_the_same_version_is_understood():
    message = {**JobReference(job_id="j").to_message(), "added_later": 1}
    assert JobReference.from_message(message) == JobReference(job_id="j")


@pytest.mark.parametrize("message", [{"schema_version": 2, "job_id": "j"}, {"schema_version": 1}, {"job_id": 5}])
def test_another_version_or_shape_is_refused(message):
    with pytest.raises(MessageError, match="not a JobReference of version 1"):
        JobReference.from_message(message)


@pytest.mark.parametrize(
    ("name", "value"), [("input_size", 100), ("input_size", 800), ("max_people", 0), ("min_score", 2)]
)
def test_options_out_of_range_name_the_option_and_what_is_valid(name, value):
    with pytest.raises(ConfigurationError, match=rf"--{name.replace('_', '-')} {value}: .*[0-9] to [0-9]"):
        Options.checked(**{name: value})


@pytest.mark.parametrize("name", FILES)
def test_the_json_schema_files_are_current(name):
    path = Path(schema.__file__).parent / "json" / name
    assert path.read_text() == written(name), "run: python -m schema.jsonschema"
