"""The engine on planted people: every call full, order kept, nothing dependent on what comes together."""

import numpy as np
import pytest

from schema.options import Options
from workers.core.regions import Region, Square
from workers.engine.ahead import ahead
from workers.engine.engine import many, one
from workers.engine.follow import crop_around
from workers.engine.look import Task, located


class Blank:
    """A picture whose pixels all hold its number."""

    def __init__(self, number, width=640, height=360):
        self.number, self.width, self.height = number, width, height
        self.crops = []

    def view(self, region, letterbox):
        return np.full((letterbox.padded_height, letterbox.padded_width, 3), self.number, np.uint8)

    def crop(self, square, side):
        self.crops.append(square)
        return np.full((side, side, 3), self.number, np.uint8)


class Planted:
    """A MultiPose model that finds as many people as the picture's number says, and notes its calls."""

    def __init__(self, batch=4):
        self._batch = batch
        self.calls = []

    def batch(self, height, width):
        return self._batch

    def detect(self, pictures, people):
        self.calls.append((pictures.shape[1:3], len(pictures)))
        found = np.zeros((len(pictures), people, 56), np.float32)
        for row, picture in enumerate(pictures):
            for person in range(min(people, int(picture[0, 0, 0]) % 5)):
                x = 0.15 + 0.18 * person
                found[row, person, 0:51:3], found[row, person, 1:51:3] = 0.5, x
                found[row, person, 2:51:3] = 0.5
                found[row, person, 51:56] = (0.3, x - 0.05, 0.7, x + 0.05, 0.9 - 0.1 * person)
        return found


class Single:
    """A single-pose model that finds every keypoint in the crop's middle."""

    side, batch = 32, 4

    def __init__(self):
        self.calls = []

    def locate(self, crops, expected=None):
        self.calls.append(len(crops))
        found = np.full((len(crops), 17, 3), 0.5, np.float32)
        found[..., 2] = 0.8
        return found


def counts(engine, numbers):
    return [len(people.scores) for people in engine.run(iter(Blank(n) for n in numbers))]


def test_each_picture_gets_its_own_people_in_order():
    numbers = [1, 3, 0, 2, 4, 0, 1, 2, 3]
    assert counts(many(Options(), Planted(), None), numbers) == numbers
    assert counts(many(Options.checked(refine="thunder"), Planted(), Single()), numbers) == numbers


def test_no_picture_is_no_work():
    model = Planted()
    assert counts(many(Options(), model, None), []) == []
    assert model.calls == []


def test_calls_are_full_but_the_last_of_each_shape():
    model = Planted(batch=4)
    counts(many(Options.checked(extra_sizes="384", tiles="2x2"), model, None), [1] * 9)
    whole = [count for shape, count in model.calls if max(shape) == 384]
    assert whole == [4, 4, 1]
    tiles_and_whole = [count for shape, count in model.calls if max(shape) == 256]
    assert sum(tiles_and_whole) == 9 * 5
    assert all(count % 4 == 0 for count in tiles_and_whole[:-2])


def test_crops_of_many_pictures_fill_each_call():
    single = Single()
    counts(many(Options.checked(refine="thunder", looks=2), Planted(), single), [1, 3, 0, 2, 4])
    assert single.calls == [4] * 5


def test_pictures_of_all_shapes_may_come_together():
    pictures = [Blank(2, 640, 360), Blank(3, 360, 640), Blank(1, 500, 500), Blank(4, 640, 360)]
    found = many(Options(), Planted(), None).run(iter(pictures))
    assert [len(people.scores) for people in found] == [2, 3, 1, 4]


def test_crops_are_squares_around_the_boxes():
    picture = Blank(1)
    list(many(Options.checked(refine="thunder"), Planted(), Single()).run(iter([picture])))
    (square,) = picture.crops
    assert square.side == round(1.15 * 0.4 * 160 * 640 / 256)
    assert abs(square.left + square.side / 2 - 0.15 * 640) <= 1


def test_at_most_as_many_people_as_asked_for():
    assert counts(many(Options.checked(max_people=2), Planted(), None), [4, 1]) == [2, 1]
    several = many(Options.checked(max_people=2, extra_sizes="128"), Planted(), None)
    found = several.run(iter([Blank(4, 640, 640), Blank(1, 640, 640)]))
    assert [len(people.scores) for people in found] == [2, 1]


def test_one_person_is_followed_with_a_second_closer_look():
    picture = Blank(7)
    model = Single()
    (people,) = one(model).run(iter([picture]))
    assert len(people.scores) == 1
    assert picture.crops[0] == Square.around(319.5, 179.5, 640)
    assert len(picture.crops) == 2
    assert picture.crops[1].side < 640


def standing(height):
    """Someone upright, the hips' middle at (320, 180)."""
    points = np.zeros((17, 3), np.float32)
    points[:, 0], points[:, 2] = 320, 0.9
    points[:, 1] = 180 + height * np.array([-0.5] * 5 + [-0.3] * 2 + [-0.15] * 2 + [0.0] * 4 + [0.25] * 2 + [0.5] * 2)
    return points


def test_the_closer_look_has_room_for_the_body():
    square = crop_around(standing(100), 640, 360)
    assert square is not None
    assert square.side == pytest.approx(2 * 1.2 * 50, abs=1)


@pytest.mark.parametrize("missing", [[11, 12], [5, 6]], ids=["no hips", "no shoulders"])
def test_without_a_torso_the_whole_picture_is_looked_at(missing):
    points = standing(100)
    points[missing, 2] = 0.1
    assert crop_around(points, 640, 360) is None


def test_an_error_on_the_way_is_raised_where_results_are_taken():
    def broken():
        yield Blank(1)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(many(Options(), Planted(), None).run(broken()))


def test_leaving_early_stops_what_runs_ahead():
    def endless():
        while True:
            yield 1

    with ahead(endless(), 3) as items:
        assert next(items) == 1


def test_tasks_without_crops_pass_in_their_place():
    square = Square(0, 0, 10)
    crop = np.zeros((32, 32, 3), np.uint8)
    tasks = [Task("a", [square] * 3, [crop] * 3), Task("b", [], []), Task("c", [square] * 2, [crop] * 2)]
    done = list(located(Single(), iter(tasks)))
    assert [(task.about, len(task.found)) for task in done] == [("a", 3), ("b", 0), ("c", 2)]


def test_a_region_shifts_what_is_found_in_it():
    from tests.support.people import person_at

    moved = Region(50, 20, 200, 200).shifted(person_at(10, 10))
    np.testing.assert_allclose(moved.keypoints[0, 0, :2], (60, 30))
    np.testing.assert_allclose(moved.boxes[0, :2], person_at(60, 30).boxes[0, :2])
