import pytest

from producer.inputs import collect
from producer.pictures import _safe
from schema.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "match" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.PNG", "sub/c.webp", "d.mp4", "notes.txt"):
        (tmp_path / "match" / name).touch()
    return tmp_path / "match"


def named(inputs):
    return [(given.folder, sorted(given.pictures)) for given in inputs]


def test_a_folder_is_its_videos_and_one_job_of_pictures(folder):
    assert named(collect([str(folder)])) == [("d", []), ("match", ["a.jpg", "b.PNG", "sub/c.webp"])]


def test_a_pattern_and_single_pictures_are_a_job_per_folder(folder):
    assert named(collect([str(folder / "*.[jP]*")])) == [("match", ["a.jpg", "b.PNG"])]
    assert named(collect([str(folder / "a.jpg"), str(folder / "sub" / "c.webp")])) == [
        ("a", ["a.jpg"]),
        ("c", ["c.webp"]),
    ]


def test_inputs_named_twice_are_taken_once_and_equal_names_are_numbered(folder):
    assert named(collect([str(folder / "d.mp4")] * 2)) == [("d", [])]
    assert [given.folder for given in collect(["s3://b/x/", "s3://c/x/"])] == ["x", "x-2"]


@pytest.mark.parametrize(("name", "message"), [("nothing*.jpg", "no file matches"), ("gone.jpg", "does not exist")])
def test_what_is_not_there_is_named(tmp_path, name, message):
    with pytest.raises(ConfigurationError, match=message):
        collect([str(tmp_path / name)])


def test_an_empty_folder_says_what_would_be_taken(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no video and no picture .*\.jpg.*\.mp4"):
        collect([str(tmp_path)])


def test_names_from_storage_stay_inside_the_folder():
    assert _safe("../../etc//a.jpg") == "etc/a.jpg"
