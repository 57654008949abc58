"""Tasks and stages of the fleet, and what they are made of.

What libraries cache goes into the cache folder: numba reads its variable when it is imported, matplotlib its own; and
SVT-AV1 is told to report errors only.
"""

import os

from schema.folders import cache_folder

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "compiled"))
os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
os.environ.setdefault("SVT_LOG", "1")
