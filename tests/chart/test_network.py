"""Who may reach whom: DNS, Redis and S3, and for those that serve something, those who ask."""

import pytest

from tests.chart.rendering import Document, at, render

DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
OURS = {"app.kubernetes.io/name": "posefleet", "app.kubernetes.io/instance": "pf"}
STORING = ["plan", "infer-cpu", "render", "finish", "api", "sweeper"]


def policy(given: str, component: str, over: str = "defaults") -> Document:
    return render(given, over=over).get("NetworkPolicy", component)["spec"]


def peer(component: str) -> Document:
    return {"podSelector": {"matchLabels": {**OURS, "app.kubernetes.io/component": component}}}


def port(number: int | str) -> Document:
    return {"port": number, "protocol": "TCP"}


@pytest.mark.parametrize("component", STORING)
def test_a_component_reaches_dns_redis_and_s3_and_nothing_else(component: str):
    assert policy("{}", component)["egress"] == [
        {"ports": DNS},
        {"ports": [port(6379)], "to": [peer("redis")]},
        {"ports": [port(8333)], "to": [peer("s3")]},
    ]
    assert policy("{}", component)["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("component", STORING)
@pytest.mark.parametrize(
    ("given", "index", "rule"),
    [
        ("{}", 1, {"ports": [port(6379)]}),
        ("{}", 2, {"ports": [port(443)]}),
        ("{networkPolicy: {redisPorts: [6380]}}", 1, {"ports": [port(6380)]}),
        (
            "{networkPolicy: {redisTo: [{ipBlock: {cidr: 10.0.0.0/8}}]}}",
            1,
            {"ports": [port(6379)], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        ),
        ("{networkPolicy: {s3Ports: [443, 9000]}}", 2, {"ports": [port(443), port(9000)]}),
        ("{networkPolicy: {extraEgress: [{ports: [{port: 4318}]}]}}", 3, {"ports": [{"port": 4318}]}),
        ("{}", 3, None),
    ],
)
def test_servers_of_one_s_own(given: str, index: int, rule: Document | None, component: str):
    egress = policy(given, component, over="production")["egress"]
    assert (egress[index] if index < len(egress) else None) == rule


@pytest.mark.parametrize(
    ("given", "component", "ingress"),
    [
        ("{}", "render", [{"from": [{"namespaceSelector": {}}], "ports": [port("metrics")]}]),
        ("{networkPolicy: {metricsFrom: []}}", "render", []),
        ("{}", "api", [{"from": [{"namespaceSelector": {}}, peer("test")], "ports": [port("http")]}]),
        ("{}", "exporter", [{"from": [{"namespaceSelector": {}}, peer("test")], "ports": [port("metrics")]}]),
        ("{networkPolicy: {apiFrom: []}}", "api", [{"from": [peer("test")], "ports": [port("http")]}]),
        ("{}", "sweeper", []),
        ("{}", "flower", []),
        ("{}", "bucket", []),
        ("{}", "test", []),
        ("{networkPolicy: {flowerFrom: [{podSelector: {}}]}}", "flower", [{"from": [{"podSelector": {}}], "ports": [port("http")]}]),
        ("{}", "redis", [{"from": [{"podSelector": {"matchLabels": OURS}}], "ports": [port("redis")]}]),
        ("{}", "s3", [{"from": [{"podSelector": {"matchLabels": OURS}}], "ports": [port("s3")]}]),
    ],
)  # fmt: skip
def test_who_may_come_in(given: str, component: str, ingress: list[Document]):
    assert policy(given, component)["ingress"] == ingress


@pytest.mark.parametrize("component", ["exporter", "flower"])
def test_who_needs_no_storage_does_not_reach_it(component: str):
    assert policy("{}", component)["egress"] == [{"ports": DNS}, {"ports": [port(6379)], "to": [peer("redis")]}]


@pytest.mark.parametrize("server", ["redis", "s3"])
def test_servers_reach_nobody(server: str):
    assert policy("{}", server)["egress"] == []


def test_webhooks_reach_public_addresses_alone():
    rule = policy("{webhook: {existingSecret: hooks}}", "sweeper")["egress"][3]
    assert rule["ports"] == [port(443)]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(at(rule, "to.0.ipBlock.except"))
    assert len(policy("{webhook: {existingSecret: hooks}}", "api")["egress"]) == 3


def test_the_poller_reaches_queues():
    given = "{poller: {queueUrl: 'https://sqs.example/1/up'}, settings: {watch: 's3://films/'}}"
    assert policy(given, "poller")["egress"][3] == {"ports": [port(443)]}


def test_without_policies_there_are_none():
    assert not render("{networkPolicy: {enabled: false}}").of("NetworkPolicy")


def test_every_pod_has_a_policy():
    release = render()
    policies = [
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in release.of("NetworkPolicy")
    ]
    assert {name.partition("/")[2] for name, _ in release.pods()} == set(policies)
