"""The model against runs of real processes that were recorded, and what its answers must be like."""

from dataclasses import replace

import pytest

from tests.simulation import limits, policy, questions
from tests.simulation.figures import Figures
from tests.simulation.limits import Rates
from tests.simulation.measured import BAR, calibrated, compare, foretold, recorded, table
from tests.simulation.runs import CALIBRATION, POOL, VALIDATION
from tests.simulation.work import Video


def test_the_model_foretells_runs_that_it_was_not_calibrated_with():
    compared = compare(recorded())
    assert [each.run for each in compared] == list(VALIDATION)
    assert CALIBRATION not in VALIDATION
    assert {each.run.name: round(each.error, 3) for each in compared if abs(each.error) > BAR} == {}


def test_the_model_has_as_many_pods_as_there_were():
    record = recorded()
    [run] = [each for each in VALIDATION if each.scaled]
    fleet = foretold(run, calibrated(CALIBRATION, record[CALIBRATION.name]))[1]
    assert fleet.tally.most_pods[POOL] == record[run.name].most_pods == run.workers


def test_the_model_reproduces_the_run_that_it_was_calibrated_with():
    outcome = recorded()[CALIBRATION.name]
    assert foretold(CALIBRATION, calibrated(CALIBRATION, outcome))[0] == pytest.approx(outcome.total_s, rel=0.02)


def test_twice_the_night_needs_twice_the_workers_and_a_faster_gpu_none_where_decoding_is_slower():
    known, slow = policy.read(), Figures({"gpu_fps": 100})
    video = questions.video_of(slow)
    one, two = (questions.fewest(known, Figures({"gpu_fps": 100, "videos": n}), video) for n in (70_000, 140_000))
    assert two == pytest.approx(2 * one, abs=1)
    assert questions.fewest(known, Figures({"gpu_fps": 1e4}), video) == questions.fewest(known, Figures(), video)


def test_a_night_of_few_videos_ends_in_time_and_does_all_once():
    figures = Figures({"videos": 600, "hours": 1})
    known, video = policy.read(), questions.video_of(figures)
    fleet = questions.night(2, known, figures, video)
    assert fleet.tally.done["publish"] == 600
    assert fleet.tally.begun.total() == fleet.tally.done.total() + fleet.tally.returned.total()
    assert fleet.tally.most_pods["infer-gpu"] == 2


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_of_a_pod_share_its_gpu(processes):
    known = policy.read(values=f"pools: {{infer-gpu: {{concurrency: {processes}}}}}")
    slow, video = Figures({"gpu_fps": 100}), Video(2400)
    assert Rates.of(1, slow, known, video).frames == pytest.approx(100, rel=0.12 / processes)
    assert Rates.of(1, slow, known, video).frames <= 100.001


def test_few_workers_do_what_their_rates_say_and_too_many_are_held_up_by_redis():
    known, slow = policy.read(), Figures({"redis_speed": 0.03})
    video = questions.video_of(slow)
    free, full = (Rates.of(10, figures, known, video).batches for figures in (Figures(), slow))
    assert questions.crowd(10, known, Figures(), video) == pytest.approx(free, rel=0.03)
    assert questions.crowd(10, known, slow, video) < 0.6 * full


def test_what_is_shared_bears_so_many_workers_in_proportion():
    figures, known, video = Figures(), policy.read(), Video(1800)
    few, many = (
        limits.uses(
            limits.Asked.by(Rates.of(workers, figures, known, video), figures, known, video, questions._s3()),
            figures,
            known,
        )
        for workers in (10, 100)
    )
    assert [ten.needed for ten in many] == pytest.approx([10 * one.needed for one in few])


def test_longer_batches_ask_less_of_redis():
    figures = Figures()
    known, video = policy.read(), replace(questions.video_of(figures), frames=36_000)
    long = policy.read(values="settings: {batch_frames: 960}")
    short, longer = (
        limits.redis_rate(Rates.of(100, figures, each, video), figures, video, 0)[1] for each in (known, long)
    )
    assert longer < 0.8 * short


def test_the_page_has_the_figures_and_the_runs_that_are_recorded():
    page = questions.PAGE.read_text()
    assert "\n".join(questions.inputs(Figures())) in page
    assert table(compare(recorded())) in page
