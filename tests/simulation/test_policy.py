"""The model reads the chart and the code: who changes a value there changes the model."""

import pytest

from schema.queue import make_app
from tests.chart.rendering import PROFILES, profile
from tests.simulation.costs import Cost, Costs
from tests.simulation.figures import Figures
from tests.simulation.fleet import Fleet
from tests.simulation.policy import cores, defaults, delivery_of, read
from tests.simulation.work import STEPS, Video


@pytest.mark.parametrize("name", [*PROFILES, "keda"])
def test_every_profile_has_workers_for_every_queue(name: str):
    known = read(name)
    assert {queue for pool in known.pools for queue in pool.queues} == set(STEPS)
    assert all(
        (pool.scaling is None) == (profile(name).get("autoscaling", {}).get("by") != "keda") for pool in known.pools
    )


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ("autoscaling: {pollingSeconds: 7}", lambda found: found.pool("render").scaling.polling_s == 7),
        ("autoscaling: {cooldownSeconds: 77}", lambda found: found.pool("render").scaling.cooldown_s == 77),
        ("autoscaling: {stabilizationSeconds: 777}", lambda found: found.pool("render").scaling.window_s == 777),
        ("pools: {infer-gpu: {outstandingPerReplica: 3}}", lambda found: found.pool("infer-gpu").scaling.target == 3),
        ("pools: {infer-gpu: {activation: 30}}", lambda found: found.pool("infer-gpu").scaling.activation == 30),
        ("pools: {infer-gpu: {minReplicas: 2}}", lambda found: found.pool("infer-gpu").scaling.least == 2),
        ("pools: {infer-gpu: {maxReplicas: 2}}", lambda found: found.pool("infer-gpu").scaling.most == 2),
        ("pools: {render: {concurrency: 7}}", lambda found: found.pool("render").processes == 7),
        ("pools: {render: {spot: false}}", lambda found: not found.pool("render").spot),
        ("pools: {infer-gpu: {spot: true}}", lambda found: found.pool("infer-gpu").soft_s == 15),
        ("settings: {soft_shutdown_s: 33}", lambda found: found.pool("infer-gpu").soft_s == 33),
        ("settings: {visibility_timeout_s: 500}", lambda found: found.delivery.returned_s == 502.5),
        ("settings: {visibility_timeout_s: 500}", lambda found: found.delivery.limits["stitch"] == 475),
        ("settings: {task_limit_s: 130}", lambda found: found.delivery.limits["infer"] == 130),
        ("settings: {batch_frames: 480}", lambda found: Video(4800).ranges(found.settings) == [480] * 10),
        ("settings: {max_attempts: 9}", lambda found: found.settings.max_attempts == 9),
        ("pools: {infer-gpu: {resources: {limits: {cpu: 7}}}}", lambda found: found.pool("infer-gpu").cores == 7),
    ],
)
def test_a_value_of_the_chart_changes_the_model(values: str, what):
    assert not what(read())
    assert what(read(values=values))


def test_celery_settings_change_the_model():
    settings = defaults()
    app = make_app(settings)
    app.conf.update(worker_prefetch_multiplier=4, task_acks_late=False)
    changed, known = delivery_of(app, settings), delivery_of(make_app(settings), settings)
    assert (known.prefetch, known.returned_s) == (1, settings.visibility_timeout_s + 2.5)
    assert (changed.prefetch, changed.returned_s) == (4, settings.lost_after_s + settings.sweep_interval_s)


def busy_at_once(values: str) -> int:
    """Most GPU pods of a night's beginning."""
    fleet = Fleet(read(values=values), Costs(dict.fromkeys(STEPS, Cost(1.0))))
    fleet.submit([Video(2400, render=False)] * 50)
    fleet.run(300)
    return fleet.tally.most_pods["infer-gpu"]


def test_a_simulated_fleet_has_as_many_pods_as_the_chart_lets_it():
    assert busy_at_once("pools: {infer-gpu: {maxReplicas: 3}}") == 3
    assert busy_at_once("pools: {infer-gpu: {maxReplicas: 5}}") == 5
    assert busy_at_once("pools: {infer-gpu: {outstandingPerReplica: 250}}") == 2


def test_cores_are_read_as_kubernetes_writes_them():
    assert (cores("4"), cores("500m")) == (4.0, 0.5)


def test_videos_are_cut_as_the_planner_cuts_them():
    settings = defaults()
    assert Video(1800).ranges(settings) == [240] * 7 + [120]
    assert Video(100).ranges(settings) == [32, 32, 36]
    assert sum(Video(12_345, pixels=4 * 1920 * 1080).ranges(settings)) == 12_345


def test_a_gpu_worker_decodes_with_the_threads_of_its_pool_up_to_its_cores():
    assert read().decoder_threads == 2
    assert read(values="pools: {infer-gpu: {concurrency: 1, settings: {decoder_threads: 3}}}").decoder_threads == 3
    assert read(values="pools: {infer-gpu: {resources: {limits: {cpu: 1500m}}}}").decoder_threads == 1


def test_every_figure_has_a_source_and_every_option_changes_one():
    for name, each in Figures().all.items():
        assert each.source, name
        assert each.source.startswith(("measured", "assumption", "given", "the question", "Redis", "workers/")), name
    assert Figures({"gpu_fps": 10}).gpu_frame_s() == 0.1
    assert Figures().gpu_frame_s(4) < 0.5 * Figures().gpu_frame_s()
    assert Figures({"gpu_fps": 10}).all["gpu_fps"].source == "given"
