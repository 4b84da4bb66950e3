"""A record of a server that nobody asks; here the breaker opens as it does for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.overload.shared_record import SharedRecord


@pytest.fixture(autouse=True)
def _every_request_goes() -> None:
    """Take the place of the fixture that keeps the breaker shut in all other tests."""


@pytest.fixture
def record(tmp_path: Path) -> SharedRecord:
    """What tasks know of the server."""
    return SharedRecord("http://influx:8086", tmp_path / "a.server")
