"""What the tests share: a real InfluxDB server and fresh buckets on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from dev.influx_http import InfluxAddress
from tests.scenes import recorded_server

pytest_plugins = ["tests.recorded"]

settings.register_profile(
    "ci", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("soak", parent=settings.get_profile("ci"), max_examples=2000)
settings.register_profile("check", parent=settings.get_profile("ci"), max_examples=8)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# files in here touch no Airflow, so that one run is enough for each; what one of them takes, in seconds
SECONDS_OF_FREE = {"unit": 1, "live": 9, "property": 3, "architecture": 5}
TOUCHES_AIRFLOW = ("unit/airflow_adapters", "unit/cli", "unit/docs", "architecture/test_import_time.py")
# and those that take longer
SECONDS = {
    "live/test_always_right.py": 450,
    "live/test_rollup_races.py": 185,
    "live/test_rollup_partitions.py": 138,
    "live/test_rollup_oracle.py": 100,
    "live/test_purge_races.py": 92,
    "live/test_erase_races.py": 95,
    "live/test_erase_claims.py": 15,
    "live/test_erase_stragglers.py": 20,
    "live/test_erase_windows.py": 70,
    "live/test_archive.py": 54,
    "live/test_lakes_on_s3.py": 52,
    "live/test_restore.py": 51,
    "live/test_export_orders.py": 50,
    "live/test_rollup_errors.py": 45,
    "live/test_telegraf_names.py": 25,
    "live/test_any_name.py": 20,
    "live/test_series_keys.py": 35,
    "live/test_series_key_orders.py": 30,
    "live/test_object_stores.py": 43,
    "live/test_all_times.py": 35,
    "live/test_clock_skew.py": 30,
    "live/test_interleavings.py": 20,
}
# what needs Airflow takes longer on the newest one
SECONDS_OF_AIRFLOW = (500, 330)
ALL_IN_OTHER_SHARES = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The runs of `make test` share the tests that touch no Airflow; the last run has these only."""
    parser.addoption("--share", default="1/1", help="which share of the files without Airflow to run, as 1/3")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the other shares to the other runs: every file without Airflow belongs to exactly one."""
    number, count = map(int, config.getoption("share").split("/"))
    paths = {_relative(item) for item in items}
    for item in items:
        if _relative(item).startswith(TOUCHES_AIRFLOW):
            item.add_marker(pytest.mark.airflow)
    free = {path for path in paths if _is_airflow_free(path)}
    mine = _shares(free, count)[number - 1]
    if number < max(count, 2):
        mine |= paths - free
    left = [item for item in items if _relative(item) not in mine]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if _relative(item) in mine]
        config.stash[ALL_IN_OTHER_SHARES] = not items


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run whose tests are all in the other shares has not failed."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.stash.get(
        ALL_IN_OTHER_SHARES, False
    ):
        session.exitstatus = pytest.ExitCode.OK


def _shares(paths: set[str], count: int) -> list[set[str]]:
    """Each path in one share; the heavy ones first, so that the runs take about the same time."""
    shares: list[set[str]] = [set() for _ in range(count)]
    seconds = [*SECONDS_OF_AIRFLOW[: count - 1], *[0] * count][:count]
    for path in sorted(paths, key=lambda path: (-_seconds(path), path)):
        lightest = seconds.index(min(seconds))
        shares[lightest].add(path)
        seconds[lightest] += _seconds(path)
    return shares


def _seconds(path: str) -> int:
    return SECONDS.get(path, SECONDS_OF_FREE[path.split("/")[0]])


def _relative(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


def _is_airflow_free(path: str) -> bool:
    return path.startswith(tuple(SECONDS_OF_FREE)) and not path.startswith(TOUCHES_AIRFLOW)


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
    missing = [name for name in ("INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN") if not os.environ.get(name)]
    if missing:
        pytest.fail(
            f"{', '.join(missing)} not set: run `make test`, or `dev/influx start` and export what it prints"
        )
    return InfluxServer(os.environ["INFLUX_URL"], os.environ["INFLUX_ORG"], os.environ["INFLUX_TOKEN"])


@pytest.fixture(scope="session")
def client(influx: InfluxServer) -> Iterator[InfluxClient]:
    """A connected client."""
    settings_ = ClientSettings(url=influx.url, org=influx.org, token=lambda _refresh: influx.token)
    with InfluxClient(settings_) as connected:
        yield connected


@pytest.fixture(scope="module", autouse=True)
def _buckets_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep the server small: hundreds of test buckets would use up the files that it may have open."""
    if not os.environ.get("INFLUX_URL") or request.config.getoption("record"):
        yield
        return
    address = InfluxAddress(*(os.environ[name] for name in ("INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN")))
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
