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
OTHERS = ("bootstrap", "npm", "sbom")
"""Lock files of tools, each made from a file ``.in``."""
PINNED_BY = {"gpu": "cpu", "dev": "cpu", "image-cpu": "cpu", "image-gpu": "gpu", "peers": "cpu"}
"""The lock file whose versions another one takes."""


def asked() -> dict[str, list[str]]:
    """Lock files, and what each is compiled from."""
    found = {}
    for kind, extras in EXTRAS.items():
        named = [word for extra in extras for word in ("--extra", extra)]
        found[f"requirements/{kind}.txt"] = [*named, *_pins(kind), "pyproject.toml"]
    for kind in OTHERS:
        found[f"requirements/{kind}.txt"] = [*_pins(kind), f"requirements/{kind}.in"]
    for wanted in sorted((ROOT / "tests/benchmarks/peers").glob("*.in")):
        source = wanted.relative_to(ROOT)
        found[str(source.with_suffix(".txt"))] = [*_pins("peers"), str(source)]
    return found


def _pins(kind: str) -> list[str]:
    return ["-c", f"requirements/{PINNED_BY[kind]}.txt"] if kind in PINNED_BY else []


def problems(name: str, sources: list[str]) -> list[str]:
    """What is wrong with the lock file ``name``."""
    lock = ROOT / name
    text = lock.read_text()
    found = []
    if re.search(r"https?://|file:/", text):
        found.append(f"{name} holds an address")
    if re.search(r"^schema==", text, re.MULTILINE):
        found.append(f"{name} holds PyPI's package 'schema', which would hide ours")
    if compiled(sources, lock) != text:
        found.append(f"{name} is not current: run 'make lock'")
    return found


def compiled(sources: list[str], lock: Path) -> str:
    """The lock file as it would be written now, from the pins that are there."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(shutil.copy(lock, folder))
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, *COMPILE, *sources, "-o", str(target)], check=True, cwd=ROOT)
        return target.read_text()


if __name__ == "__main__":
    wrong = [problem for name, sources in asked().items() for problem in problems(name, sources)]
    print("\n".join(wrong) or "lock files are current")
    sys.exit(bool(wrong))
