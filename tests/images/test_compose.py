"""compose.yaml: the chart's local profile on one machine, with the same commands, settings and limits."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.settings import Settings
from tests.chart.rendering import PREFIX, Document, at, render
from tests.images.dockerfile import ROOT

TEXT = (ROOT / "compose.yaml").read_text()
SECRETS = ("FLEET_REDIS_PASSWORD", "FLEET_S3_PASSWORD", "FLEET_FLOWER_PASSWORD")
GIVEN = {name: f"not-a-secret-{number}" for number, name in enumerate(SECRETS)}
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::(\?|-)([^}]*))?\}")


class Missing(Exception):
    """A variable that has to be given."""


def compose(environment: Mapping[str, str] = GIVEN) -> Document:
    """The file as Compose reads it."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found[1] in environment:
            return environment[found[1]]
        if found[2] != "-":
            raise Missing(f"{found[1]}: {found[3]}")
        return found[3]

    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: fill(each) for key, each in node.items()}
        if isinstance(node, list):
            return [fill(each) for each in node]
        return _VARIABLE.sub(value, node) if isinstance(node, str) else node

    found: Document = fill(yaml.safe_load(TEXT))
    return found


SERVICES: dict[str, Document] = compose()["services"]
ONCE = {"folders", "models", "bucket"}
SERVERS = {"redis", "s3"}
OURS = sorted(SERVICES.keys() - ONCE - SERVERS)
RUNNING = sorted(SERVICES.keys() - ONCE)
LOCAL = render(over="local")


def container(name: str) -> Document:
    """The container of a component in the chart."""
    found = LOCAL.find("Deployment", name) or LOCAL.find("StatefulSet", name) or LOCAL.get("Job", name)
    return dict(at(found, "spec.template.spec.containers.0"))


def settings(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the code reads from variables."""
    with monkeypatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("POSEFLEET_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        return Settings.read().model_dump()


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_components_are_the_chart_s():
    assert {*OURS, *SERVERS} == LOCAL.names("Deployment") | LOCAL.names("StatefulSet")


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_the_chart_s(name: str):
    theirs, mine = container(name), SERVICES[name]
    assert [*mine.get("entrypoint", []), *mine["command"]] == [*theirs["command"], *theirs.get("args", [])]


def test_servers_have_the_chart_s_commands_and_images():
    redis, s3 = container("redis"), container("s3")
    given = [word.replace("$(PASSWORD)", GIVEN["FLEET_REDIS_PASSWORD"]) for word in redis["args"]]
    assert SERVICES["redis"]["command"] == [*redis["command"], *given]
    assert [*SERVICES["s3"]["entrypoint"], *SERVICES["s3"]["command"]] == [*s3["command"], *s3["args"]]
    assert [SERVICES[name]["image"] for name in ("redis", "s3")] == [redis["image"], s3["image"]]


def test_the_bucket_is_made_as_in_the_chart():
    assert SERVICES["bucket"]["command"][2].startswith(container("bucket")["command"][2])


@pytest.mark.parametrize("name", OURS)
def test_all_variables_are_settings(name: str):
    named = {each for each in SERVICES[name]["environment"] if each.startswith("POSEFLEET_")}
    assert {each.removeprefix("POSEFLEET_").lower() for each in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", OURS)
def test_the_settings_are_the_chart_s(name: str, monkeypatch: pytest.MonkeyPatch):
    own = LOCAL.find("ConfigMap", name) or {}
    chart = {**LOCAL.get("ConfigMap", "settings")["data"], **(own.get("data") or {})}
    theirs, mine = settings(chart, monkeypatch), settings(SERVICES[name]["environment"], monkeypatch)
    differing = {key for key in theirs if theirs[key] != mine[key]}
    addresses = {"redis_url", "s3_endpoint", "s3_public_endpoint", "s3_access_key_id", "s3_secret_access_key"}
    assert differing == addresses


def test_the_servers_are_reached_by_their_names():
    environment = SERVICES["plan"]["environment"]
    assert "@redis:6379/" in environment["POSEFLEET_REDIS_URL"]
    assert environment["POSEFLEET_S3_ENDPOINT"] == "http://s3:8333"
    assert SERVICES["s3"]["environment"]["AWS_SECRET_ACCESS_KEY"] == environment["POSEFLEET_S3_SECRET_ACCESS_KEY"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_named_with_what_to_do(name: str):
    with pytest.raises(Missing, match=f"{name}: write {name}=… into the file .env"):
        compose({each: value for each, value in GIVEN.items() if each != name})


def test_no_secret_is_written_down():
    assert not re.search(r"PASSWORD:-|: not-a-", TEXT)
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_confined(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service.get("cap_add", []) == (["CHOWN"] if name == "folders" else [])


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"folders"}))
def test_a_service_runs_as_the_chart_s_user(name: str):
    found = LOCAL.find("StatefulSet", name)
    wanted = at(found, "spec.template.spec.securityContext.runAsUser") if found else 10001
    assert SERVICES[name]["user"] == f"{wanted}:{wanted}"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_limits(name: str):
    limits = at(SERVICES[name], "deploy.resources.limits")
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])


@pytest.mark.parametrize("name", [*OURS, *sorted(SERVERS)])
def test_limits_are_at_least_the_chart_s(name: str):
    theirs, mine = container(name)["resources"]["limits"], at(SERVICES[name], "deploy.resources.limits")
    assert _bytes(mine["memory"]) >= _bytes(theirs["memory"].replace("i", ""))
    assert float(mine["cpus"]) >= _cores(theirs["cpu"])


def _cores(text: str) -> float:
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def _bytes(text: str) -> int:
    return int(text[:-1]) * {"M": 1 << 20, "G": 1 << 30}[text[-1]]


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_has_a_healthcheck_and_comes_back(name: str):
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert not any(word in str(check["test"]) for word in ("celery", "inspect"))
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["plan", "infer-cpu", "render", "finish"])
@pytest.mark.parametrize(
    ("files", "age_s", "passes"),
    [
        ([], 0, False),
        (["consuming"], 0, False),
        (["consuming", "warm-1", "warm-2"], 0, True),
        (["consuming", "warm-1", "warm-2", "heartbeat"], 10, True),
        (["consuming", "warm-1", "warm-2", "heartbeat"], 100, False),
    ],
)
def test_a_worker_is_healthy_when_it_is_ready_and_alive(
    name: str, files: list[str], age_s: int, passes: bool, tmp_path: Path
):
    for each in files:
        subprocess.run(["touch", f"--date=-{age_s} seconds", tmp_path / each], check=True)
    command = [word.replace("/ready", str(tmp_path)) for word in SERVICES[name]["healthcheck"]["test"][1:]]
    assert (subprocess.run(command, timeout=30).returncode == 0) is passes


@pytest.mark.parametrize("name", ["plan", "infer-cpu", "render", "finish"])
def test_a_worker_is_given_the_chart_s_time_to_stop(name: str):
    grace = at(LOCAL.get("Deployment", name), "spec.template.spec.terminationGracePeriodSeconds")
    assert seconds(SERVICES[name]["stop_grace_period"]) == grace
    assert SERVICES[name]["environment"]["REMAP_SIGTERM"] == "SIGQUIT"


def test_an_image_is_built_here_or_can_be_pinned():
    for name, service in yaml.safe_load(TEXT)["services"].items():
        if name in SERVERS:
            assert re.fullmatch(rf"\$\{{FLEET_{name.upper()}_IMAGE:-[\w/]+:[\d.]+[\w.-]*\}}", service["image"])
        else:
            assert service["build"]["target"] == "cpu"
            assert service["image"].endswith("-cpu")
            assert "PYTHON_DIGEST" in service["build"]["args"]


def test_only_this_machine_reaches_what_is_open():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == {"api", "exporter", "flower", "s3"}
    assert all(port.startswith("127.0.0.1:") for each in ports.values() for port in each)
    networks = compose()["networks"]
    assert networks["fleet"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "outside" in service["networks"]} == ports.keys()


def test_volumes_are_declared():
    named = {mount.split(":")[0] for service in SERVICES.values() for mount in service["volumes"] if ":" in mount}
    assert named == compose()["volumes"].keys()


def test_models_are_copied_as_in_the_chart():
    init = at(LOCAL.get("Deployment", "plan"), "spec.template.spec.initContainers.0")
    assert SERVICES["models"]["command"] == init["command"]
    assert all("models" in SERVICES[name]["depends_on"] for name in OURS)


def test_names_of_the_chart_are_not_needed():
    assert PREFIX not in TEXT
