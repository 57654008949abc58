"""Which models a job runs, settled before anything is queued, and in how many processes of this machine."""

from schema.errors import ConfigurationError
from schema.messages import ModelIdentity
from schema.options import Options
from schema.settings import Settings
from workers.models.store import backend, identity, kind_of


def models_for(settings: Settings, name: str | None, options: Options) -> tuple[ModelIdentity, ModelIdentity | None]:
    """The model that finds people, by default the configured one, and the one of ``options.refine``.

    Raises:
        ModelError: there is no such model, it has not been pulled, or it is damaged.
        ConfigurationError: the options do not fit the model.
    """
    finder = identity(name or settings.model, settings.models_dir)
    looks_closely = options.refine != "off" or options.tiles != "off" or bool(options.extra_sizes)
    if looks_closely and kind_of(finder.name, settings.models_dir) == "singlepose":
        raise ConfigurationError(
            f"--model {finder.name} follows one person by itself: "
            "leave out --quality, --refine, --tiles and --extra-sizes, or choose multipose-lightning"
        )
    return finder, None if options.refine == "off" else identity(f"singlepose-{options.refine}", settings.models_dir)


def infer_processes(settings: Settings, cores: int) -> int:
    """How many processes find people on this machine: one per core, but two on a GPU, where one computes and one reads.

    Raises:
        ModelError: see `workers.models.store.backend`.
    """
    return cores if backend(settings) == "litert" else min(2, cores)
