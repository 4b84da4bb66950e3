"""A real Airflow with its schedulers, one for all tests that need it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress

if TYPE_CHECKING:
    from tests.conftest import InfluxServer

REPOSITORY = Path(__file__).resolve().parents[2]


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
    with AirflowProcess(home, dags, organisation) as running:
        running.start()
        yield running
