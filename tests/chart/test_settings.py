"""Every setting of the code is in the ConfigMap or comes from a Secret, and means there what it says."""

import json
import re

import pytest

from schema.settings import Settings
from tests.chart.rendering import Release, at, chart, render
from tests.support.chart import values

SECRETS = {"redis_url", "s3_access_key_id", "s3_secret_access_key", "webhook_secret", "flower_basic_auth"}
DECIDED = {
    "cache_dir": "/cache",
    "data_dir": "/work",
    "ready_dir": "/ready",
    "metrics_host": "0.0.0.0",
    "api_tokens": "/tokens/tokens.json",
}
OTHERWISE = {"metrics_port": 9808, "log_format": "json", "soft_shutdown_s": 120}
"""Where a cluster wants another default than a single machine."""
STORING = ("plan", "infer-cpu", "render", "finish", "api", "sweeper")
ONCE = {"Job/bucket", "Pod/test"}
FULL = "{webhook: {existingSecret: hooks}}"
GIVEN = [value for value in values() if value.path.startswith("settings.")]
FIELDS = {value.path.removeprefix("settings."): value for value in GIVEN}


def data(release: Release) -> dict[str, str]:
    return release.get("ConfigMap", "settings")["data"]


def variables(release: Release) -> dict[str, set[str]]:
    """Variables that come from Secrets, with the components that have them."""
    found: dict[str, set[str]] = {}
    for pod, spec in release.pods():
        for each in spec["containers"][0].get("env", []):
            if each["name"].startswith("POSEFLEET_"):
                assert "secretKeyRef" in each["valueFrom"]
                found.setdefault(each["name"], set()).add(pod)
    return found


def test_every_setting_is_there_and_no_other():
    release = render(FULL)
    plain = {name.removeprefix("POSEFLEET_").lower() for name in data(release)}
    secret = {name.removeprefix("POSEFLEET_").lower() for name in variables(release)}
    assert secret == SECRETS
    assert plain | secret == set(Settings.model_fields)
    assert not plain & secret


@pytest.mark.parametrize("profile", ["defaults", "local", "gpu", "production"])
def test_pools_have_settings_of_their_own_that_exist(profile: str):
    release = render(over=profile)
    for name in release.names("ConfigMap") - {"settings", "dashboard"}:
        own = release.get("ConfigMap", name).get("data") or {}
        assert {key.removeprefix("POSEFLEET_").lower() for key in own} <= set(Settings.model_fields) - SECRETS


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name not in SECRETS | DECIDED.keys()])
def test_a_default_is_the_code_s_unless_a_cluster_wants_another(name: str):
    wanted = OTHERWISE.get(name, Settings.model_fields[name].default)
    assert FIELDS[name].default == ("" if wanted is None else wanted)
    assert FIELDS[name].text == Settings.model_fields[name].description


def test_the_code_reads_what_the_configmap_says(monkeypatch: pytest.MonkeyPatch):
    for name, value in data(render("{settings: {max_frames: 10000000, retention_days: 1.5, nvenc: true}}")).items():
        monkeypatch.setenv(name, value)
    read = Settings.read()
    assert (read.max_frames, read.retention_days, read.nvenc, read.model_batch) == (10_000_000, 1.5, True, None)
    for name, value in DECIDED.items():
        assert str(getattr(read, name)) == value


@pytest.mark.parametrize("profile", ["local", "gpu", "production", "production-gpu"])
def test_the_code_takes_what_every_pool_is_told(profile: str, monkeypatch: pytest.MonkeyPatch):
    release = render(over=profile)
    for name in sorted(release.names("ConfigMap") - {"settings", "dashboard"}):
        with monkeypatch.context() as environment:
            for variable, value in {**data(release), **(release.get("ConfigMap", name)["data"] or {})}.items():
                environment.setenv(variable, value)
            read = Settings.read()
        grace = at(release.get("Deployment", name), "spec.template.spec.terminationGracePeriodSeconds")
        assert grace > read.soft_shutdown_s
        assert read.warm_model is name.startswith("infer")


def test_whole_numbers_are_written_without_exponent():
    assert not [value for value in data(render()).values() if re.fullmatch(r"[\d.]+e\+\d+", value)]


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name not in SECRETS | DECIDED.keys()])
def test_the_schema_has_the_bounds_of_the_code(name: str):
    field = Settings.model_json_schema()["properties"][name]
    field = next((each for each in field.get("anyOf", []) if each["type"] != "null"), field)
    schema = json.loads(chart().schema) if isinstance(chart().schema, str | bytes) else chart().schema
    own = schema["properties"]["settings"]["properties"][name]
    own = at(schema, own["$ref"].removeprefix("#/").replace("/", ".")) if "$ref" in own else own
    for bound in ("minimum", "exclusiveMinimum", "maximum"):
        if name != "metrics_port":
            assert own.get(bound) == field.get(bound)
    assert field["type"] in ([own["type"]] if isinstance(own["type"], str) else own["type"])


@pytest.mark.parametrize(
    ("given", "where", "variable", "value"),
    [
        ("{}", "settings", "S3_ENDPOINT", "http://pf-posefleet-s3:8333"),
        ("{settings: {s3_endpoint: 'https://s3.example'}}", "settings", "S3_ENDPOINT", "https://s3.example"),
        ("{s3: {tryOut: {enabled: false}}}", "settings", "S3_ENDPOINT", ""),
        ("{settings: {bucket: films}}", "settings", "BUCKET", "films"),
        ("{settings: {watch: 's3://films/in/'}}", "settings", "WATCH", "s3://films/in/"),
        ("{settings: {patience_s: 2.5}}", "settings", "PATIENCE_S", "2.5"),
        ("{}", "settings", "SOFT_SHUTDOWN_S", "120"),
        ("{}", "finish", "SOFT_SHUTDOWN_S", "345"),
        ("{pools: {render: {spot: true}}}", "render", "SOFT_SHUTDOWN_S", "15"),
        ("{}", "infer-cpu", "WARM_MODEL", "true"),
        ("{}", "infer-cpu", "BACKEND", "litert"),
        ("{pools: {infer-gpu: {enabled: true}}}", "infer-gpu", "BACKEND", "gpu"),
        ("{poolDefaults: {settings: {decoder_memory_mb: 4096}}}", "render", "DECODER_MEMORY_MB", "4096"),
        ("{pools: {render: {settings: {nvenc: true}}}}", "render", "NVENC", "true"),
    ],
)
def test_a_setting_gets_where_it_should(given: str, where: str, variable: str, value: str):
    assert render(given).get("ConfigMap", where)["data"][f"POSEFLEET_{variable}"] == value


@pytest.mark.parametrize(
    ("given", "variable", "secret", "key"),
    [
        ("{}", "REDIS_URL", "pf-posefleet-try-out", "redis-url"),
        ("{redis: {existingSecret: mine, tryOut: {enabled: false}}}", "REDIS_URL", "mine", "redis-url"),
        ("{redis: {existingSecret: mine, key: url, tryOut: {enabled: false}}}", "REDIS_URL", "mine", "url"),
        ("{}", "S3_ACCESS_KEY_ID", "pf-posefleet-try-out", "access-key-id"),
        ("{s3: {existingSecret: mine, tryOut: {enabled: false}}}", "S3_SECRET_ACCESS_KEY", "mine", "secret-access-key"),
        (
            "{s3: {existingSecret: mine, accessKeyIdKey: id, tryOut: {enabled: false}}}",
            "S3_ACCESS_KEY_ID",
            "mine",
            "id",
        ),
        ("{s3: {tryOut: {enabled: false}}}", "S3_ACCESS_KEY_ID", None, None),
        ("{s3: {tryOut: {enabled: false}}}", "S3_SECRET_ACCESS_KEY", None, None),
    ],
)
@pytest.mark.parametrize("component", ["plan", "infer-cpu", "render", "finish", "api", "sweeper"])
def test_a_secret_comes_from_where_it_should(given: str, variable: str, secret: str, key: str, component: str):
    env = at(render(given).get("Deployment", component), "spec.template.spec.containers.0.env")
    found = {each["name"]: each.get("valueFrom") for each in env}.get(f"POSEFLEET_{variable}")
    assert found == (secret and {"secretKeyRef": {"name": secret, "key": key}})


@pytest.mark.parametrize(
    ("variable", "components"),
    [
        ("WEBHOOK_SECRET", {"Deployment/api", "Deployment/sweeper"}),
        ("FLOWER_BASIC_AUTH", {"Deployment/flower"}),
        ("REDIS_URL", {f"Deployment/{each}" for each in (*STORING, "exporter", "flower")} | ONCE),
        ("S3_SECRET_ACCESS_KEY", {f"Deployment/{each}" for each in STORING} | ONCE),
    ],
)
def test_a_secret_is_only_where_it_is_used(variable: str, components: set[str]):
    assert variables(render(FULL))[f"POSEFLEET_{variable}"] == components


@pytest.mark.parametrize("profile", ["production", "production-gpu"])
def test_production_makes_no_secret(profile: str):
    assert not render(over=profile).of("Secret")


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("{}", "{settings: {patience_s: 5}}", {"plan", "render", "api", "sweeper", "exporter", "flower"}),
        ("{}", "{pools: {render: {settings: {nvenc: true}}}}", {"render"}),
        ("{}", "{pools: {render: {maxReplicas: 7}}}", set()),
        ("{}", "{webhook: {existingSecret: hooks}}", {"plan", "render", "api", "sweeper", "exporter", "flower"}),
        ("{}", "{api: {replicas: 3}}", set()),
    ],
)
def test_pods_are_replaced_when_their_configuration_changes(before: str, after: str, changes: set[str]):
    def checksums(given: str) -> dict[str, str]:
        path = "spec.template.metadata.annotations.checksum/config"
        names = ("plan", "render", "api", "sweeper", "exporter", "flower")
        return {name: at(render(given).get("Deployment", name), path) for name in names}

    old, new = checksums(before), checksums(after)
    assert {name for name in old if old[name] != new[name]} == changes
