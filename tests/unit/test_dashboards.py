"""The dashboard and the alert rules ask for metrics that exist, in PromQL that parses."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml

from workers.telemetry import meters

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = json.loads((DOCS / "grafana" / "posefleet.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((DOCS / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ASKED = [
    *(target["expr"].replace("$__rate_interval", "5m") for panel in PANELS for target in panel["targets"]),
    *(rule["expr"] for rule in RULES),
]
SERIES = {series: meter for meter in meters.ALL for series in meter.series}
OF_SERVER = {"instance", "le"}


@pytest.mark.parametrize("query", ASKED)
def test_a_query_parses_and_names_series_and_labels_that_exist(query: str):
    promql_parser.parse(query)
    named = set(re.findall(r"posefleet_\w+", query))
    assert named
    assert named <= SERIES.keys()
    labels = {label for series in named for label in SERIES[series].labels} | OF_SERVER
    by = {label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for label in re.findall(r"\w+", group)}
    assert by | set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", query)) <= labels


def test_every_meter_is_on_the_dashboard():
    shown = {SERIES[name].name for query in ASKED for name in re.findall(r"posefleet_\w+", query)}
    assert shown == {meter.name for meter in meters.ALL}


def test_the_dashboard_takes_its_source_from_a_variable():
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert DASHBOARD["schemaVersion"] >= 39
    for panel in PANELS:
        assert panel["description"]
        assert {each["datasource"]["uid"] for each in (panel, *panel["targets"])} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_panels_do_not_lie_on_each_other():
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def test_every_alert_says_what_is_wrong_and_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "runbook"}
        assert all(len(text) > 20 for text in rule["annotations"].values())
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
