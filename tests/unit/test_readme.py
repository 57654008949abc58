"""The README's table of settings is the settings."""

import re
from pathlib import Path

from schema.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_every_setting_stands_in_the_readme_once():
    rows = re.findall(r"^\| `POSEFLEET_(\w+)` \| (\S+) \| (.+) \|$", README, re.MULTILINE)
    assert [name.lower() for name, _, _ in rows] == list(Settings.model_fields)
    for name, default, description in rows:
        field = Settings.model_fields[name.lower()]
        assert description == field.description
        if field.default_factory is None:
            assert default == ("–" if field.default is None else f"`{field.default}`")
