"""Buckets on a real server: made, changed, left alone, and not allowed to lose points of which nothing was made."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.buckets.buckets import ensure_buckets
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)


@pytest.fixture
def address(influx: InfluxServer) -> InfluxAddress:
    return InfluxAddress(influx.url, influx.org, influx.token)


@pytest.fixture
def name() -> str:
    return f"made_{uuid.uuid4().hex[:10]}"


def ensure(
    client: InfluxClient, *buckets: Bucket, ledger: str = "no_ledger", dry_run: bool = False
) -> dict[str, Any]:
    steps = ensure_buckets(buckets, ledger, client.now, dry_run=dry_run)
    return drive(steps, client, lambda _report: None).as_json()


def stored(address: InfluxAddress, name: str) -> dict[str, Any]:
    """What the API says of a bucket; empty when there is none."""
    found = address.request("GET", "/api/v2/buckets", org=address.org, limit="100", name=name)
    return next((one for one in found["buckets"]), {}) if found else {}


def names(address: InfluxAddress) -> set[str]:
    return set(address.buckets())


@pytest.mark.recorded
def test_bucket_is_made_once_and_changed_when_it_is_declared_otherwise(
    client: InfluxClient, address: InfluxAddress, name: str
) -> None:
    label = f"hot_{name}"
    wanted = Bucket(name, retention="30d", shard_group="1d", description="as sent", labels=[label])
    assert ensure(client, wanted, dry_run=True)["state"] == "planned"
    assert name not in names(address)
    made = ensure(client, wanted)
    assert made["changes"] == [{"bucket": name, "what": "retention", "before": None, "after": "30d"}]
    found = stored(address, name)
    rule = found["retentionRules"][0]
    assert (rule["everySeconds"], rule["shardGroupDurationSeconds"]) == (30 * 86_400, 86_400)
    assert (found["description"], [one["name"] for one in found["labels"]]) == ("as sent", [label])

    assert ensure(client, wanted) == {"changes": [], "unchanged": [name], "state": "ensured"}
    assert stored(address, name)["updatedAt"] == found["updatedAt"]

    other = Bucket(name, retention="60d", shard_group="2d", labels=[label, f"{label}_2"])
    changed = {one["what"]: one["after"] for one in ensure(client, other)["changes"]}
    assert changed == {"retention": "60d", "shard group": "2d", "labels": f"{label}, {label}_2"}
    found = stored(address, name)
    assert found["retentionRules"][0]["everySeconds"] == 60 * 86_400
    assert found["description"] == "as sent"
    assert {one["name"] for one in found["labels"]} == {label, f"{label}_2"}
    assert [one["after"] for one in ensure(client, Bucket(name))["changes"]] == ["forever"]
    assert stored(address, name)["retentionRules"][0]["everySeconds"] == 0


def test_no_bucket_is_changed_when_one_would_lose_points_of_which_nothing_was_made(
    client: InfluxClient, address: InfluxAddress, name: str
) -> None:
    hours, ledger = f"{name}_h", f"{name}_ledger"
    ensure(client, Bucket(name), Bucket(hours), Bucket(ledger))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = now - 6 * HOUR
    lines = [f"m,d=a x={at}i {int((start + at * HOUR / 2).timestamp()) * 10**9}" for at in range(12)]
    client.write_lines(name, lines)
    shorter, more = Bucket(name, retention="2h"), Bucket(f"{name}_more")

    with pytest.raises(ConfigurationError, match=r"measurement 'm' of .* neither rolled up nor archived"):
        ensure(client, shorter, more, ledger=ledger)

    spec = RollupSpec(
        source_bucket=name, target_bucket=hours, measurement="m", grid=GridSpec("1h"), aggregates=("count",),
        ledger_bucket=ledger, pipeline="hours",
    )  # fmt: skip

    def roll(first: datetime, last: datetime) -> None:
        drive(roll_up(spec, Interval(first, last), RunInfo(), client.now), client, lambda _report: None)

    roll(start, start + 2 * HOUR)
    with pytest.raises(ConfigurationError) as caught:
        ensure(client, shorter, more, ledger=ledger)
    third = (start + 2 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "windows of pipeline 'hours' from " in str(caught.value)
    assert f"[{third}, " in str(caught.value)
    assert stored(address, name)["retentionRules"][0]["everySeconds"] == 0
    assert f"{name}_more" not in names(address)

    roll(start + 2 * HOUR, now)
    # shard groups of a week cannot be those of a bucket that keeps two hours
    changed = [one["what"] for one in ensure(client, shorter, more, ledger=ledger)["changes"]]
    assert changed == ["retention", "shard group", "retention"]
    assert stored(address, name)["retentionRules"][0]["everySeconds"] == 7200


def test_bucket_may_keep_less_when_an_archive_has_what_it_loses(
    client: InfluxClient, address: InfluxAddress, name: str, tmp_path: Path
) -> None:
    ledger = f"{name}_ledger"
    ensure(client, Bucket(name), Bucket(ledger))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = now - 6 * HOUR
    for measurement in ("m", "other"):
        lines = [
            f"{measurement} x={at}i {int((start + at * HOUR / 2).timestamp()) * 10**9}" for at in range(12)
        ]
        client.write_lines(name, lines)

    def archived(measurement: str, first: datetime, hours: int) -> None:
        spec = ArchiveSpec(
            org=address.org,
            bucket=name,
            measurement=measurement,
            shown_path=str(tmp_path),
            ledger_bucket=ledger,
        )
        windows = [Interval(first + at * HOUR, first + (at + 1) * HOUR) for at in range(hours)]
        steps = archive(spec, windows, RunInfo(), client.now, {})
        store = actions_with(ArchiveStore.of_url(str(tmp_path)))
        assert drive(steps, client, lambda _report: None, store).as_json()["rows_out"] == 2 * hours

    def shrunk() -> list[str]:
        return [one["what"] for one in ensure(client, Bucket(name, retention="2h"), ledger=ledger)["changes"]]

    archived("m", start, 6)
    archived("other", start, 1)
    archived("other", start + 3 * HOUR, 3)
    with pytest.raises(ConfigurationError) as caught:
        shrunk()
    between = [f"{start + at * HOUR:%Y-%m-%dT%H:%M:%SZ}" for at in (1, 3)]
    gap = f"measurement 'other' of [{between[0]}, {between[1]}): neither rolled up nor archived"
    assert gap in str(caught.value)
    assert "measurement 'm'" not in str(caught.value)
    assert str(caught.value).count("neither") == 1
    assert stored(address, name)["retentionRules"][0]["everySeconds"] == 0

    archived("other", start + HOUR, 2)
    assert shrunk() == ["retention", "shard group"]
    assert stored(address, name)["retentionRules"][0]["everySeconds"] == 7200


@pytest.mark.parametrize("is_new", [True, False])
def test_one_bucket_is_made_when_two_runs_ensure_it_at_once(
    client: InfluxClient, address: InfluxAddress, name: str, is_new: bool
) -> None:
    for attempt in range(4):
        bucket = f"{name}_{attempt}"
        label = f"hot_{bucket}"
        if not is_new:
            ensure(client, Bucket(bucket, retention="7d"))
        wanted = Bucket(bucket, retention="30d", shard_group="1d", description="of two", labels=[label])
        both = Barrier(2)

        def run(wanted: Bucket = wanted, both: Barrier = both) -> dict[str, Any]:
            steps = ensure_buckets([wanted], "no_ledger", client.now)
            found = steps.send(None)
            # each has seen that it is missing, or another one, before either changes it
            answer = act(found, client)
            both.wait(20)
            return drive(_from(steps, answer), client, lambda _report: None).as_json()

        with ThreadPoolExecutor(2) as pool:
            answers = [one.result() for one in [pool.submit(run), pool.submit(run)]]
        assert all(one["state"] == "ensured" for one in answers)
        found = [one for one in every(address) if one["name"] == bucket]
        assert len(found) == 1
        rule = found[0]["retentionRules"][0]
        assert (rule["everySeconds"], rule["shardGroupDurationSeconds"]) == (30 * 86_400, 86_400)
        assert (found[0]["description"], [one["name"] for one in found[0]["labels"]]) == ("of two", [label])
        assert ensure(client, wanted)["changes"] == []


def _from(steps: Any, answer: Any) -> Any:
    """The rest of a verb whose first step was answered."""
    try:
        step = steps.send(answer)
        while True:
            step = steps.send((yield step))
    except StopIteration as end:
        return end.value


def every(address: InfluxAddress) -> list[dict[str, Any]]:
    found = address.request("GET", "/api/v2/buckets", org=address.org, limit="100", descending="true")
    return list(found["buckets"]) if found else []


def test_bucket_may_keep_less_when_it_holds_nothing_older(client: InfluxClient, name: str) -> None:
    ensure(client, Bucket(name))
    client.write_lines(name, [f"m x=1i {int(datetime.now(UTC).timestamp()) * 10**9}"])
    assert [one["after"] for one in ensure(client, Bucket(name, retention="2h"))["changes"]] == ["2h", "1h"]


@pytest.mark.recorded
def test_lifecycle_file_makes_its_buckets_when_it_declares_them(
    influx: InfluxServer, address: InfluxAddress, name: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for variable, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{variable}", value)
    path = tmp_path / "a.yaml"
    buckets = [{"name": name}, {"name": f"{name}_h", "retention": "5200w"}]
    tiers = [{"bucket": f"{name}_h", "every": "1h", "aggregates": ["count"], "retention": "5200w"}]
    values = {"source_bucket": name, "measurement": "m", "tiers": tiers, "buckets": buckets}
    path.write_text(json.dumps(values | {"ledger_bucket": f"{name}_ledger"}))

    def ask(*argv: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out)

    code, told = ask("buckets", str(path))
    assert (code, told["state"], len(told["changes"]), name in names(address)) == (1, "planned", 2, False)
    code, told = ask("run", str(path), "--from", "2025-03-01", "--to", "2025-03-02")
    assert (code, told["buckets"]["state"], len(told["buckets"]["changes"])) == (0, "ensured", 2)
    assert stored(address, f"{name}_h")["retentionRules"][0]["everySeconds"] == 5200 * 604_800
    assert ask("buckets", str(path))[0] == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"retention": "10m"}, "at least 1h"),
        ({"retention": "2d", "shard_group": "3d"}, "longer than it keeps its points"),
        ({"schema": "columns.csv"}, "InfluxDB OSS does not know"),
        ({"retention": "1mo"}, "no fixed length"),
    ],
)
def test_bucket_is_refused_when_it_is_declared(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Bucket("raw", **given)
