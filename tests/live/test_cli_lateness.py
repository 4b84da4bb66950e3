"""``influx-rollup lateness`` and the names that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.ledger.codec import encode_spec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from tests.conftest import InfluxServer

pytestmark = pytest.mark.live


def test_a_pattern_leaves_out_tiers_and_a_name_does_not_when_both_match(
    influx: InfluxServer,
    client: InfluxClient,
    bucket_factory: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)
    ledger = bucket_factory()
    for name, grid, below in (("tele_5m", "5m", None), ("tele_1h", "1h", "tele_5m")):
        spec = RollupSpec(
            source_bucket="raw",
            target_bucket=name,
            measurement="m",
            grid=GridSpec(grid),
            aggregates=("count",),
            pipeline=name,
            source_tier=below,
        )
        client.write_lines(ledger, [encode_spec(name, "11", spec.as_json(), datetime.now(UTC))])

    def ask(pipeline: str) -> dict[str, Any]:
        main(["lateness", "--pipeline", pipeline, "--last", "1h", "--ledger-bucket", ledger, "--json"])
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    assert "error" not in ask("tele_5m")
    assert "error" not in ask("tele*")
    assert "tele_1h" in ask("tele_1h")["error"]["message"]
