"""How close a job came to what its workers could do."""

import time

import pytest

from schema.speed import reports, speed_of_light
from workers.telemetry import measure

TIMES = {
    "split:start": "100.0",
    "split:end": "100.5",
    "infer:start": "101.0",
    "infer:end": "111.0",
    "infer:frames": "240",
    "infer:busy": "18.0",
    "infer:wait": "2.0",
    "infer:ideal": "15.0",
    "infer:infer": "12.5",
    "infer:decode": "2.5",
    "render:start": "112.0",
    "frames": "480",
}


def test_a_step_is_compared_with_what_its_workers_could_do():
    infer = reports(TIMES, 480)["infer"]
    assert infer.speed_of_light == 15 / 20
    assert infer.frames_per_second == 24.0, "only what is done counts"
    assert infer.busy_seconds == 20.0
    assert infer.parts == {"decode": 2.5, "infer": 12.5, "wait": 2.0}


def test_a_step_that_has_not_ended_anything_is_left_out():
    assert set(reports(TIMES, 480)) == {"split", "infer"}


def test_steps_of_which_nothing_is_known_do_not_count():
    found = reports(TIMES, 480)
    assert found["split"].speed_of_light is None
    assert speed_of_light(found.values()) == 0.75
    assert speed_of_light([found["split"]]) is None


def test_a_task_is_ideal_when_it_does_nothing_but_compute():
    with measure.over("infer", "job", "00000000-00000010"):
        measure.spent("decode", 1.0)
        measure.spent("fetch", 9.0)
        measure.called(4.0, pictures=8, room=8, usual_s=0.5)
        spent = measure.done()
    assert spent["ideal"] == 1.0 + 8 * 0.5
    assert (spent["fetch"], spent["infer"], spent["wait"]) == (9.0, 4.0, 0.0)


def test_on_a_device_only_the_model_counts():
    with measure.over("infer", "job", "00000000-00000010"):
        measure.spent("decode", 1.0)
        measure.called(4.0, pictures=8, room=8, usual_s=0.25, on_device=True)
        assert measure.done()["ideal"] == 2.0


@pytest.mark.parametrize(("job", "waits"), [("one", True), ("another", False)])
def test_the_wait_between_two_tasks_of_a_step_counts(job, waits):
    with measure.over("infer", "one", "00000000-00000010"):
        measure.done()
    time.sleep(0.02)
    with measure.over("infer", job, "00000010-00000020"):
        assert (measure.done()["wait"] >= 0.02) is waits
