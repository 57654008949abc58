"""Documentation is what the code is: references are current, links lead somewhere, settings exist."""

import re
from pathlib import Path

import pytest

from schema.settings import Settings
from tests.support.reference import DOCS, pages

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("name", ["cli.md", "settings.md"])
def test_references_are_what_the_code_says(name):
    assert (DOCS / name).read_text() == pages()[name], "run: python -m tests.support.reference"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#:\s]+)\)|<img src=\"([^\"]+)\"", path.read_text())
    missing = [link for pair in links for link in pair if link and not (path.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_settings_that_are_named_exist(path):
    named = set(re.findall(r"POSEFLEET_([A-Z0-9_]+[A-Z0-9])", path.read_text()))
    others = {"TEST_REQUIRE_ALL", "TEST_MEDIA", "FAILPOINTS", "FAILPOINTS_FOLDER", "FAULTS_ALL", "FAULTS_SEEDS"}
    assert {name.lower() for name in named - others} - set(Settings.model_fields) == set()


def test_every_how_to_is_found_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [path.name for path in DOCS.glob("howto/*.md") if f"docs/howto/{path.name}" not in readme] == []
