"""Pools follow the work that is there, by KEDA or by a HorizontalPodAutoscaler, never by both."""

import pytest

from tests.chart.rendering import at, render
from workers.telemetry import meters

KEDA, HPA = "{autoscaling: {by: keda}}", "{autoscaling: {by: hpa}}"
POOLS = {"plan", "infer-cpu", "render", "finish"}
BEHAVIOR = "spec.advanced.horizontalPodAutoscalerConfig.behavior."


@pytest.mark.parametrize(
    ("given", "keda", "hpa"),
    [("{}", set(), set()), (KEDA, POOLS, set()), (HPA, set(), POOLS)],
)
def test_there_is_one_autoscaler_at_most(given: str, keda: set[str], hpa: set[str]):
    release = render(given)
    assert release.names("ScaledObject") == keda
    assert release.names("HorizontalPodAutoscaler") == hpa


@pytest.mark.parametrize("by", ["keda", "hpa"])
def test_whoever_scales_owns_the_number_of_pods(by: str):
    release = render({"autoscaling": {"by": by}})
    kind = {"keda": "ScaledObject", "hpa": "HorizontalPodAutoscaler"}[by]
    for name in POOLS:
        assert "replicas" not in release.get("Deployment", name)["spec"]
        assert at(release.get(kind, name), "spec.scaleTargetRef.name") == f"pf-posefleet-{name}"
    for name in ("api", "sweeper", "exporter", "flower"):
        assert release.get("Deployment", name)["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("given", "pool", "path", "value"),
    [
        ("{}", "infer-cpu", "spec.minReplicaCount", 0),
        ("{}", "infer-cpu", "spec.maxReplicaCount", 50),
        ("{pools: {infer-cpu: {minReplicas: 2, maxReplicas: 9}}}", "infer-cpu", "spec.minReplicaCount", 2),
        ("{pools: {infer-cpu: {minReplicas: 2, maxReplicas: 9}}}", "infer-cpu", "spec.maxReplicaCount", 9),
        ("{}", "infer-cpu", "spec.pollingInterval", 15),
        ("{}", "infer-cpu", "spec.cooldownPeriod", 300),
        ("{autoscaling: {cooldownSeconds: 900}}", "infer-cpu", "spec.cooldownPeriod", 900),
        ("{}", "infer-cpu", "spec.fallback", {"failureThreshold": 4, "replicas": 2, "behavior": "currentReplicasIfHigher"}),
        ("{pools: {plan: {maxReplicas: 1}}}", "plan", "spec.fallback.replicas", 1),
        ("{pools: {plan: {minReplicas: 3}}}", "plan", "spec.fallback.replicas", 3),
        ("{}", "infer-cpu", BEHAVIOR + "scaleDown.stabilizationWindowSeconds", 300),
        ("{autoscaling: {stabilizationSeconds: 1200}}", "infer-cpu", BEHAVIOR + "scaleDown.stabilizationWindowSeconds", 1200),
        ("{}", "infer-cpu", BEHAVIOR + "scaleUp.stabilizationWindowSeconds", 0),
        ("{}", "infer-cpu", BEHAVIOR + "scaleDown.policies.0", {"type": "Percent", "value": 25, "periodSeconds": 60}),
        ("{}", "infer-cpu", "spec.triggers.0.type", "metrics-api"),
        ("{}", "infer-cpu", "spec.triggers.0.metricType", "AverageValue"),
        ("{}", "infer-cpu", "spec.triggers.0.metadata.url", "http://pf-posefleet-exporter.lab:9809/metrics"),
        ("{exporter: {port: 9000}}", "plan", "spec.triggers.0.metadata.url", "http://pf-posefleet-exporter.lab:9000/metrics"),
        ("{}", "infer-cpu", "spec.triggers.0.metadata.format", "prometheus"),
        ("{}", "infer-cpu", "spec.triggers.0.metadata.valueLocation", 'posefleet_outstanding{queue="infer"}'),
        ("{}", "infer-cpu", "spec.triggers.0.metadata.targetValue", "8"),
        ("{}", "infer-cpu", "spec.triggers.0.metadata.activationTargetValue", "0"),
        ("{pools: {infer-cpu: {activation: 200}}}", "infer-cpu", "spec.triggers.0.metadata.activationTargetValue", "200"),
        ("{pools: {infer-cpu: {outstandingPerReplica: 40}}}", "infer-cpu", "spec.triggers.0.metadata.targetValue", "40"),
        ("{}", "infer-cpu", "spec.triggers.1", None),
        ("{}", "finish", "spec.triggers.0.metadata.valueLocation", 'posefleet_outstanding{queue="stitch"}'),
        ("{}", "finish", "spec.triggers.1.metadata.valueLocation", 'posefleet_outstanding{queue="publish"}'),
        ("{autoscaling: {prometheus: 'http://p:9090'}}", "plan", "spec.triggers.0.type", "prometheus"),
        ("{autoscaling: {prometheus: 'http://p:9090'}}", "plan", "spec.triggers.0.metadata.serverAddress", "http://p:9090"),
        ("{autoscaling: {prometheus: 'http://p:9090'}}", "plan", "spec.triggers.0.metadata.query", 'max(posefleet_outstanding{queue="plan",namespace="lab"})'),
        ("{autoscaling: {prometheus: 'http://p:9090'}}", "plan", "spec.triggers.0.metadata.threshold", "20"),
        ("{autoscaling: {prometheus: 'http://p:9090'}}", "plan", "spec.triggers.0.metadata.ignoreNullValues", "false"),
    ],
)  # fmt: skip
def test_keda(given: str, pool: str, path: str, value: object):
    assert at(render(given, over="keda").get("ScaledObject", pool), path) == value


@pytest.mark.parametrize(
    ("given", "pool", "path", "value"),
    [
        ("{}", "infer-cpu", "spec.minReplicas", 1),
        ("{}", "infer-cpu", "spec.maxReplicas", 50),
        ("{pools: {infer-cpu: {minReplicas: 4}}}", "infer-cpu", "spec.minReplicas", 4),
        ("{}", "infer-cpu", "spec.metrics.0.external.metric.name", "posefleet_outstanding"),
        ("{}", "infer-cpu", "spec.metrics.0.external.metric.selector.matchLabels", {"queue": "infer"}),
        ("{}", "infer-cpu", "spec.metrics.0.external.target", {"type": "AverageValue", "averageValue": "8"}),
        ("{}", "finish", "spec.metrics.1.external.metric.selector.matchLabels", {"queue": "publish"}),
        ("{}", "finish", "spec.behavior.scaleDown.stabilizationWindowSeconds", 300),
        ("{}", "finish", "spec.behavior.scaleUp.policies.1", {"type": "Pods", "value": 10, "periodSeconds": 30}),
    ],
)
def test_horizontal_pod_autoscaler(given: str, pool: str, path: str, value: object):
    assert at(render(given, over="hpa").get("HorizontalPodAutoscaler", pool), path) == value


def test_the_metric_is_one_that_the_exporter_has():
    assert meters.OUTSTANDING.name == "posefleet_outstanding"
    assert meters.OUTSTANDING.labels == ("queue",)
    assert meters.OUTSTANDING in meters.FLEET


@pytest.mark.parametrize("profile", ["gpu", "production", "production-gpu"])
def test_profiles_for_work_scale_by_keda(profile: str):
    release = render(over=profile)
    assert release.names("ScaledObject") == release.names("ConfigMap") - {"settings", "dashboard"}
