"""What live tests of lifecycle files share; a test with a scene of its own has that one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
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
