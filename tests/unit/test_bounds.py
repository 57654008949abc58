"""What one user asks for stays within bounds that all can bear."""

import zipfile

import numpy as np
import pytest

from producer import fetching, pictures
from producer.show import console, jobs_table
from producer.split import _check_drawing
from schema.catalog import JobInfo
from schema.errors import ConfigurationError, PictureError, TooLarge
from schema.manifest import State
from schema.messages import ModelIdentity, Source, VideoJob
from schema.options import Options
from schema.pictures import PictureEntry, PictureList
from tests.support.memory import Memory
from tests.support.people import person_at, rows_of, together
from tests.unit.test_stitch import plan_of
from workers.formats.exports import labs
from workers.formats.exports.all import exporter
from workers.formats.exports.port import Video
from workers.stages.pictures import _body

PLAN = plan_of([(0, 10)])


def job_of(**options):
    source = Source(bucket="b", key="k.mp4", etag="e", size=1)
    return VideoJob.accept(source, Options.checked(**options), ModelIdentity(name="m", sha256="0"))


def large(width, height):
    return PLAN.model_copy(
        update={"stream": PLAN.stream.model_copy(update={"display_width": width, "display_height": height})}
    )


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"scale": 2.0}, False),
        ({"scale": 4.0}, True),
        ({"scale": 2.5, "style": "side-by-side"}, True),
        ({"scale": 4.0, "render": False}, False),
    ],
)
def test_an_annotated_video_has_no_larger_frames_than_a_source_may_have(options, refused):
    if not refused:
        _check_drawing(job_of(**options), large(3840, 2160))
        return
    with pytest.raises(TooLarge, match="choose a smaller --scale"):
        _check_drawing(job_of(**options), large(3840, 2160))


def test_a_file_that_is_large_is_not_read_for_a_picture():
    listed = PictureList(bucket="b", pictures=(PictureEntry(name="a.jpg", key="a.jpg", etag="e", size=20 << 30),))
    with pytest.raises(PictureError, match="too large: the file has 21475 MB"):
        _body(Memory(), listed, 0)


def test_a_job_takes_so_many_pictures(monkeypatch):
    store = Memory()
    store.bodies.update({f"p/{number}.jpg": b"" for number in range(4)})
    monkeypatch.setattr(pictures, "_MOST", 3)
    with pytest.raises(ConfigurationError, match="more than 3 pictures"):
        pictures.list_pictures(store, "b", "p/")
    monkeypatch.setattr(pictures, "_MOST", 4)
    assert pictures.list_pictures(store, "b", "p/").startswith("s3://b/uploads/")


@pytest.mark.parametrize("name", ["deeplabcut", "sleap"])
def test_a_table_of_many_tracks_is_written_in_short_blocks_and_is_the_same(name, monkeypatch, tmp_path):
    crowd = together(*(person_at(100.0 + 50 * number, 100.0) for number in range(5)))
    rows = rows_of([crowd] * 30, [np.arange(5)] * 30, np.arange(30) / 30)
    video = Video("clip", "s3://b/clip.mp4", 640, 360, 30, 30.0, (1, 2, 3, 4, 5))
    for folder, most in (("long", labs._BLOCK_BYTES), ("short", 1)):
        monkeypatch.setattr(labs, "_BLOCK_BYTES", most)
        (tmp_path / folder).mkdir()
        export = exporter(name, tmp_path / folder, video)
        export.add(rows)
        export.close()
    for path in (tmp_path / "long").iterdir():
        if path.suffix == ".csv":
            assert path.read_bytes() == (tmp_path / "short" / path.name).read_bytes()
        else:
            same(path, tmp_path / "short" / path.name)


def same(one, other):
    """Whether two HDF5 files hold the same arrays."""
    import h5py

    with h5py.File(one) as a, h5py.File(other) as b:
        names = []
        a.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
        assert names
        for name in names:
            np.testing.assert_array_equal(a[name][()], b[name][()])


def test_a_uri_is_no_markup_of_the_terminal(capsys):
    info = JobInfo(job_id="j", uri="s3://b/a[/b][link=https://evil]x.mp4", state=State.QUEUED, created_s=1.0)
    console().print(jobs_table([info]))
    assert "a[/b][link=https://evil]x.mp4" in capsys.readouterr().out


def test_unpacking_leaves_no_file_out_and_keeps_to_its_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "trc.zip", "w") as archive:
        archive.writestr("a..b_1.trc", "1")
        archive.writestr("../outside.trc", "2")
    folder = fetching._unpacked(tmp_path / "trc.zip")
    assert (folder / "a..b_1.trc").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trc"]
