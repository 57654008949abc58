"""Fixtures that several folders share: the pulled model, a running stack."""

import os
from collections.abc import Iterator

import pytest

from producer import Fleet
from producer.stack.process import Child, answers, free_port
from producer.stack.servers import redis_command
from producer.stack.stack import Stack
from schema.errors import ModelError
from schema.messages import ModelIdentity
from schema.settings import Settings
from tests.faults.rows import Table
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
    config.pluginmanager.register(Table())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With two processes one has the fleet that is mistreated, the other one the fleet of all other tests."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        for fixture, group in (("whole_ground", "ground"), ("stack", "stack")):
            if fixture in used:
                item.add_marker(pytest.mark.xdist_group(group))


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
def stack(model: ModelIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole fleet with a data folder of its own and a short visibility timeout."""
    changed = {
        "POSEFLEET_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "POSEFLEET_TASK_SOFT_LIMIT_S": "18",
        "POSEFLEET_TASK_LIMIT_S": "20",
        "POSEFLEET_VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
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
