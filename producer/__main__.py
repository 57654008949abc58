"""``python -m producer`` is the command ``posefleet``."""

from producer.cli import main

main()
