"""A token that has what a lifecycle needs, and nothing else: every stage runs with it, and it can do no more."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import InfluxRejected
from tests.conftest import InfluxServer

pytestmark = pytest.mark.live


@pytest.fixture
def ask(
    capsys: pytest.CaptureFixture[str], influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    for name, value in (("URL", influx.url), ("ORG", influx.org)):
        monkeypatch.setenv(f"INFLUX_{name}", value)

    def run(token: str, *argv: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setenv("INFLUX_TOKEN", token)
        capsys.readouterr()
        code = main([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_every_stage_runs_and_nothing_else_does_when_a_token_is_made_for_it(
    influx: InfluxServer, client: InfluxClient, bucket_factory: Callable[[str], str], tmp_path: Path,
    ask: Callable[..., Any],
) -> None:  # fmt: skip
    raw, hours, days, ledger, other = map(bucket_factory, ("raw", "hours", "days", "ledger", "other"))
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    nanoseconds = int(start.timestamp()) * 10**9
    client.write_lines(raw, [f"m,host=a x={at}i {nanoseconds + at * 1800 * 10**9}" for at in range(48)])
    values = {
        "source_bucket": raw, "measurement": "m", "ledger_bucket": ledger, "reconcile": "1d",
        "tiers": [
            {"bucket": hours, "every": "1h", "aggregates": ["count", "sum"]},
            {"bucket": days, "every": "1d"},
        ],
        "validation": {"rules": [{"rule": "range", "field": "x", "high": 100}]},
        "deadman": {"group_by": ["host"], "silence": "1h"},
        "archive": {"path": str(tmp_path / "archive"), "every": "1d"},
    }  # fmt: skip
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(values))
    code, planned = ask("no token", "token", "plan", str(path))
    assert (code, list(planned["stages"])) == (0, ["validate", "rollup", "deadman", "reconcile", "archive"])
    allowed = {(one["action"], one["bucket"]) for needed in planned["stages"].values() for one in needed}
    assert ("write", raw) not in allowed

    code, made = ask(influx.token, "token", "create", str(path))
    assert code == 0
    span = ("--from", start.date().isoformat(), "--to", (start + timedelta(days=1)).date().isoformat())
    code, told = ask(made["token"], "run", str(path), *span)
    assert (code, [one["stage"] for one in told["measurements"][0]["stages"]]) == (
        0,
        ["validate", "rollup", "rollup", "deadman", "reconcile", "archive"],
    )
    settings = ClientSettings(
        url=influx.url, org=influx.org, token=lambda _refresh: made["token"], deadline_seconds=1
    )
    with InfluxClient(settings) as limited:
        for bucket in (raw, other):
            with pytest.raises(InfluxRejected):
                limited.write_lines(bucket, ["m x=1i 1"])
        assert limited.find_bucket(other) is None
        assert len(limited.query(f'from(bucket: "{days}") |> range(start: {start.isoformat()})')) == 2


@pytest.mark.parametrize("stage", ["validate", "rollup", "deadman", "purge"])
def test_a_stage_runs_alone_when_its_token_sees_no_bucket_of_the_others(
    influx: InfluxServer, client: InfluxClient, bucket_factory: Callable[[str], str], tmp_path: Path,
    ask: Callable[..., Any], stage: str,
) -> None:  # fmt: skip
    arrival, raw, kept_out, hours, ledger = map(
        bucket_factory, ("arrival", "raw", "kept_out", "hours", "ledger")
    )
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    for bucket in (arrival, raw):
        client.write_lines(bucket, [f"m,host=a x=1i {int(start.timestamp()) * 10**9}"])
    values = {
        "source_bucket": raw, "measurement": "m", "ledger_bucket": ledger,
        "tiers": [{"bucket": hours, "every": "1h", "aggregates": ["count"]}],
        "validation": {
            "bucket": arrival, "rules": [{"rule": "range", "field": "x", "high": 100}],
            "quarantine_bucket": kept_out, "on_failure": "quarantine",
        },
        "deadman": {"group_by": ["host"], "silence": "1d"},
        "archive": {"path": str(tmp_path / "archive"), "every": "1h", "purge_after": "30d"},
    }  # fmt: skip
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(values))
    made = ask(influx.token, "token", "create", str(path), "--stage", stage)[1]["token"]
    span = "--from", start.isoformat(), "--to", (start + timedelta(hours=1)).isoformat()
    code, told = ask(made, stage, str(path), *span)
    assert (code, told.get("error")) == (0, None)
    assert {one["stage"] for one in told["measurements"][0]["stages"]} == {stage}


def test_token_makes_the_buckets_that_a_lifecycle_declares(
    influx: InfluxServer, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    name = f"made_{uuid.uuid4().hex[:8]}"
    path = tmp_path / "a.yaml"
    buckets = [{"name": name, "labels": [name]}, {"name": f"{name}_h"}, {"name": f"{name}_ledger"}]
    tiers = [{"bucket": f"{name}_h", "every": "1h", "aggregates": ["count"]}]
    values = {"source_bucket": name, "measurement": "m", "tiers": tiers, "buckets": buckets}
    path.write_text(json.dumps(values | {"ledger_bucket": f"{name}_ledger"}))
    code, made = ask(influx.token, "token", "create", str(path), "--stage", "buckets")
    assert code == 0
    assert ask(made["token"], "buckets", str(path), "--yes")[0] == 0
    code, told = ask(made["token"], "buckets", str(path))
    assert (code, len(told["unchanged"])) == (0, 3)
    # the other stages need buckets that exist by now
    assert ask(influx.token, "token", "create", str(path), "--stage", "rollup")[0] == 0


def test_no_token_is_made_when_a_bucket_is_missing_or_the_token_may_not(
    influx: InfluxServer, bucket_factory: Callable[[str], str], tmp_path: Path, ask: Callable[..., Any]
) -> None:
    raw, hours, ledger = map(bucket_factory, ("raw", "hours", "ledger"))
    tiers = [{"bucket": hours, "every": "1h", "aggregates": ["count"]}]
    path = tmp_path / "a.yaml"

    def declare(**changes: Any) -> str:
        values = {"source_bucket": raw, "measurement": "m", "tiers": tiers, "ledger_bucket": ledger}
        path.write_text(json.dumps(values | changes))
        return str(path)

    absent = f"absent_{uuid.uuid4().hex[:8]}"
    code, told = ask(influx.token, "token", "create", declare(source_bucket=absent))
    assert (code, absent in told["error"]["message"]) == (2, True)
    code, made = ask(influx.token, "token", "create", declare(), "--stage", "rollup")
    assert code == 0
    code, told = ask(made["token"], "token", "create", declare())
    assert (code, "token" in told) == (2, False)
    assert "the token may not read the organisation" in told["error"]["message"]
    code, told = ask(influx.token, "token", "plan", declare(), "--stage", "purge")
    assert (code, "declares no purge" in told["error"]["message"]) == (2, True)
