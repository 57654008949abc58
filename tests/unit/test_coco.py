import json

import pytest

from schema.pictures import PictureEntry, PictureList
from tests.support.people import person_at, together
from workers.formats.coco import CocoWriter


def listed(*names):
    return PictureList(bucket="b", pictures=tuple(PictureEntry(name=n, key=n, etag="e", size=1) for n in names))


def written(path, *, images):
    with CocoWriter(path, images=images) as writer:
        writer.add(7, "a.jpg", (640, 480), together(person_at(100, 100, 0.5), person_at(300, 100, 0.25)))
        writer.add(9, "b.jpg", (320, 240), together())
    return json.loads(path.read_text())


def test_results_are_the_list_that_coco_reads(tmp_path):
    people = written(tmp_path / "k.json", images=False)
    assert [(p["image_id"], p["category_id"], p["score"]) for p in people] == [(7, 1, 0.5), (7, 1, 0.25)]
    assert people[0]["keypoints"][:3] == [100, 100, 0.9]
    assert len(people[0]["keypoints"]) == 51
    assert people[0]["bbox"] == [75, 90, 50, 140]


def test_other_pictures_come_with_the_list_of_images(tmp_path):
    document = written(tmp_path / "k.json", images=True)
    assert document["images"] == [
        {"id": 7, "file_name": "a.jpg", "width": 640, "height": 480},
        {"id": 9, "file_name": "b.jpg", "width": 320, "height": 240},
    ]
    assert len(document["annotations"]) == 2


def test_nobody_anywhere_is_an_empty_list(tmp_path):
    with CocoWriter(tmp_path / "k.json", images=False) as writer:
        writer.add(1, "a.jpg", (10, 10), together())
    assert json.loads((tmp_path / "k.json").read_text()) == []


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["000000000139.jpg", "sub/COCO_val2014_000000000285.jpg"], (139, 285)),
        (["000000000139.jpg", "beach.jpg"], (1, 2)),
        (["a/000000000139.jpg", "b/000000000139.jpg"], (1, 2)),
    ],
    ids=["COCO's names", "one other name", "one name twice"],
)
def test_image_ids_are_cocos_or_positions(names, ids):
    assert listed(*names).image_ids == ids
