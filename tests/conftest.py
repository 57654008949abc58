"""Fixtures that several folders share: the pulled model, a running stack."""

import os
from collections.abc import Iterator

import pytest

from producer import Fleet
from producer.stack.stack import Stack
from schema.errors import ModelError
from schema.messages import ModelIdentity
from schema.settings import Settings
from workers.models.store import identity

REQUIRE_ALL = bool(os.environ.get("POSEFLEET_TEST_REQUIRE_ALL"))
VISIBILITY_S = 12


def skip_or_fail(why: str) -> None:
    """A missing server skips a test on a laptop and fails it where everything must be there."""
    if REQUIRE_ALL:
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def model() -> ModelIdentity:
    settings = Settings.read()
    try:
        return identity(settings.model, settings.models_dir)
    except ModelError as error:
        skip_or_fail(str(error))
        raise


@pytest.fixture(scope="session")
def stack(model: ModelIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole fleet with a data folder of its own and a short visibility timeout."""
    changed = {
        "POSEFLEET_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "POSEFLEET_TASK_SOFT_LIMIT_S": "9",
        "POSEFLEET_TASK_LIMIT_S": "10",
        "POSEFLEET_VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
        "FLOWER_UNAUTHENTICATED_API": "true",
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
