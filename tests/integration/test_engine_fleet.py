"""Options, models and pictures through the whole fleet: real servers, real worker processes."""

import json
import shutil
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from producer import Fleet
from producer.inputs import Input, accept, collect, resolve, upload
from schema.errors import ConfigurationError, ModelError
from schema.options import Options
from schema.settings import Settings
from tests.support.media import CLIP

pytestmark = pytest.mark.stack
WAIT_S = 200


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> str:
    """24 frames of the clip from its second key frame on, where both people are seen, in S3."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    with av.open(str(CLIP)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        made = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size][60:84]
        begin = packets[0].dts
        assert packets[0].is_keyframe
        assert begin is not None
        for packet in packets:
            packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, made
            target.mux(packet)
    return upload(fleet, path)


def done(job: Any) -> Any:
    status = job.wait(WAIT_S)
    assert status.state == "succeeded", status
    return status.manifest


@pytest.mark.parametrize("quality", ["balanced", "best"])
def test_a_preset_runs_and_is_written_down(fleet, short, quality):
    job = fleet.enqueue(short, Options.checked(quality=quality, render=False), batch_frames=2)
    manifest = done(job)
    assert manifest.options["quality"] == quality
    assert manifest.options["refine"] == "thunder"
    assert manifest.refiner is not None
    assert manifest.refiner["name"] == "singlepose-thunder"
    table = job.tracks().to_pandas()
    assert (table.groupby("frame_index").size() == 2).mean() > 0.9


def test_tiles_and_more_people_run(fleet, short):
    options = Options.checked(tiles="1x2", refine="lightning", max_people=40, render=False, formats=["coco"])
    job = fleet.enqueue(short, options)
    manifest = done(job)
    assert manifest.options["tiles"] == "1x2"
    names = {"tracks.parquet", "tracks_raw.parquet", "tracks_summary.csv", "keypoints_coco.json"}
    assert {result.name for result in manifest.results} == names


@pytest.mark.parametrize("name", ["singlepose-lightning", "singlepose-thunder"])
def test_a_single_pose_model_follows_one_person(fleet, short, name):
    job = fleet.enqueue(short, Options(render=False), model=name)
    manifest = done(job)
    assert manifest.model["name"] == name
    table = job.tracks().to_pandas()
    assert table.groupby("frame_index").size().max() == 1
    assert len(table) > 20
    assert np.abs(np.diff(table["nose_x"])).max() < 60


def test_the_cut_does_not_show_in_refined_tracks(fleet, short):
    options = Options.checked(refine="lightning", looks=2, render=False)
    tables = [fleet.enqueue(short, options, batch_frames=size, force=True) for size in (24, 5)]
    whole, cut = (done(job) and job.tracks() for job in tables)
    assert whole.equals(cut)


def test_what_cannot_work_is_refused_before_anything_is_queued(fleet, short):
    before = len(list(fleet.jobs()))
    with pytest.raises(ModelError, match="unknown model nope: give multipose-lightning, singlepose-lightning"):
        fleet.enqueue(short, model="nope")
    with pytest.raises(ConfigurationError, match="follows one person by itself"):
        fleet.enqueue(short, Options.checked(quality="best"), model="singlepose-thunder")
    assert len(list(fleet.jobs())) == before


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Five frames of the clip as pictures of several kinds, one of them lying on its side, and a broken one."""
    folder = tmp_path_factory.mktemp("pictures") / "park"
    (folder / "more").mkdir(parents=True)
    with av.open(str(CLIP)) as container:
        frames = [f.to_image() for i, f in enumerate(container.decode(video=0)) if i in (40, 60, 80, 100)]
    frames[0].save(folder / "a.jpg")
    frames[1].save(folder / "b.png")
    frames[2].resize((427, 240)).save(folder / "more" / "c.webp")
    exif = Image.Exif()
    exif[0x0112] = 6
    frames[3].transpose(Image.Transpose.ROTATE_90).save(folder / "d.jpg", exif=exif)
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:9000])
    return folder


@pytest.fixture(scope="module")
def of_pictures(fleet, pictures, tmp_path_factory):
    (given,) = collect([str(pictures)])
    job = fleet.enqueue(accept(fleet, given), Options.checked(refine="lightning"))
    status = job.wait(WAIT_S)
    folder = tmp_path_factory.mktemp("of_pictures")
    fleet.fetch(job.job_id, folder)
    return status, folder


def test_a_broken_picture_is_listed_and_the_rest_delivered(of_pictures):
    status, _ = of_pictures
    assert status.state == "partial"
    (broken,) = status.manifest.broken
    assert broken.name == "broken.jpg"
    assert "damaged" in broken.reason
    assert (status.manifest.frames, status.manifest.planned_frames) == (4, 5)


def test_keypoints_are_in_pixels_of_the_pictures_as_displayed(of_pictures):
    _, folder = of_pictures
    document = json.loads((folder / "keypoints_coco.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.jpg", "b.png", "d.jpg", "more/c.webp"]
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in document["images"]}
    assert sizes["d.jpg"] == (854, 480)
    assert sizes["more/c.webp"] == (427, 240)
    ids = {image["file_name"]: image["id"] for image in document["images"]}
    for name, (width, height) in sizes.items():
        people = [p for p in document["annotations"] if p["image_id"] == ids[name] and p["score"] > 0.3]
        assert people, name
        walker = max(people, key=lambda person: person["bbox"][0])
        assert 0.5 * width < walker["bbox"][0] + walker["bbox"][2] / 2 < 0.9 * width
        assert 0.4 * height < walker["keypoints"][1] < 0.75 * height


def test_people_are_drawn_on_every_picture(of_pictures, pictures):
    _, folder = of_pictures
    for name in ("a.jpg", "b.png", "more/c.webp"):
        drawn = np.asarray(Image.open(folder / "annotated" / name), int)
        source = np.asarray(Image.open(pictures / name), int)
        assert drawn.shape == source.shape
        assert 0.002 < (np.abs(drawn - source).sum(-1) > 120).mean() < 0.1
    assert not (folder / "annotated" / "broken.jpg").exists()


def test_pictures_below_a_prefix_in_storage_are_one_job(fleet, pictures):
    for name in ("a.jpg", "b.png"):
        fleet.store.put_new(f"shots/park/{name}", (pictures / name).read_bytes())
    uri = resolve(fleet, f"s3://{fleet.store.bucket}/shots/park/")
    job = fleet.enqueue(uri, Options(render=False))
    assert done(job).frames == 2
    assert fleet.enqueue(resolve(fleet, f"s3://{fleet.store.bucket}/shots/park/"), Options(render=False)) == job
    with pytest.raises(ConfigurationError, match="holds no picture"):
        resolve(fleet, f"s3://{fleet.store.bucket}/nothing/")


def test_a_folder_without_any_readable_picture_fails_and_says_why(fleet, tmp_path):
    (tmp_path / "x.jpg").write_text("no picture")
    status = fleet.enqueue(accept(fleet, Input("x", "x", {"x.jpg": tmp_path / "x.jpg"}))).wait(WAIT_S)
    assert status.state == "failed"
    assert "none of the 1 pictures could be read: the file is no picture" in status.error.message


def test_damaged_weights_are_noticed_before_anything_is_queued(fleet, short, tmp_path):
    models = tmp_path / "models"
    source = Settings.read().models_dir / "multipose-lightning"
    shutil.copytree(source, models / "multipose-lightning")
    trunk = models / "multipose-lightning" / "trunk.tflite"
    body = bytearray(trunk.read_bytes())
    body[len(body) // 2] ^= 1
    trunk.write_bytes(body)
    before = len(list(fleet.jobs()))
    other = Fleet(fleet.settings.model_copy(update={"cache_dir": tmp_path}))
    with pytest.raises(ModelError, match=r"trunk.tflite is damaged: delete .* and run 'posefleet model pull'"):
        other.enqueue(short)
    assert len(list(fleet.jobs())) == before
