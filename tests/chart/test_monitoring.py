"""Metrics, alerts and the dashboard."""

import json

import pytest
import yaml

from tests.chart.rendering import at, render
from tests.support.chart import COPIES, ROOT

ON = "{monitoring: {serviceMonitor: true, prometheusRule: true, dashboard: true, labels: {release: mine}}}"


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ("{}", set()),
        ("{monitoring: {serviceMonitor: true}}", {"ServiceMonitor"}),
        ("{monitoring: {prometheusRule: true}}", {"PrometheusRule"}),
        (ON, {"ServiceMonitor", "PrometheusRule"}),
    ],
)
def test_objects_of_the_operator_are_there_when_asked_for(given: str, kinds: set[str]):
    found = {each["kind"] for each in render(given).documents if each["apiVersion"].startswith("monitoring")}
    assert found == kinds


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("ServiceMonitor", "metrics", "metadata.labels.release", "mine"),
        ("ServiceMonitor", "metrics", "spec.namespaceSelector.matchNames", ["lab"]),
        ("ServiceMonitor", "metrics", "spec.endpoints.0.port", "metrics"),
        ("ServiceMonitor", "metrics", "spec.endpoints.0.interval", "15s"),
        ("ServiceMonitor", "metrics", "spec.endpoints.0.scrapeTimeout", "10s"),
        ("ServiceMonitor", "metrics", "spec.endpoints.1.port", "http"),
        ("PrometheusRule", "alerts", "metadata.labels.release", "mine"),
        ("ConfigMap", "dashboard", "metadata.labels.grafana_dashboard", "1"),
    ],
)
def test_how_they_are_found(kind: str, name: str, path: str, value: object):
    assert at(render(ON).get(kind, name), path) == value


def test_prometheus_finds_workers_exporter_and_api_and_no_other():
    release = render(ON)
    selector = release.get("ServiceMonitor", "metrics")["spec"]["selector"]
    left_out = set(at(selector, "matchExpressions.0.values"))
    assert at(selector, "matchExpressions.0.operator") == "NotIn"
    ports = {"metrics", "http"}
    found = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in release.of("Service")
        if ports & {port["name"] for port in each["spec"]["ports"]}
    }
    assert found - left_out == {"plan", "infer-cpu", "render", "finish", "exporter", "api"}


@pytest.mark.parametrize("pool", ["plan", "infer-cpu", "render", "finish"])
def test_every_worker_is_asked_by_itself(pool: str):
    service = render(ON).get("Service", pool)["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    assert service["ports"] == [{"name": "metrics", "port": 9808, "targetPort": "metrics"}]


def test_alerts_and_dashboard_come_through_as_they_are():
    release = render(ON)
    alerts = yaml.safe_load((ROOT / "docs" / "prometheus" / "alerts.yaml").read_text())
    assert release.get("PrometheusRule", "alerts")["spec"] == alerts
    board = json.loads((ROOT / "docs" / "grafana" / "posefleet.json").read_text())
    assert json.loads(release.get("ConfigMap", "dashboard")["data"]["posefleet.json"]) == board


@pytest.mark.parametrize("source", list(COPIES), ids=lambda path: path.name)
def test_the_chart_s_copy_is_current(source):
    assert COPIES[source].read_text() == source.read_text(), "run python -m tests.support.chart"
