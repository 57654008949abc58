"""Leave the libraries of an image as the bytecode that was made of them: ``sourceless.py SITE-PACKAGES``.

What was imported has its bytecode below PYTHONPYCACHEPREFIX.  It takes the place of the source, as PEP 3147 lets it;
tracebacks still name files and lines.  Our own packages keep their sources: by their times numba knows its own code.
So does anyio, which reads itself when it is imported.
"""

import sys
from pathlib import Path

KEPT = {"anyio", "producer", "schema", "workers"}

packages = Path(sys.argv[1])
assert sys.pycache_prefix, "PYTHONPYCACHEPREFIX says where the bytecode is"
compiled = Path(sys.pycache_prefix) / packages.relative_to("/")
for made in sorted(compiled.rglob("*.pyc")):
    place = made.parent.relative_to(compiled)
    source = packages / place / f"{made.name.partition('.')[0]}.py"
    if not KEPT.intersection(place.parts[:1]):
        made.rename(source.with_suffix(".pyc"))
        source.unlink()
