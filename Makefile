# Every target explains itself: `make help`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
EXTRA  ?= cpu
IMAGE  ?= cpu
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COCO   ?= tests/media/coco
SEEDS  ?= 3
SOAK_S ?= 180
PEERS   = $(basename $(wildcard tests/benchmarks/peers/*.in))
LOCK    = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url
SYNC    = $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/bootstrap.txt
LINK    = $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .

# Processes start three times as fast when Python may keep what it has compiled.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test faults lint format bench bench-api bench-render bench-long bench-bulk fuzz track-eval accuracy lock chart pictures clean bench-scale images image-by-hand sbom simulate simulate-check bench-compare
.DEFAULT_GOAL := help

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## Install everything into .venv and pull the pose model into the cache folder.
	@$(BIN)/posefleet model pull

$(VENV)/.ready: pyproject.toml requirements/$(EXTRA).txt requirements/bootstrap.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(SYNC) requirements/$(EXTRA).txt
	$(LINK)
	@rm -f $(VENV)/.ready-dev
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements/dev.txt
	$(SYNC) requirements/$(EXTRA).txt requirements/dev.txt
	$(LINK)
	@touch $@

demo: setup ## Process a real video on this machine, from upload to annotated video.
	@$(BIN)/posefleet demo

test: $(VENV)/.ready-dev setup ## Run all tests that need no measuring.
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder --ignore=tests/benchmarks --durations=20 --durations-min=5

faults: $(VENV)/.ready-dev setup ## All rows of the fault matrix and their table; ROWS="-k storm" for some, SEEDS=3, SOAK_S=180.
	POSEFLEET_FAULTS_ALL=1 POSEFLEET_FAULTS_SEEDS=$(SEEDS) POSEFLEET_FAULTS_SOAK_S=$(SOAK_S) $(BIN)/python -m pytest tests/faults $(ROWS)

lint: $(VENV)/.ready-dev ## Check style, types, imports and the lock files.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/support/check_lock.py

format: $(VENV)/.ready-dev ## Put the code into shape.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready-dev setup ## Measure the fleet beside ideal pipelines, its parts and its peers, in one run; BENCH="--rounds 5 --only infer".
	$(BIN)/python -W ignore -m tests.benchmarks.bench $(BENCH)

bench-compare: $(VENV)/.ready-dev ## Tell a regression from noise: OLD=a.json NEW=b.json of two runs of bench.
	@$(BIN)/python -m tests.benchmarks.compare $(OLD) $(NEW)

bench-api: $(VENV)/.ready-dev setup ## Status requests of the HTTP API: rate and p99.
	$(BIN)/python -W ignore -m tests.benchmarks.api

bench-render: $(VENV)/.ready-dev setup ## Measure rendering beside a loop that draws on RGB, on one core; PRESETS=--presets: of libx264.
	$(BIN)/python -W ignore -m tests.benchmarks.render $(PRESETS)

bench-long: $(VENV)/.ready-dev setup ## Time, bytes and memory of each step on 12 hours of video beside one minute.
	$(BIN)/python -W ignore -m tests.benchmarks.long_video

simulate: $(VENV)/.ready-dev ## Foretell a fleet: GPU workers for a night, what gives way, price; ASK="--gpu-fps 500 --height 1080".
	$(BIN)/python -W ignore -m tests.simulation.questions $(ASK)

simulate-check: $(VENV)/.ready-dev setup ## Hold the model of a fleet against runs of real processes.
	$(BIN)/python -W ignore -m tests.simulation.measured

bench-bulk: $(VENV)/.ready-dev setup ## Enqueue 10,000 objects twice, and time a single video among 500 of somebody else.
	$(BIN)/python -W ignore -m tests.benchmarks.bulk

bench-scale: $(VENV)/.ready-dev setup ## 1 to 16 workers whose model waits, a queue of a million, commands and requests per batch; half an hour.
	$(BIN)/python -W ignore -m tests.benchmarks.scale

fuzz: $(VENV)/.ready-dev setup ## 2,000 damaged videos and pictures through the process that reads sources, as a table.
	$(BIN)/python -W ignore -m tests.benchmarks.mutants

track-eval: $(VENV)/.ready-dev setup ## HOTA, IDF1, MOTA and id switches beside the trackers of others, on the same poses.
	$(BIN)/python -W ignore -m tests.benchmarks.track_eval

accuracy: $(VENV)/.ready-dev setup ## COCO keypoint accuracy of presets and sizes: COCO=folder with images/ and person_keypoints.json.
	$(BIN)/python -m tests.benchmarks.accuracy $(COCO)

pictures: $(VENV)/.ready-dev setup ## Take the README's pictures of the page (needs Chromium).
	$(BIN)/python -m tests.support.pictures

lock: ## Pin all requirements with hashes (needs uv; .venv's is used).
	$(LOCK) --extra cpu --extra local pyproject.toml -o requirements/cpu.txt
	$(LOCK) --extra gpu --extra local -c requirements/cpu.txt pyproject.toml -o requirements/gpu.txt
	$(LOCK) --extra local --extra notebook --extra otel --extra dev -c requirements/cpu.txt pyproject.toml -o requirements/dev.txt
	$(LOCK) --extra litert --extra flower --extra otel -c requirements/cpu.txt pyproject.toml -o requirements/image-cpu.txt
	$(LOCK) --extra gpu --extra flower --extra otel -c requirements/gpu.txt pyproject.toml -o requirements/image-gpu.txt
	$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(LOCK) requirements/npm.in -o requirements/npm.txt
	$(LOCK) requirements/sbom.in -o requirements/sbom.txt
	for peer in $(PEERS); do $(LOCK) -c requirements/cpu.txt $$peer.in -o $$peer.txt || exit 1; done

chart: $(VENV)/.ready-dev ## Write what is generated of the Helm chart: tables of its README, copies of alerts and dashboard.
	@$(BIN)/python -m tests.support.chart

images: ## Build both images with Docker, on the base of PYTHON_DIGEST=sha256:… or the one the registry has now.
	@digest=$${PYTHON_DIGEST:-$$(docker buildx imagetools inspect python:3.11-slim-bookworm --format '{{.Manifest.Digest}}')} && \
	echo "PYTHON_DIGEST=$$digest" && \
	for kind in cpu gpu; do \
		docker build --target $$kind --build-arg PYTHON_DIGEST=$$digest --tag posefleet:$(VERSION)-$$kind . || exit 1; \
	done

image-by-hand: $(VENV)/.ready-dev ## Run the Dockerfile's steps without Docker, in build/images (root, debootstrap); IMAGE=cpu.
	$(BIN)/python -m tests.images.by_hand build/images --target $(IMAGE)

sbom: $(VENV)/.ready ## CycloneDX of the packages that an image installs, out/posefleet-cpu.cdx.json; IMAGE=gpu.
	@rm -rf build/sbom && mkdir -p out
	@$(BIN)/uv venv --quiet build/sbom/tools && $(BIN)/uv venv --quiet build/sbom/image
	@$(BIN)/uv pip sync --quiet --python build/sbom/tools --require-hashes requirements/sbom.txt
	@$(BIN)/uv pip sync --quiet --python build/sbom/image --require-hashes requirements/image-$(IMAGE).txt
	@$(BIN)/uv pip install --quiet --python build/sbom/image --no-deps .
	@build/sbom/tools/bin/cyclonedx-py environment --output-reproducible \
		--output-file out/posefleet-$(IMAGE).cdx.json build/sbom/image
	@echo out/posefleet-$(IMAGE).cdx.json

clean: ## Remove the environment and everything built.
	rm -rf $(VENV) out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
