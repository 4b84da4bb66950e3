"""A real Airflow with its schedulers, one for all tests that need it."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress

if TYPE_CHECKING:
    from tests.conftest import InfluxServer

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what needs a running Airflow at the end: its schedulers run as long as the session after their first test."""
    items.sort(key=lambda item: "real_airflow" in getattr(item, "fixturenames", ()))


@pytest.fixture
def connections(influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Airflow connections to the server: ``tele``, ``wrong`` with a wrong token, ``down`` where nothing listens."""
    # a short deadline, as nothing here may be tried again for long
    extra = {"org": influx.org, "deadline_seconds": 0.3}
    tele = {"conn_type": "influx_rollup", "host": influx.url, "password": influx.token, "extra": extra}
    others = {"wrong": {"password": "wrong-token"}, "down": {"host": "http://127.0.0.1:1"}}
    for name, fields in {"tele": {}, **others}.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({**tele, **fields}))
    close_all_clients()
    yield
    close_all_clients()


@pytest.fixture(scope="session")
def new_organisation(influx: InfluxServer) -> Callable[[], InfluxAddress]:
    """Makes organisations, so that DAGs with fixed bucket names do not meet each other's data."""
    operator = InfluxAddress(influx.url, influx.org, influx.token)
    return lambda: operator.new_organisation(f"airflow-{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="session")
def organisation(new_organisation: Callable[[], InfluxAddress]) -> InfluxAddress:
    """The organisation of the backfills."""
    return new_organisation()


@pytest.fixture(scope="session")
def real_airflow(
    organisation: InfluxAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowProcess]:
    """A running Airflow of this version that knows the example DAGs and the DAGs of the tests."""
    home = tmp_path_factory.mktemp("real-airflow")
    dags = home / "dags"
    shutil.copytree(REPOSITORY / "example_dags", dags / "example_dags")
    shutil.copytree(Path(__file__).parent / "dags", dags / "tests")
    # no test changes a DAG's file: reading all of them again each half minute takes a seventh of a core
    once = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"}
    with AirflowProcess(home, dags, organisation, environment=once) as running:
        running.migrate()
        # while the services start
        running.load_commands()
        running.start()
        yield running
