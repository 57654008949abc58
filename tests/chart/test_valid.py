"""Every profile is what Kubernetes 1.28 to 1.34 takes, and every pod is fenced in."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path

import helm_python
import jsonschema
import kubernetes_validate
import pytest

from tests.chart.rendering import PROFILES, at, merged, profile, render
from tests.support.chart import CHART

VERSIONS = [f"1.{minor}" for minor in range(28, 35)]
CUSTOM = {
    schema["properties"]["kind"]["const"]: schema
    for path in sorted((Path(__file__).parent / "schemas").glob("*.json"))
    for schema in [json.loads(path.read_text())]
}
EVERYTHING = {
    "autoscaling": {"by": "keda"},
    "monitoring": {"serviceMonitor": True, "prometheusRule": True, "dashboard": True},
    "webhook": {"existingSecret": "hooks"},
    "poller": {"queueUrl": "https://sqs.example/1/uploads"},
    "settings": {"watch": "s3://films/"},
    "pools": {"infer-gpu": {"enabled": True}, "render": {"spot": True}},
}
ENDS = ("Pod/test", "Job/bucket")
"""They run once, so they have no probes."""
CASES = [(name, extra) for name in PROFILES for extra in ({}, EVERYTHING, {"autoscaling": {"by": "hpa"}})]
NAMES = [f"{name}-{('plain', 'everything', 'hpa')[index % 3]}" for index, (name, _) in enumerate(CASES)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_every_document_is_valid(name: str, extra: dict, version: str):
    for document in render(extra, over=name).documents:
        validate(json.dumps(document), version)


@cache
def validate(text: str, version: str) -> None:
    """Cases have most documents in common."""
    document = json.loads(text)
    if document["kind"] in CUSTOM:
        jsonschema.validate(document, CUSTOM[document["kind"]])
    else:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.template.spec.containers.0.livenessprobe", {}),
        ("Deployment", "spec.replicas", "3"),
        ("ScaledObject", "spec.minReplicas", 1),
        ("ServiceMonitor", "spec.endpoints.0.port", 80),
        ("PrometheusRule", "spec.groups.0.rules.0.for", "soon"),
    ],
)
def test_what_is_not_valid_is_found(kind: str, path: str, value: object):
    document = deepcopy(render(EVERYTHING, over="production").of(kind)[0])
    parent, _, key = path.rpartition(".")
    at(document, parent)[key] = value
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        validate(json.dumps(document), "1.30")


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_lint_finds_nothing(name: str, extra: dict, version: str):
    report = helm_python.lint(CHART, merged(profile(name), extra), strict=True, kube_version=f"v{version}.0")
    assert not report["messages"]
    assert not report["errors"]


@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_names_are_unique_and_all_objects_are_in_the_namespace(name: str, extra: dict):
    documents = render(extra, over=name).documents
    names = [(each["kind"], each["metadata"]["name"]) for each in documents]
    assert len(names) == len(set(names))
    assert {each["metadata"]["namespace"] for each in documents} == {"lab"}


@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_every_container_has_limits_and_nothing_that_it_does_not_need(name: str, extra: dict):
    for pod, spec in render(extra, over=name).pods():
        assert spec["automountServiceAccountToken"] is False, pod
        assert spec["securityContext"]["runAsNonRoot"] is True, pod
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pod
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys(), pod
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), pod
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, pod
            assert security["allowPrivilegeEscalation"] is False, pod
            assert security["capabilities"] == {"drop": ["ALL"]}, pod


@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_every_container_that_stays_has_a_liveness_probe(name: str, extra: dict):
    for pod, spec in render(extra, over=name).pods():
        for container in spec["containers"]:
            assert ("livenessProbe" in container) is (pod not in ENDS), pod
            assert ("readinessProbe" in container) is (pod not in (*ENDS, "Deployment/sweeper", "Deployment/poller")), (
                pod
            )


@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_every_pod_runs_under_an_account_of_the_chart(name: str, extra: dict):
    release = render(extra, over=name)
    for _, spec in release.pods():
        assert spec["serviceAccountName"].removeprefix("pf-posefleet-") in release.names("ServiceAccount")
    for account in release.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("name", "extra"), CASES, ids=NAMES)
def test_volumes_and_configmaps_are_there(name: str, extra: dict):
    release = render(extra, over=name)
    for pod, spec in release.pods():
        volumes = {each["name"] for each in spec.get("volumes", [])} | {"data"}
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert {each["name"] for each in container["volumeMounts"]} <= volumes, pod
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"].removeprefix("pf-posefleet-") in release.names("ConfigMap"), pod
