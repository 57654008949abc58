"""What importing costs: a probe or a producer must not load the heavy libraries."""

import subprocess
import sys

import pytest

HEAVY = {"tensorflow", "tensorflow_hub", "av", "cv2", "boto3", "ai_edge_litert", "numba"}


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["workers.app", "workers.tasks", "producer.tasks"])
def test_the_worker_app_loads_nothing_heavy(module):
    assert not loaded_by(f"import {module}") & HEAVY


def test_the_command_line_loads_neither_tensorflow_nor_a_model_backend():
    assert not loaded_by("import producer.cli, producer.run") & {"tensorflow", "ai_edge_litert", "numba", "av", "cv2"}


def test_a_cpu_worker_infers_without_tensorflow():
    assert "tensorflow" not in loaded_by("import workers.models.litert, workers.stages.infer, workers.models.loaded")


def test_the_process_that_reads_sources_loads_no_settings():
    assert "pydantic_settings" not in loaded_by("import workers.media.jail.child")
