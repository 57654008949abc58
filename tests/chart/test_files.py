"""The chart's own files: short, described, where they belong."""

import re

import pytest
import yaml

from schema.version import VERSION
from tests.support.chart import CHART, readme, values

TEMPLATES = sorted((CHART / "templates").rglob("*.yaml"))


def test_the_readme_is_current():
    assert (CHART / "README.md").read_text() == readme(), "run python -m tests.support.chart"


def test_the_readme_has_every_value():
    text = (CHART / "README.md").read_text()
    assert all(f"`{value.path}`" in text for value in values() if value.default is not None)
    assert len(values()) > 150


def test_values_can_be_read_in_one_sitting():
    lines = (CHART / "values.yaml").read_text().splitlines()
    assert sum(bool(line) for line in lines) <= 200


@pytest.mark.parametrize(
    "value", [value for value in values() if value.default is not None], ids=lambda value: value.path
)
def test_a_value_says_what_it_is_or_repeats_one_that_does(value):
    of_all = {
        each.path.rpartition(".")[2] for each in values() if each.text and each.path.startswith(("common", "poolD"))
    }
    key = value.path.rpartition(".")[2]
    assert value.text or key in of_all | {"enabled", "resources", "limits", "queues"}


def test_the_file_of_values_reads_as_yaml_reads_it():
    whole = yaml.safe_load((CHART / "values.yaml").read_text())
    for value in values():
        found = whole
        for key in value.path.split("."):
            found = found[key]
        assert value.default is None or found == value.default


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(CHART)))
def test_a_template_lies_in_the_folder_of_its_component_and_is_named_for_its_kind(path):
    kinds = {kind.lower() for kind in re.findall(r"^kind: (\w+)", path.read_text(), re.MULTILINE)}
    assert path.parent.parent == CHART / "templates"
    assert len(kinds) <= 1
    assert kinds <= {path.stem.rpartition("-")[2]}
    assert len(path.read_text().splitlines()) < 70


def test_the_chart_is_of_this_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION
