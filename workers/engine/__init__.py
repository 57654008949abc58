"""The pose engine: pictures to people, with every model call full."""
