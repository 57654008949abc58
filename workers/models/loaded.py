"""The models that this process holds: loaded once, kept for job after job."""

from functools import lru_cache

from schema.messages import ModelIdentity, VideoJob
from schema.settings import Settings, current
from workers.engine.engine import Engine, many, one
from workers.models.measured import MeasuredPoseModel, MeasuredSinglePoseModel
from workers.models.port import PoseModel, SinglePoseModel
from workers.models.store import identity, kind_of, load_multipose, load_singlepose


@lru_cache(maxsize=2)
def _multipose(model: ModelIdentity) -> PoseModel:
    return MeasuredPoseModel(load_multipose(model, current()))


@lru_cache(maxsize=2)
def _singlepose(model: ModelIdentity) -> SinglePoseModel:
    return MeasuredSinglePoseModel(load_singlepose(model, current()))


def engine_for(job: VideoJob) -> Engine:
    """The engine with the models that ``job`` asks for; raises `ModelError`."""
    if kind_of(job.model.name, current().models_dir) == "singlepose":
        return one(_singlepose(job.model))
    refiner = _singlepose(job.refiner) if job.refiner else None
    return many(job.options, _multipose(job.model), refiner)


def warm(settings: Settings) -> None:
    """Load the configured model."""
    model = identity(settings.model, settings.models_dir)
    single = kind_of(settings.model, settings.models_dir) == "singlepose"
    (_singlepose if single else _multipose)(model)
