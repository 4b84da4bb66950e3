"""What live tests share: the scene of lifecycle files, and a client and buckets for all tests of a file."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from tests.conftest import InfluxServer
from tests.scenes.lifecycle_scene import Ask, Scene, asker


@pytest.fixture
def scene(
    influx: InfluxServer, client: InfluxClient, bucket_factory: Callable[[str], str], tmp_path: Path
) -> Scene:
    return Scene(influx, client, bucket_factory, tmp_path)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    return asker(capsys, influx, monkeypatch)


@pytest.fixture(scope="module")
def module_client(influx: InfluxServer) -> Iterator[InfluxClient]:
    settings = ClientSettings(url=influx.url, org=influx.org, token=lambda _: influx.token)
    with InfluxClient(settings) as connected:
        yield connected


@pytest.fixture(scope="module")
def module_bucket(module_client: InfluxClient) -> Callable[[], str]:
    def make() -> str:
        name = f"bucket_{uuid.uuid4().hex[:12]}"
        module_client.ensure_bucket(name)
        return name

    return make
