"""Worker pools: one template, many shapes."""

import pytest

from tests.chart.rendering import at, render

POD = "spec.template.spec."
WORKER = POD + "containers.0."
GPU = "{pools: {infer-gpu: {enabled: true}}}"
MIG = "{pools: {infer-gpu: {enabled: true, gpu: nvidia.com/mig-1g.10gb}}}"
OWN = "{pools: {mine: {queues: [infer], concurrency: 3}}}"
KEDA, HPA = "{autoscaling: {by: keda}}", "{autoscaling: {by: hpa}}"


def worker(queues: str, processes: int, name: str) -> list[str]:
    return [
        *("python", "-m", "celery", "-A", "workers.app", "worker", "--queues", queues),
        *("--concurrency", str(processes), "--hostname", f"{name}@%h"),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]


@pytest.mark.parametrize(
    ("given", "pools"),
    [
        ("{}", {"plan", "infer-cpu", "render", "finish"}),
        (GPU, {"plan", "infer-cpu", "infer-gpu", "render", "finish"}),
        (OWN, {"plan", "infer-cpu", "render", "finish", "mine"}),
        (
            "{pools: {infer-cpu: {enabled: false}, infer-gpu: {enabled: true}}}",
            {"plan", "infer-gpu", "render", "finish"},
        ),
        ("{pools: {finish: null, tail: {queues: [stitch, publish]}}}", {"plan", "infer-cpu", "render", "tail"}),
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap"])
def test_a_pool_that_is_enabled_has_all_its_objects(given: str, pools: set[str], kind: str):
    others = {"api", "sweeper", "exporter", "flower", "redis", "s3", "settings", "try-out", "bucket", "test"}
    assert render(given).names(kind) - others == pools


@pytest.mark.parametrize(
    ("given", "pool", "path", "value"),
    [
        ("{}", "plan", WORKER + "args", worker("plan", 2, "plan")),
        ("{}", "infer-cpu", WORKER + "args", worker("infer", 4, "infer-cpu")),
        ("{}", "finish", WORKER + "args", worker("stitch,publish", 2, "finish")),
        (GPU, "infer-gpu", WORKER + "args", worker("infer", 2, "infer-gpu")),
        (OWN, "mine", WORKER + "args", worker("infer", 3, "mine")),
        ("{}", "render", WORKER + "name", "worker"),
        ("{}", "render", WORKER + "command", ["sh", "-c", 'rm -f /ready/*; exec "$@"', "worker"]),
        ("{}", "render", WORKER + "ports", [{"name": "metrics", "containerPort": 9808}]),
        ("{settings: {metrics_port: 9000}}", "render", WORKER + "ports", [{"name": "metrics", "containerPort": 9000}]),
        ("{}", "infer-cpu", WORKER + "image", "posefleet:0.1.0-cpu"),
        (GPU, "infer-gpu", WORKER + "image", "posefleet:0.1.0-gpu"),
        ("{image: {repository: 'r.example/a/pf', tag: '2'}}", "plan", WORKER + "image", "r.example/a/pf:2-cpu"),
        (f"{{image: {{cpuDigest: 'sha256:{'a' * 64}'}}}}", "plan", WORKER + "image", f"posefleet:0.1.0-cpu@sha256:{'a' * 64}"),
        ("{image: {pullPolicy: Always}}", "plan", WORKER + "imagePullPolicy", "Always"),
        ("{image: {pullSecrets: [mine]}}", "plan", POD + "imagePullSecrets", [{"name": "mine"}]),
        ("{}", "plan", POD + "initContainers.0.command", ["cp", "-R", "/opt/posefleet/cache/.", "/cache"]),
        ("{image: {cachePath: /models}}", "plan", POD + "initContainers.0.command", ["cp", "-R", "/models/.", "/cache"]),
        ("{}", "plan", "spec.replicas", 1),
        ("{pools: {plan: {replicas: 0}}}", "plan", "spec.replicas", 0),
        ("{poolDefaults: {replicas: 5}}", "render", "spec.replicas", 5),
        (KEDA, "plan", "spec.replicas", None),
        (HPA, "render", "spec.replicas", None),
        ("{}", "plan", POD + "terminationGracePeriodSeconds", 120 + 342 + 10),
        ("{}", "infer-cpu", POD + "terminationGracePeriodSeconds", 120 + 120 + 10),
        ("{}", "finish", POD + "terminationGracePeriodSeconds", 345 + 342 + 10),
        ("{settings: {soft_shutdown_s: 30.5}}", "render", POD + "terminationGracePeriodSeconds", 31 + 120 + 10),
        ("{settings: {task_limit_s: 200}}", "render", POD + "terminationGracePeriodSeconds", 120 + 200 + 10),
        ("{settings: {visibility_timeout_s: 1000}}", "plan", POD + "terminationGracePeriodSeconds", 120 + 950 + 10),
        ("{pools: {render: {graceSeconds: 900}}}", "render", POD + "terminationGracePeriodSeconds", 900),
        ("{pools: {render: {spot: true}}}", "render", POD + "terminationGracePeriodSeconds", 25),
        (GPU, "infer-gpu", WORKER + "resources.limits", {"cpu": "4", "memory": "12Gi", "nvidia.com/gpu": 1}),
        (GPU, "infer-gpu", WORKER + "resources.requests", {"cpu": "4", "memory": "12Gi", "nvidia.com/gpu": 1}),
        (MIG, "infer-gpu", WORKER + "resources.limits.nvidia~com/mig-1g~10gb", 1),
        (MIG, "infer-gpu", WORKER + "resources.limits.nvidia~com/gpu", None),
        (GPU, "infer-gpu", POD + "tolerations", [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]),
        (GPU, "infer-gpu", "spec.strategy.rollingUpdate.maxSurge", 0),
        ("{}", "infer-cpu", "spec.strategy.rollingUpdate.maxSurge", "25%"),
        ("{}", "infer-cpu", "spec.strategy.rollingUpdate.maxUnavailable", "25%"),
        (GPU, "infer-gpu", "spec.strategy.rollingUpdate.maxUnavailable", "25%"),
        ("{}", "infer-cpu", WORKER + "resources.limits.nvidia~com/gpu", None),
        ("{pools: {plan: {resources: {requests: {cpu: 50m}}}}}", "plan", WORKER + "resources.requests", {"cpu": "50m", "memory": "3Gi"}),
        ("{common: {nodeSelector: {disk: ssd}}}", "render", POD + "nodeSelector", {"disk": "ssd"}),
        ("{common: {nodeSelector: {disk: ssd}}, pools: {render: {nodeSelector: {zone: a}}}}", "render", POD + "nodeSelector", {"disk": "ssd", "zone": "a"}),
        ("{pools: {render: {priorityClassName: low}}}", "render", POD + "priorityClassName", "low"),
        ("{pools: {render: {priorityClassName: low}}}", "plan", POD + "priorityClassName", None),
        ("{pools: {render: {runtimeClassName: nvidia}}}", "render", POD + "runtimeClassName", "nvidia"),
        ("{pools: {render: {affinity: {nodeAffinity: {}}}}}", "render", POD + "affinity", {"nodeAffinity": {}}),
        ("{common: {topologySpread: false}}", "render", POD + "topologySpreadConstraints", None),
        ("{}", "render", POD + "topologySpreadConstraints.1.topologyKey", "kubernetes.io/hostname"),
        ("{}", "render", POD + "topologySpreadConstraints.0.labelSelector.matchLabels.app~kubernetes~io/component", "render"),
        ("{pools: {render: {podAnnotations: {a: b}}}}", "render", "spec.template.metadata.annotations.a", "b"),
        ("{pools: {render: {workSize: 99Gi}}}", "render", POD + "volumes.0", {"name": "work", "emptyDir": {"sizeLimit": "99Gi"}}),
        ("{}", "render", POD + "enableServiceLinks", False),
        ("{}", "render", POD + "securityContext.runAsUser", 10001),
        ("{}", "plan", WORKER + "startupProbe.failureThreshold", 60),
        (GPU, "infer-gpu", WORKER + "startupProbe.failureThreshold", 200),
    ],
)  # fmt: skip
def test_a_pool_s_pods(given: str, pool: str, path: str, value: object):
    assert at(render(given).get("Deployment", pool), path) == value


@pytest.mark.parametrize("pool", ["plan", "infer-cpu", "render", "finish"])
def test_sigterm_arrives_as_sigquit_at_the_process_that_kubernetes_asks(pool: str):
    container = at(render().get("Deployment", pool), POD + "containers.0")
    assert {"name": "REMAP_SIGTERM", "value": "SIGQUIT"} in container["env"]
    assert container["command"][2].endswith('exec "$@"')


@pytest.mark.parametrize("pool", ["plan", "infer-cpu", "render", "finish"])
def test_settings_of_the_pool_go_over_those_of_all(pool: str):
    sources = at(render().get("Deployment", pool), WORKER + "envFrom")
    assert [each["configMapRef"]["name"] for each in sources] == ["pf-posefleet-settings", f"pf-posefleet-{pool}"]


@pytest.mark.parametrize("component", ["plan", "render", "api", "sweeper", "exporter", "flower"])
@pytest.mark.parametrize(
    ("given", "path", "entry"),
    [
        ("{common: {extraEnv: [{name: A, value: b}]}}", WORKER + "env", {"name": "A", "value": "b"}),
        ("{common: {extraVolumes: [{name: x, emptyDir: {}}]}}", POD + "volumes", {"name": "x", "emptyDir": {}}),
        (
            "{common: {extraVolumeMounts: [{name: x, mountPath: /x}]}}",
            WORKER + "volumeMounts",
            {"name": "x", "mountPath": "/x"},
        ),
    ],
)
def test_what_is_added_for_all_is_in_every_component(given: str, path: str, entry: dict, component: str):
    assert entry in at(render(given).get("Deployment", component), path)


@pytest.mark.parametrize(
    ("given", "component", "annotations"),
    [
        ("{common: {serviceAccountAnnotations: {role: a}}}", "render", {"role": "a"}),
        ("{common: {serviceAccountAnnotations: {role: a}}}", "api", {"role": "a"}),
        ("{common: {serviceAccountAnnotations: {role: a}}, api: {serviceAccountAnnotations: {role: b}}}", "api", {"role": "b"}),
        ("{}", "api", None),
    ],
)  # fmt: skip
def test_workload_identity(given: str, component: str, annotations: dict | None):
    assert at(render(given).get("ServiceAccount", component), "metadata.annotations") == annotations


@pytest.mark.parametrize("pool", ["plan", "infer-cpu", "render", "finish"])
def test_draining_a_node_takes_a_quarter_of_a_pool_at_most_and_one_pod_at_least(pool: str):
    budget = render().get("PodDisruptionBudget", pool)["spec"]
    assert budget["maxUnavailable"] == "25%"
    assert budget["selector"]["matchLabels"]["app.kubernetes.io/component"] == pool


def test_a_selector_finds_the_pods_of_its_pool_and_no_others():
    release = render(GPU)
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in release.of("Deployment")
    }
    for each in release.of("Deployment"):
        wanted = each["spec"]["selector"]["matchLabels"].items()
        assert [name for name, own in labels.items() if wanted <= own.items()] == [each["metadata"]["name"]]
