"""The command line in a process of its own."""

import os
import subprocess
import sys


def posefleet(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``posefleet`` with ``environment`` added to ours."""
    return subprocess.run(
        [sys.executable, "-m", "producer", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, **environment},
        check=False,
    )
