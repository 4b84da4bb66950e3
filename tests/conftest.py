"""What the tests share: a real InfluxDB server and fresh buckets on it."""

from __future__ import annotations

import gc
import os
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression
from hypothesis import HealthCheck, settings

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.overload import breaker
from airflow_provider_influx_rollup.client.settings import ClientSettings
from dev.influx_http import InfluxAddress
from tests.scenes import recorded_server

pytest_plugins = ["tests.recorded"]

settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    # the same examples in each run: a change is blamed for what it did; a soak looks for new ones
    derandomize=True,
)
settings.register_profile("soak", parent=settings.get_profile("ci"), max_examples=2000, derandomize=False)
settings.register_profile("check", parent=settings.get_profile("ci"), max_examples=8)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


#: folders and files of ``tests`` that run on each Airflow; the others touch none
TOUCH_AIRFLOW = (
    "airflow/",
    "executors/",
    "faults/test_backfill_kills.py",
    "unit/airflow_adapters/",
    "unit/cli/test_adopted_files.py",
    "unit/docs/test_docs.py",
    "unit/docs/test_metrics.py",
    "unit/docs/test_stage_dashboard.py",
    "architecture/test_import_time.py",
)
SERVER = ("INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN")
COLLECTED = pytest.StashKey[list[pytest.Item]]()


def pytest_configure() -> None:
    """Give each worker of pytest-xdist its own server, or none: two on one server would delete each other's buckets."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        # tables of commands are as wide in a worker as without one
        os.environ.pop("COLUMNS", None)
        for name in SERVER:
            os.environ.pop(name, None)
            own = os.environ.get(f"{name}_{worker.upper()}")
            if own is not None:
                os.environ[name] = own


def touches_airflow(path: Path) -> bool:
    """Whether the tests of a file run on each Airflow."""
    return path.relative_to(Path(__file__).parent).as_posix().startswith(TOUCH_AIRFLOW)


@cache
def may_select(marks: str, *, airflow: bool) -> bool:
    """Whether ``-m`` can select a test that touches Airflow, or one that touches none, whatever its other marks are.

    :param marks: the expression
    :param airflow: whether the test has the mark ``airflow``
    """
    if not marks:
        return True
    names = sorted({*re.findall(r"\w+", marks)} - {"and", "or", "not", "airflow"})
    expression = Expression.compile(marks)
    cases = [
        {"airflow": airflow, **dict(zip(names, has, strict=True))}
        for has in product((False, True), repeat=len(names))
    ]
    return any(expression.evaluate(lambda name, /, *, case=case, **_: case[name]) for case in cases)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file that has no test of these marks: Airflow is two seconds for each worker."""
    if collection_path.suffix == ".py" and collection_path.name.startswith("test_"):
        airflow = touches_airflow(collection_path)
        return None if may_select(config.option.markexpr, airflow=airflow) else True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what touches Airflow, by its place; ``dev/run_tests.py`` selects by this mark."""
    config.stash[COLLECTED] = list(items)
    for item in items:
        if touches_airflow(item.path):
            item.add_marker(pytest.mark.airflow)


def pytest_collection_finish() -> None:
    """Let the garbage collector never look again at what stays to the end: modules, and thousands of tests."""
    gc.collect()
    gc.freeze()
    # an answer of InfluxDB alone makes more objects than the 700 after which it looks
    gc.set_threshold(5_000, 20, 50)


@pytest.fixture(scope="session")
def collected(request: pytest.FixtureRequest) -> list[pytest.Item]:
    """All tests that were found, before some were deselected."""
    return request.config.stash[COLLECTED]


@dataclass(frozen=True)
class InfluxServer:
    """A real server that the test may use as it likes."""

    url: str
    org: str
    token: str = field(repr=False)


@pytest.fixture(scope="session")
def influx(request: pytest.FixtureRequest) -> InfluxServer:
    """The server named by INFLUX_URL, INFLUX_ORG and INFLUX_TOKEN; `dev/influx start` prints them."""
    if request.config.getoption("replay"):
        return InfluxServer(recorded_server.URL, recorded_server.ORG, recorded_server.TOKEN)
    missing = [name for name in SERVER if not os.environ.get(name)]
    if missing:
        pytest.fail(
            f"{', '.join(missing)} not set: run `make test`, or `dev/influx start`, export what it prints and use no workers"
        )
    return InfluxServer(*(os.environ[name] for name in SERVER))


@pytest.fixture(scope="session")
def client(influx: InfluxServer) -> Iterator[InfluxClient]:
    """A connected client."""
    settings_ = ClientSettings(url=influx.url, org=influx.org, token=lambda _refresh: influx.token)
    with InfluxClient(settings_) as connected:
        yield connected


@pytest.fixture(autouse=True)
def _every_request_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests ask servers that are not there again and again; none waits because of what others have met."""
    monkeypatch.setattr(breaker, "FAILURES", 1_000_000)


@pytest.fixture(scope="module", autouse=True)
def _buckets_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep the server small: hundreds of test buckets would use up the files that it may have open."""
    if not os.environ.get("INFLUX_URL") or request.config.getoption("record"):
        yield
        return
    address = InfluxAddress(*(os.environ[name] for name in SERVER))
    with address.buckets_made_meanwhile_deleted():
        yield


@pytest.fixture
def bucket_factory(client: InfluxClient) -> Callable[[], str]:
    """Makes fresh empty buckets that keep forever."""

    def make(prefix: str = "bucket") -> str:
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        client.ensure_bucket(name)
        return name

    return make
