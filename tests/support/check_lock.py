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
EXTRAS = {
    "cpu": ["cpu", "local"],
    "gpu": ["gpu", "local"],
    "dev": ["local", "notebook", "otel", "dev"],
    "image-cpu": ["litert", "flower", "otel"],
    "image-gpu": ["gpu", "flower", "otel"],
}
"""Extras of each lock file of the project."""
OTHERS = ("bootstrap", "build", "npm", "sbom")
"""Lock files of tools, each made from a file ``.in``."""
PINNED_BY = {"gpu": "cpu", "dev": "cpu", "image-cpu": "cpu", "image-gpu": "gpu", "build": "cpu"}
"""The lock file whose versions another one takes."""


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
        asked = [word for extra in EXTRAS.get(kind, ()) for word in ("--extra", extra)]
        asked += ["-c", f"requirements/{PINNED_BY[kind]}.txt"] if kind in PINNED_BY else []
        asked += ["pyproject.toml" if kind in EXTRAS else f"requirements/{kind}.in"]
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, *COMPILE, *asked, "-o", str(target)], check=True, cwd=ROOT)
        return target.read_text()


if __name__ == "__main__":
    wrong = [problem for kind in (*EXTRAS, *OTHERS) for problem in problems(kind)]
    print("\n".join(wrong) or "lock files are current")
    sys.exit(bool(wrong))
