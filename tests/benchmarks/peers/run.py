"""Make the environments of the peers in the cache folder, and call them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
_PACKAGE = "tests.benchmarks.peers"
_CALL_S, _INSTALL_S = 1800, 1200
_LAST = 300


class PeerFailed(Exception):
    """It does not install or run; says why."""


class Peer(NamedTuple):
    """One way to call a script of this package."""

    name: str
    script: str
    locked: str
    """Stem of its requirements."""
    arguments: tuple[str, ...] = ()
    most: int = 1 << 30
    """Frames that it is given at most: slow ones need no more for a figure."""
    node: bool = False
    whole: bool = False
    """Runs the network to its end in LiteRT."""


PEERS = (
    Peer("Ray Data", "ray_data", "ray_data", whole=True),
    Peer("multiprocessing pool", "pool", "pool", whole=True),
    Peer("a pool with the fleet's heads", "pool", "pool"),
    Peer("tutorial as written", "tutorial", "tutorial", most=60),
    Peer("tutorial at 160 x 256", "tutorial", "tutorial", ("--height=160", "--width=256"), most=200),
    Peer("TensorFlow.js", "tfjs", "pool", most=60, node=True),
)


def prepare(peer: Peer, cache: Path, model: Path) -> list[str]:
    """Install what a peer needs, unless it is there; its command without the clip.

    Args:
        peer: who.
        cache: the cache folder.
        model: folder of the pulled model.

    Raises:
        PeerFailed: it does not install.
    """
    command = [str(_python(peer.locked, cache)), "-W", "ignore", "-m", f"{_PACKAGE}.{peer.script}", *peer.arguments]
    command += ["--model", str(model)]
    command += ["--whole", str(_whole(cache, model))] if peer.whole else []
    return [*command, "--node-folder", str(_node_folder(cache))] if peer.node else command


def call(peer: Peer, command: list[str], clip: Path, frames: int) -> float:
    """Frames per second of a peer.

    Args:
        peer: who.
        command: see `prepare`.
        clip: a video.
        frames: of the video.

    Raises:
        PeerFailed: it ended with an error.
    """
    given = [str(clip), "--frames", str(min(frames, peer.most))]
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        named = {"PYTHONPATH": str(ROOT), "TMPDIR": folder, "RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"}
        said = json.loads(_run([*command, *given], ROOT, _CALL_S, named).splitlines()[-1])
    return float(said["frames"] / said["seconds"])


def _python(locked: str, cache: Path) -> Path:
    """The interpreter of an environment that has exactly what ``locked``.txt pins."""
    requirements = HERE / f"{locked}.txt"
    folder = _folder(cache, locked, requirements)
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        uv = str(Path(sys.executable).parent / "uv")
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], HERE, _INSTALL_S)
        sync = [uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(requirements)]
        _run(sync, HERE, _INSTALL_S)
        ready.touch()
    return python


def _node_folder(cache: Path) -> Path:
    """A folder with the script for Node.js and all that it imports."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise PeerFailed("there is no node and npm on PATH")
    source = HERE / "node"
    folder = _folder(cache, "node", source / "package.json")
    if not (folder / "ready").exists():
        shutil.copytree(source, folder, dirs_exist_ok=True)
        _run([npm, "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"], folder, _INSTALL_S)
        (folder / "ready").touch()
    shutil.copy(source / "movenet.mjs", folder)
    return folder


def _whole(cache: Path, model: Path) -> Path:
    """The network of a pulled model as a LiteRT file that ends in the map of every head."""
    target = _folder(cache, "whole", model / "model.json") / "whole.tflite"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-W", "ignore", "-m", f"{_PACKAGE}.whole", str(model / "saved_model"), str(target)]
        _run(command, ROOT, _INSTALL_S)
    return target


def _folder(cache: Path, name: str, pinned: Path) -> Path:
    return cache / "peers" / f"{name}-{hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]}"


def _run(command: list[str], folder: Path, most_s: float, named: dict[str, str] | None = None) -> str:
    """What a command prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(named or {})}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=most_s
        )
    except subprocess.CalledProcessError as error:
        raise PeerFailed(f"{Path(command[0]).name} failed: {error.stderr.strip()[-_LAST:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerFailed(str(error)[:_LAST]) from error
    return done.stdout
