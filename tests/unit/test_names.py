"""Names from outside stay where they are put."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.errors import MessageError
from schema.messages import FrameBatch, JobReference, messages_of
from schema.names import safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a//./b", "a/b"),
        ("..\\..\\a\0b\n", ".._.._a_b_"),
        ("..", "_"),
        ("Straße/写真.png", "Straße/写真.png"),
    ],
)
def test_safe_names(name, safe):
    assert safe_name(name) == safe


@given(st.text())
def test_no_name_leads_outside(name):
    folder = Path("/results")
    assert (folder / safe_name(name)).resolve().is_relative_to(folder)


@pytest.mark.parametrize("job_id", ["../x", "", "a/b", "a b", "x" * 65])
def test_a_job_id_that_is_a_path_is_refused(job_id):
    with pytest.raises(MessageError):
        JobReference.from_message({"job_id": job_id})


def test_units_and_messages_are_the_same_thing():
    units = ["all", "00000000-00000010"]
    assert messages_of("j", units) == [JobReference(job_id="j"), FrameBatch(job_id="j", start=0, stop=10)]
    assert [message.unit for message in messages_of("j", units)] == units
