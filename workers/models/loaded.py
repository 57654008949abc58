"""The model that this process holds: loaded once, kept for job after job."""

from functools import lru_cache

from schema.messages import ModelIdentity, VideoJob
from schema.settings import Settings, current
from workers.models.port import PoseModel
from workers.models.store import identity, load


@lru_cache(maxsize=2)
def _loaded(model: ModelIdentity) -> PoseModel:
    return load(model, current())


def model_of(job: VideoJob) -> PoseModel:
    """The model that ``job`` asks for; raises `ModelError`."""
    return _loaded(job.model)


def warm(settings: Settings) -> None:
    """Load the configured model."""
    _loaded(identity(settings.model, settings.models_dir))
