"""What an image holds: ``python -m tests.images.contents FOLDER/cpu`` prints its size and fails if something is there
that should not be."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 900_000_000
_FORBIDDEN = {
    "TensorFlow": re.compile(r"/(tensorflow|tf_keras|keras)(/|-)|libtensorflow"),
    "a compiler": re.compile(r"bin/(gcc|g\+\+|cc|c\+\+|cc1\w*|clang|ld|as|make|cmake|ninja|uv)([-.\d]*)$"),
    "a cache": re.compile(
        r"(^|/)(\.cache|\.npm|var/cache/apt/archives|var/lib/apt/lists)/.*\.(deb|whl|gz|lz4|bin)$|_Packages"
    ),
    "a secret": re.compile(r"(^|/)(\.env|\.git|tokens\.json|id_rsa)(/|$)"),
}


def files(root: Path) -> Iterator[tuple[str, int]]:
    """Name below ``root`` and bytes of every file; one with several names counts once."""
    seen = set()
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        facts = path.stat()
        if facts.st_ino not in seen:
            seen.add(facts.st_ino)
            yield str(path.relative_to(root)), facts.st_size


def problems(root: Path) -> list[str]:
    """What is wrong with an image's files."""
    listed = list(files(root))
    found = [f"{what}: {name}" for name, _ in listed for what, how in _FORBIDDEN.items() if how.search(f"/{name}")]
    if (size := sum(each for _, each in listed)) > MOST_BYTES:
        found.append(f"{size / 1e6:.0f} MB are more than {MOST_BYTES / 1e6:.0f}")
    return found


def table(root: Path) -> Iterator[str]:
    """Megabytes by part, largest first."""
    sizes: Counter[str] = Counter()
    for name, size in files(root):
        parts = Path(name).parts
        sizes["/".join(parts[: 7 if "site-packages" in parts else 3][:-1] or parts)] += size
    yield f"{sum(sizes.values()) / 1e6:8.1f} MB  {root.name}"
    yield from (f"{size / 1e6:8.1f} MB  {part}" for part, size in sizes.most_common(40))


def main() -> None:
    """The command."""
    root = Path(sys.argv[1])
    print("\n".join(table(root)))
    wrong = problems(root)
    print("\n".join(wrong) or "nothing is there that should not be")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
