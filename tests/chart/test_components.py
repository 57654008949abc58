"""API, sweeper, exporter, Flower, and the servers for trying out."""

import ast
from importlib import import_module

import pytest
import typer

from producer.cli import cli
from tests.chart.rendering import at, chart, render
from tests.support.chart import CHART

POD = "spec.template.spec."
MAIN = POD + "containers.0."
POLLER = "{poller: {queueUrl: 'https://sqs.example/1/up'}, settings: {watch: 's3://films/'}}"
PRODUCTION = {"api", "sweeper", "exporter", "flower", "plan", "infer-cpu", "render", "finish"}


@pytest.mark.parametrize(
    ("given", "deployments", "statefulsets"),
    [
        ("{}", PRODUCTION, {"redis", "s3"}),
        (POLLER, PRODUCTION | {"poller"}, {"redis", "s3"}),
        ("{api: {enabled: false}}", PRODUCTION - {"api"}, {"redis", "s3"}),
        ("{flower: {enabled: false}}", PRODUCTION - {"flower"}, {"redis", "s3"}),
        ("{redis: {existingSecret: mine, tryOut: {enabled: false}}}", PRODUCTION, {"s3"}),
        ("{s3: {tryOut: {enabled: false}}}", PRODUCTION, {"redis"}),
    ],
)
def test_what_there_is(given: str, deployments: set[str], statefulsets: set[str]):
    release = render(given)
    assert release.names("Deployment") == deployments
    assert release.names("StatefulSet") == statefulsets
    assert release.names("Job") == ({"bucket"} if "s3" in statefulsets else set())
    if "flower" not in deployments:
        assert "flower" not in release.names("Service") | release.names("ServiceAccount") | release.names(
            "NetworkPolicy"
        )


@pytest.mark.parametrize(
    ("given", "component", "path", "value"),
    [
        ("{}", "api", MAIN + "command", ["python", "-m", "producer"]),
        ("{}", "api", MAIN + "args", ["api", "--host", "0.0.0.0", "--port", "8080"]),
        ("{api: {port: 9000}}", "api", MAIN + "args", ["api", "--host", "0.0.0.0", "--port", "9000"]),
        ("{api: {port: 9000}}", "api", MAIN + "ports", [{"name": "http", "containerPort": 9000}]),
        ("{api: {replicas: 3}}", "api", "spec.replicas", 3),
        ("{}", "api", MAIN + "livenessProbe.httpGet", {"path": "/healthz", "port": "http"}),
        ("{}", "api", MAIN + "readinessProbe.httpGet", {"path": "/readyz", "port": "http"}),
        ("{}", "api", MAIN + "startupProbe.httpGet", {"path": "/healthz", "port": "http"}),
        ("{}", "api", POD + "volumes.4", {"name": "tokens", "secret": {"secretName": "pf-posefleet-tokens", "optional": True}}),
        ("{api: {tokensSecret: mine}}", "api", POD + "volumes.4.secret.secretName", "mine"),
        ("{}", "api", MAIN + "volumeMounts.4", {"name": "tokens", "mountPath": "/tokens", "readOnly": True}),
        ("{}", "api", POD + "initContainers.0.name", "models"),
        ("{}", "api", POD + "terminationGracePeriodSeconds", 30),
        ("{}", "sweeper", MAIN + "args", ["python", "-m", "producer", "sweep"]),
        ("{sweeper: {replicas: 2}}", "sweeper", "spec.replicas", 2),
        ("{}", "sweeper", POD + "initContainers.0.name", "models"),
        ("{}", "sweeper", MAIN + "ports", None),
        ("{}", "exporter", MAIN + "args", ["metrics", "--host", "0.0.0.0", "--port", "9809"]),
        (POLLER, "poller", MAIN + "args", ["python", "-m", "producer", "events", "sqs", "https://sqs.example/1/up"]),
        (POLLER, "poller", POD + "initContainers.0.name", "models"),
        ("{}", "exporter", MAIN + "livenessProbe.tcpSocket", {"port": "metrics"}),
        ("{}", "exporter", MAIN + "readinessProbe.httpGet", {"path": "/metrics", "port": "metrics"}),
        ("{}", "exporter", POD + "initContainers", None),
        ("{}", "exporter", "spec.replicas", 1),
        ("{}", "flower", MAIN + "command", ["python", "-m", "celery", "-A", "workers.app", "flower"]),
        ("{}", "flower", MAIN + "args.1", "--port=5555"),
        ("{}", "flower", MAIN + "env.1.valueFrom.secretKeyRef", {"name": "pf-posefleet-try-out", "key": "basic-auth"}),
        ("{flower: {existingSecret: mine, key: pair}}", "flower", MAIN + "env.1.valueFrom.secretKeyRef", {"name": "mine", "key": "pair"}),
        ("{}", "flower", MAIN + "env.2", {"name": "FLOWER_BASIC_AUTH", "value": "$(POSEFLEET_FLOWER_BASIC_AUTH)"}),
        ("{}", "flower", MAIN + "livenessProbe.httpGet.path", "/healthcheck"),
        ("{flower: {resources: {limits: {memory: 1Gi}}}}", "flower", MAIN + "resources.limits", {"cpu": "500m", "memory": "1Gi"}),
    ],
)  # fmt: skip
def test_a_component(given: str, component: str, path: str, value: object):
    assert at(render(given).get("Deployment", component), path) == value


@pytest.mark.parametrize(
    ("component", "name", "port"),
    [("api", "http", 8080), ("exporter", "metrics", 9809), ("flower", "http", 5555), ("redis", "redis", 6379), ("s3", "s3", 8333)],
)  # fmt: skip
def test_a_service_leads_to_a_port_of_its_pods(component: str, name: str, port: int):
    release = render()
    service = release.get("Service", component)["spec"]
    assert service["ports"] == [{"name": name, "port": port, "targetPort": name}]
    assert service.get("type", "ClusterIP") == "ClusterIP"
    owner = release.find("Deployment", component) or release.get("StatefulSet", component)
    assert service["selector"].items() <= at(owner, "spec.template.metadata.labels").items()
    assert {"name": name, "containerPort": port} in at(owner, MAIN + "ports")


@pytest.mark.parametrize("component", ["api", "sweeper", "exporter"])
def test_a_command_is_one_of_posefleet_s_with_options_that_it_has(component: str):
    container = at(render().get("Deployment", component), POD + "containers.0")
    words = container["args"]
    words = words[words.index("producer") + 1 :] if "producer" in words else words
    command = typer.main.get_command(cli).commands[words[0]]  # type: ignore[attr-defined]
    command.make_context(words[0], list(words[1:]))


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ("{}", "spec.rules.0.host", "posefleet.example.com"),
        ("{}", "spec.tls.0", {"hosts": ["posefleet.example.com"], "secretName": "posefleet-tls"}),
        ("{}", "spec.ingressClassName", "nginx"),
        ("{api: {ingress: {className: ''}}}", "spec.ingressClassName", None),
        ("{api: {ingress: {annotations: {a: b}}}}", "metadata.annotations", {"a": "b"}),
        ("{}", "spec.rules.0.http.paths.0.backend.service", {"name": "pf-posefleet-api", "port": {"name": "http"}}),
    ],
)
def test_the_api_is_open_to_the_outside_by_tls_alone(given: str, path: str, value: object):
    assert at(render(given, over="production").get("Ingress", "api"), path) == value


@pytest.mark.parametrize("profile", ["defaults", "local", "gpu", "production"])
def test_flower_is_never_open_to_the_outside(profile: str):
    release = render(over=profile)
    assert release.names("Ingress") <= {"api"}
    assert release.get("NetworkPolicy", "flower")["spec"]["ingress"] == []


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("StatefulSet", "redis", "spec.replicas", 1),
        ("StatefulSet", "redis", MAIN + "image", "valkey/valkey:8.1-alpine"),
        ("StatefulSet", "redis", "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "2Gi"),
        ("StatefulSet", "redis", MAIN + "env.0.valueFrom.secretKeyRef.key", "redis-password"),
        ("StatefulSet", "s3", MAIN + "command", ["weed"]),
        ("StatefulSet", "s3", "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "50Gi"),
        ("StatefulSet", "s3", MAIN + "env.1.valueFrom.secretKeyRef.key", "secret-access-key"),
        ("Job", "bucket", "metadata.annotations.helm~sh/hook", "post-install,post-upgrade"),
        ("Secret", "try-out", "metadata.annotations.helm~sh/resource-policy", "keep"),
        ("Pod", "test", "metadata.annotations.helm~sh/hook", "test"),
        ("Pod", "test", "spec.containers.0.args.0", "http://pf-posefleet-exporter:9809/metrics"),
        ("Pod", "test", "spec.containers.0.args.1", "http://pf-posefleet-api:8080/readyz"),
        ("Pod", "test", "spec.serviceAccountName", "pf-posefleet-sweeper"),
    ],
)
def test_trying_out(kind: str, name: str, path: str, value: object):
    assert at(render().get(kind, name), path) == value


def test_redis_keeps_what_it_accepted_and_never_evicts():
    args = at(render().get("StatefulSet", "redis"), MAIN + "args")
    options = dict(zip(args[::2], args[1::2], strict=True))
    assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "everysec")
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--requirepass"] == "$(PASSWORD)"


def test_seaweedfs_serves_s3_and_no_more():
    args = at(render().get("StatefulSet", "s3"), MAIN + "args")
    assert args[1] == "mini"
    assert {"-ip.bind=0.0.0.0", "-s3.port=8333", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0"} <= set(args)
    assert at(render().get("NetworkPolicy", "s3"), "spec.ingress.0.ports") == [{"port": "s3", "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("pf", "pf-posefleet-api"),
        ("posefleet", "posefleet-api"),
        ("posefleet-lab", "posefleet-lab-api"),
        ("r" * 53, "r" * 40 + "-api"),
    ],
)
def test_names_come_from_the_release(release: str, name: str):
    texts = chart().render({}, name=release, namespace="lab")
    assert f"  name: {name}\n" in texts["posefleet/templates/api/deployment.yaml"]
    assert f"http://{name[:-4]}-s3:8333" in texts["posefleet/templates/config/configmap.yaml"]


def test_the_secret_for_trying_out_has_what_is_asked_for():
    release = render()
    secret = release.get("Secret", "try-out")["stringData"]
    for pod, spec in release.pods():
        for each in spec["containers"][0].get("env", []):
            if "valueFrom" in each:
                assert each["valueFrom"]["secretKeyRef"]["key"] in secret, pod
    assert secret["redis-url"] == f"redis://:{secret['redis-password']}@pf-posefleet-redis:6379/0"
    assert len(secret["redis-password"]) == 32
    assert secret["redis-password"] not in "".join(text for path, text in release.texts.items() if "secret" not in path)


@pytest.mark.parametrize("script", ["files/check.py", "bucket"])
def test_python_that_pods_run_uses_what_there_is(script: str):
    source = (
        at(render().get("Job", "bucket"), MAIN + "command.2") if script == "bucket" else (CHART / script).read_text()
    )
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert all(hasattr(import_module(str(node.module)), each.name) for each in node.names)


@pytest.mark.parametrize(
    ("over", "given", "said", "unsaid"),
    [
        ("defaults", "{}", "TRY-OUT: Redis", "by=hpa"),
        ("defaults", "{}", "port-forward service/pf-posefleet-api 8080", "password:"),
        ("defaults", "{}", "No autoscaler", "nothing"),
        ("defaults", "{}", "secret generic pf-posefleet-tokens", "nothing"),
        ("production", "{}", "helm test pf --namespace lab", "TRY-OUT"),
        ("production", "{flower: {enabled: false}}", "The API", "Flower"),
        ("gpu", "{}", "infer-gpu", "No autoscaler"),
    ],
)
def test_notes_say_what_to_do_next(over: str, given: str, said: str, unsaid: str):
    notes = render(given, over=over).texts["posefleet/templates/NOTES.txt"]
    assert said in notes
    assert unsaid not in notes
