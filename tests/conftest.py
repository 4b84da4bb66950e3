"""What the tests share: a real InfluxDB server and fresh buckets on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings

settings.register_profile(
    "ci", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("soak", parent=settings.get_profile("ci"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@dataclass(frozen=True)
class InfluxServer:
    """A real server that the test may use as it likes."""

    url: str
    org: str
    token: str = field(repr=False)


@pytest.fixture(scope="session")
def influx() -> InfluxServer:
    """The server named by INFLUX_URL, INFLUX_ORG and INFLUX_TOKEN; `dev/influx start` prints them."""
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


@pytest.fixture
def bucket_factory(client: InfluxClient) -> Callable[[], str]:
    """Makes fresh empty buckets that keep for ever."""

    def make(prefix: str = "bucket") -> str:
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        client.ensure_bucket(name)
        return name

    return make
