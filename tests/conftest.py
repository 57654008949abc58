"""Fixtures that several folders share: the pulled model, a running stack."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress

import pytest

from producer import Fleet
from producer.stack.process import Child, answers, free_port, ports_to_oneself
from producer.stack.servers import redis_command, s3_command
from producer.stack.stack import Stack
from schema.errors import ModelError, PosefleetError
from schema.messages import ModelIdentity
from schema.settings import Settings, current
from tests.faults.rows import Table
from tests.support.uploads import Uploads, telling_store
from workers.models.store import identity

REQUIRE_ALL = bool(os.environ.get("POSEFLEET_TEST_REQUIRE_ALL"))
VISIBILITY_S = 24


def skip_or_fail(why: str) -> None:
    """A missing server skips a test on a laptop and fails it where everything must be there."""
    if REQUIRE_ALL:
        pytest.fail(why)
    pytest.skip(why)


def pytest_configure(config: pytest.Config) -> None:
    """Collect the fault matrix."""
    config.pluginmanager.register(Table(config.pluginmanager))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Where tests run in several processes."""
    from tests.support.sharing import ByFleet

    return ByFleet(config, log)


@pytest.fixture(scope="session")
def model() -> ModelIdentity:
    settings = Settings.read()
    try:
        return identity(settings.model, settings.models_dir)
    except ModelError as error:
        skip_or_fail(str(error))
        raise


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server without workers."""
    data, port = tmp_path_factory.mktemp("redis"), free_port(6379, {6379})
    child = Child(redis_command(data, port), data)
    try:
        child.wait_until(lambda: answers(port), 20)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        child.kill()


@pytest.fixture(scope="session")
def quiet_fleet(model: ModelIdentity, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet without workers, in which nothing moves: Redis, S3, and a data folder."""
    data, taken = tmp_path_factory.mktemp("quiet"), {8333}
    with ports_to_oneself(current().cache_dir):
        port = free_port(28333, taken)
        child = Child(s3_command(data, port, taken, "tests", "not-a-secret"), data)
        child.wait_until(lambda: answers(port), 60)
    named = {"s3_access_key_id": "tests", "s3_secret_access_key": "not-a-secret", "data_dir": data}
    settings = Settings(redis_url=redis_url, s3_endpoint=f"http://127.0.0.1:{port}", **named)
    fleet = Fleet(settings)
    try:
        child.wait_until(lambda: _has_bucket(fleet), 60)
        fleet.store.allow_browsers()
        yield fleet
    finally:
        child.kill()


def _has_bucket(fleet: Fleet) -> bool:
    with suppress(PosefleetError):
        fleet.store.ensure_bucket()
        return True
    return False


@pytest.fixture(scope="session")
def telling(model: ModelIdentity, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    """An object store that tells of uploads, and a database of Redis."""
    with telling_store(tmp_path_factory.mktemp("telling"), redis_url.removesuffix("/0") + "/7") as found:
        yield found


@pytest.fixture
def uploads(telling: Uploads) -> Iterator[Uploads]:
    """A fleet without workers and with a bucket of its own; nothing is uploaded."""
    mine = Uploads(telling.with_settings(bucket=f"fleet-{secrets.token_hex(8)}"), telling.port)
    mine.fleet.store.ensure_bucket()
    yield mine
    telling.fleet.store.delete([found.key for found in telling.fleet.store.objects("")])
    mine.fleet.progress.redis.flushdb()


@pytest.fixture(scope="session")
def stack(model: ModelIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole fleet with a data folder of its own and a short visibility timeout."""
    changed = {
        "POSEFLEET_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "POSEFLEET_TASK_SOFT_LIMIT_S": "18",
        "POSEFLEET_TASK_LIMIT_S": "20",
        "POSEFLEET_VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
        "POSEFLEET_WATCH": "s3://posefleet/watched/",
        "POSEFLEET_METRICS_PORT": "29808",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setenv(name, value)
        fleet = Stack(Settings.read(), lambda _: None)
        fleet.start()
        try:
            yield fleet
        finally:
            fleet.stop()


@pytest.fixture(scope="session")
def fleet(stack: Stack) -> Fleet:
    """Access to the fleet of the tests."""
    return Fleet(stack.addresses.settings(Settings.read()))
