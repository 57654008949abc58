"""The two folders outside the repository, as the environment names them; read without the rest of the settings."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Models and compiled code."""
    return _named("POSEFLEET_CACHE_DIR") or _usual("XDG_CACHE_HOME", ".cache")


def data_folder() -> Path:
    """Data of the local stack."""
    return _named("POSEFLEET_DATA_DIR") or _usual("XDG_DATA_HOME", ".local/share")


def _named(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named) if named else None


def _usual(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "posefleet"
