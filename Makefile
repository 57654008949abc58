# Every target explains itself: `make help`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
EXTRA  ?= cpu
COCO   ?= tests/media/coco

.PHONY: help setup demo test lint format bench accuracy lock clean
.DEFAULT_GOAL := help

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## Install everything into .venv and pull the pose model into the cache folder.
	@$(BIN)/posefleet model pull

$(VENV)/.ready: pyproject.toml requirements/$(EXTRA).txt requirements/bootstrap.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/bootstrap.txt requirements/$(EXTRA).txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Process a real video on this machine, from upload to annotated video.
	@$(BIN)/posefleet demo

test: setup ## Run all tests that need no measuring.
	$(BIN)/python -m pytest --ignore=tests/benchmarks

lint: $(VENV)/.ready ## Check style, types, imports and the lock files.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/support/check_lock.py

format: $(VENV)/.ready ## Put the code into shape.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure the infer step beside its parts, an ideal pipeline and the tutorials' loop, in one run.
	$(BIN)/python -W ignore -m tests.benchmarks.infer

accuracy: setup ## COCO keypoint accuracy of presets and sizes: COCO=folder with images/ and person_keypoints.json.
	$(BIN)/python -m tests.benchmarks.accuracy $(COCO)

lock: ## Pin all requirements with hashes (needs uv; .venv's is used).
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra cpu --extra local --extra dev pyproject.toml -o requirements/cpu.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra gpu --extra local --extra dev pyproject.toml -o requirements/gpu.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url requirements/bootstrap.in -o requirements/bootstrap.txt

clean: ## Remove the environment and everything built.
	rm -rf $(VENV) out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
