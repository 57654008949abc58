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
EXTRAS = ("cpu", "gpu")


def problems(extra: str) -> list[str]:
    """What is wrong with the lock file of ``extra``."""
    name = f"requirements/{extra}.txt"
    lock = ROOT / name
    text = lock.read_text()
    found = []
    if re.search(r"https?://|file:/", text):
        found.append(f"{name} holds an address")
    if re.search(r"^schema==", text, re.MULTILINE):
        found.append(f"{name} holds PyPI's package 'schema', which would hide ours")
    if compiled(extra, lock) != text:
        found.append(f"{name} is not current: run 'make lock'")
    return found


def compiled(extra: str, lock: Path) -> str:
    """The lock file as it would be written now, from the pins that are there."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(shutil.copy(lock, folder))
        extras = ["--extra", extra, "--extra", "local", "--extra", "dev"]
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, *COMPILE, *extras, "pyproject.toml", "-o", str(target)], check=True, cwd=ROOT)
        return target.read_text()


if __name__ == "__main__":
    wrong = [problem for extra in EXTRAS for problem in problems(extra)]
    print("\n".join(wrong) or "lock files are current")
    sys.exit(bool(wrong))
