"""Fixtures of the fault matrix."""

from collections.abc import Iterator
from dataclasses import asdict

import pyarrow as pa
import pytest

from schema.messages import ModelIdentity
from tests.faults.ground import Ground
from tests.faults.oracle import ledger
from tests.faults.rows import ALL, PROPERTY, SEEDS, Record, line_of
from tests.support.media import CLIP, beginning

_RECORD = pytest.StashKey[Record]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many seeds as were asked for."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed {seed}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the rows that only ``make faults`` runs."""
    left_out = [] if ALL else [item for item in items if item.get_closest_marker("faults_all")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep a line of every row."""
    report = yield
    if item.get_closest_marker("fault_row") and (report.when == "call" or report.outcome != "passed"):
        figures = item.stash[_RECORD].figures if _RECORD in item.stash else []
        report.user_properties.append((PROPERTY, asdict(line_of(item, report, figures))))
    return report


@pytest.fixture(scope="package")
def whole_ground(model: ModelIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One fleet for all rows."""
    folder = tmp_path_factory.mktemp("ground")
    with Ground(folder, beginning(CLIP, folder / "clip.mp4", frames=120)) as ground:
        yield ground


@pytest.fixture
def ground(whole_ground: Ground, seed: int) -> Iterator[Ground]:
    """The fleet at rest: the usual workers, no faults."""
    whole_ground.usual()
    if whole_ground.outstanding() or ledger(whole_ground):
        whole_ground.forget()  # what a row has left that failed
    whole_ground.seed = seed
    for proxy in (whole_ground.redis_proxy, whole_ground.s3_proxy):
        proxy.random.seed(seed)
    whole_ground.s3_proxy.forget()
    yield whole_ground
    whole_ground.calm()


@pytest.fixture(scope="package")
def undisturbed(whole_ground: Ground) -> pa.Table:
    """Tracks of the clip."""
    whole_ground.usual()
    job = whole_ground.job(batch_frames=60)
    assert job.wait(120).state == "succeeded"
    return job.tracks()


@pytest.fixture(scope="package")
def looped(whole_ground: Ground) -> str:
    """A video of 240 pictures."""
    return whole_ground.upload(beginning(CLIP, whole_ground.folder / "looped.mp4", frames=120, times=2))


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """What the row measures."""
    return request.node.stash.setdefault(_RECORD, Record())
