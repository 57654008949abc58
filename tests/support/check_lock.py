"""Fail unless the pinned requirements are what pyproject.toml asks for, with hashes and without addresses."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPILE = ["pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
COMPILE += ["--no-header", "--no-annotate", "--no-emit-index-url"]
EXTRAS = {"cpu": ["cpu", "local"], "gpu": ["gpu", "local"], "dev": ["local", "notebook", "otel", "dev"]}
"""Extras of each lock file."""


def problems(kind: str) -> list[str]:
    """What is wrong with the lock file ``kind``."""
    name = f"requirements/{kind}.txt"
    lock = ROOT / name
    text = lock.read_text()
    found = []
    if re.search(r"https?://|file:/", text):
        found.append(f"{name} holds an address")
    if re.search(r"^schema==", text, re.MULTILINE):
        found.append(f"{name} holds PyPI's package 'schema', which would hide ours")
    if compiled(kind, lock) != text:
        found.append(f"{name} is not current: run 'make lock'")
    return found


def compiled(kind: str, lock: Path) -> str:
    """The lock file as it would be written now, from the pins that are there."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(shutil.copy(lock, folder))
        extras = [word for extra in EXTRAS[kind] for word in ("--extra", extra)]
        extras += [] if kind == "cpu" else ["-c", "requirements/cpu.txt"]
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, *COMPILE, *extras, "pyproject.toml", "-o", str(target)], check=True, cwd=ROOT)
        return target.read_text()


if __name__ == "__main__":
    wrong = [problem for kind in EXTRAS for problem in problems(kind)]
    print("\n".join(wrong) or "lock files are current")
    sys.exit(bool(wrong))
