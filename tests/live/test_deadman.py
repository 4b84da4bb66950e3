"""The deadman on a real server: what it says of each series, and what InfluxDB's own ``monitor`` reads of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.flux.deadman import LastStatuses
from airflow_provider_influx_rollup.flux.inventory import LastSeen, SeriesSource, Watermark
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

Bucket = Callable[[], str]


def window(number: int = 0) -> Interval:
    return Interval(START + number * HOUR, START + (number + 1) * HOUR)


def ns(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def put(client: InfluxClient, bucket: str, device: str, *instants: datetime) -> None:
    client.write_lines(
        bucket, [f'fleet,device={device},site=a temp=1,state="on" {ns(at)}' for at in instants]
    )


@pytest.fixture
def spec(bucket_factory: Bucket) -> DeadmanSpec:
    return DeadmanSpec(
        bucket=bucket_factory(), measurement="fleet", group_by=("device",), status_bucket=bucket_factory()
    )


def check(client: InfluxClient, spec: DeadmanSpec, interval: Interval) -> dict[str, Any]:
    return drive(check_deadman(spec, interval), client, lambda _report: None).as_json()


def statuses(client: InfluxClient, spec: DeadmanSpec) -> list[tuple[str, str, str]]:
    """(time, device or an empty text, level) of every stored status, read without the product's queries."""
    flux = (
        f'from(bucket: "{spec.status_bucket}") |> range(start: 2000-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z) '
        '|> filter(fn: (r) => r._measurement == "statuses" and r._field == "_message") |> group()'
    )
    rows = client.query(flux)
    return sorted((row["_time"].strftime("%H:%M"), row.get("device") or "", row["_level"]) for row in rows)


def found(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(entry["series"]["device"], entry["state"]) for entry in entries]


def test_series_stopped_when_it_was_seen_before_and_is_silent_now(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "d1", START + MINUTE)
    put(client, spec.bucket, "d2", START - MINUTE)
    result = check(client, spec, window())
    assert result["state"] == "dead"
    assert (result["expected"], result["alive"], result["dead_count"]) == (2, 1, 1)
    assert result["dead"] == [
        {"series": {"device": "d2"}, "state": "stopped", "last_seen": "2024-05-06T09:59:00Z"}
    ]
    assert result["statuses_written"] == 2
    assert statuses(client, spec) == [("11:00", "d1", "ok"), ("11:00", "d2", "crit")]


def test_series_never_started_when_it_is_listed_and_was_never_seen(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "d1", START + MINUTE)
    put(client, spec.bucket, "unlisted", START + MINUTE)
    listed = replace(spec, expected=({"device": "d1"}, {"device": "d9"}))
    result = check(client, listed, window())
    assert result["dead"] == [{"series": {"device": "d9"}, "state": "never_started", "last_seen": None}]
    assert (result["expected"], result["alive"], result["unexpected"]) == (2, 1, 1)
    assert statuses(client, spec) == [("11:00", "d1", "ok"), ("11:00", "d9", "crit")]


def test_query_names_the_expected_series(
    client: InfluxClient, spec: DeadmanSpec, bucket_factory: Bucket
) -> None:
    put(client, spec.bucket, "d1", START + MINUTE)
    registry = bucket_factory()
    client.write_lines(
        registry, [f"devices,device={name} installed=1 {ns(START)}" for name in ("d1", "d8", "d9")]
    )
    flux = (
        f'from(bucket: "{registry}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)'
        " |> filter(fn: (r) => r.device != params.except)"
        ' |> keep(columns: ["device"])'
    )
    asked = replace(spec, expected={"flux": flux, "params": {"except": "d8"}})
    assert found(check(client, asked, window())["dead"]) == [("d9", "never_started")]
    assert check(client, replace(asked, retired=({"device": "d9"},)), window())["state"] == "ok"


def test_ten_thousand_series_are_judged_in_seconds(client: InfluxClient, spec: DeadmanSpec) -> None:
    at, before = ns(START + MINUTE), ns(START - MINUTE)
    lines = [f"fleet,device=d{n},site=s{n % 50} temp=1 {at if n % 4 else before}" for n in range(10_000)]
    client.write_lines(spec.bucket, lines)
    began = time.process_time()
    found = check(client, spec, window())
    seconds = time.process_time() - began
    assert (found["expected"], found["dead_count"], found["newly_dead_count"]) == (10_000, 2_500, 2_500)
    assert (len(found["dead"]), found["statuses_written"]) == (200, 10_000)
    assert seconds < 5


def test_series_comes_back_when_it_was_dead_before(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "d1", START - MINUTE, START + HOUR + MINUTE)
    assert found(check(client, spec, window())["dead"]) == [("d1", "stopped")]
    result = check(client, spec, window(1))
    assert found(result["came_back"]) == [("d1", "came_back")]
    assert (result["state"], result["alive"]) == ("ok", 1)
    assert found(check(client, spec, window(2))["dead"]) == [("d1", "stopped")]
    assert statuses(client, spec) == [("11:00", "d1", "crit"), ("12:00", "d1", "ok"), ("13:00", "d1", "crit")]


def test_series_is_retired_once_when_it_is_silent_for_longer_than_retire_after(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "old", START + MINUTE)
    put(client, spec.bucket, "new", *(START + number * HOUR + MINUTE for number in range(6)))
    retiring = replace(spec, retire_after="3h")
    results = [check(client, retiring, window(number)) for number in range(6)]
    assert [found(result["dead"]) for result in results] == [
        [],
        [("old", "stopped")],
        [("old", "stopped")],
        [],
        [],
        [],
    ]
    assert [found(result["retired"]) for result in results] == [[], [], [], [("old", "retired")], [], []]
    assert [status for status in statuses(client, spec) if status[1] == "old"] == [
        ("11:00", "old", "ok"),
        ("12:00", "old", "crit"),
        ("13:00", "old", "crit"),
        ("14:00", "old", "info"),
    ]


def test_dead_series_is_retired_once_when_it_leaves_the_lookback(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "old", START + MINUTE)
    short = replace(spec, inventory_lookback="1h")
    results = [check(client, short, window(number)) for number in range(5)]
    assert [found(result["dead"]) for result in results] == [[], [("old", "stopped")], [], [], []]
    assert [found(result["retired"]) for result in results] == [[], [], [("old", "retired")], [], []]


@pytest.mark.recorded
def test_retired_series_comes_to_life_when_it_reports_again(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "d1", START + MINUTE, START + 5 * HOUR)
    retiring = replace(spec, retire_after="2h")
    states = [check(client, retiring, window(number))["state"] for number in range(6)]
    assert states == ["ok", "dead", "nothing_expected", "nothing_expected", "nothing_expected", "ok"]


def test_old_window_leaves_the_present_alarm_when_it_is_backfilled(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "d1", START + MINUTE)
    assert check(client, spec, window(5))["state"] == "dead"
    before = statuses(client, spec)
    assert check(client, spec, window(0))["state"] == "ok"
    assert statuses(client, spec) == sorted([*before, ("11:00", "d1", "ok")])
    last = client.query(
        f'from(bucket: "{spec.status_bucket}") |> range(start: 2024-05-01T00:00:00Z, stop: 2024-06-01T00:00:00Z) '
        '|> filter(fn: (r) => r._field == "_message") |> group() |> sort(columns: ["_time"]) |> last()'
    )
    assert [row["_level"] for row in last] == ["crit"]
    assert [check(client, spec, window(number))["is_latest"] for number in (0, 5)] == [False, True]


def test_statuses_are_the_same_when_a_window_runs_again(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "d1", START + MINUTE)
    put(client, spec.bucket, "d2", START - MINUTE)
    first = check(client, spec, window())
    before = statuses(client, spec)
    assert check(client, spec, window()) == first
    assert statuses(client, spec) == before


def test_older_level_is_gone_when_late_data_changes_it(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "d1", START - MINUTE)
    put(client, spec.bucket, "d2", START - MINUTE)
    assert check(client, spec, window())["dead_count"] == 2
    put(client, spec.bucket, "d1", START + MINUTE)
    assert check(client, spec, window())["dead_count"] == 1
    assert statuses(client, spec) == [("11:00", "d1", "ok"), ("11:00", "d2", "crit")]


def test_status_of_a_series_with_more_tags_stays_when_another_level_is_removed(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    spec = DeadmanSpec(bucket=bucket_factory(), measurement="fleet", status_bucket=bucket_factory())
    client.write_lines(
        spec.bucket,
        [f"fleet,site=a f=1 {ns(START - MINUTE)}", f"fleet,device=d,site=a f=1 {ns(START - MINUTE)}"],
    )
    assert check(client, spec, window())["dead_count"] == 2
    client.write_lines(spec.bucket, [f"fleet,site=a f=1 {ns(START)}"])
    check(client, spec, window())
    assert statuses(client, spec) == [("11:00", "", "ok"), ("11:00", "d", "crit")]


def test_warning_status_says_so_when_nothing_is_expected(client: InfluxClient, spec: DeadmanSpec) -> None:
    reports: list[str] = []
    result = drive(
        check_deadman(spec, window()), client, lambda report: reports.append(report.level)
    ).as_json()
    assert (result["state"], result["expected"], result["measurement_silent"]) == (
        "nothing_expected",
        0,
        True,
    )
    assert reports == ["warning"]
    assert statuses(client, spec) == [("11:00", "", "warn")]
    put(client, spec.bucket, "d1", START + HOUR)
    assert check(client, spec, window(1))["state"] == "ok"
    assert statuses(client, spec)[1:] == [("12:00", "", "ok"), ("12:00", "d1", "ok")]


def test_every_series_is_dead_when_the_whole_measurement_is_silent(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "d1", START - MINUTE)
    put(client, spec.bucket, "d2", START - MINUTE)
    result = check(client, spec, window())
    assert (result["state"], result["dead_count"], result["measurement_silent"]) == ("dead", 2, True)


def test_points_at_the_edges_count_as_half_open(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "at_start", START)
    put(client, spec.bucket, "at_stop", START - MINUTE, START + HOUR)
    put(client, spec.bucket, "last_moment", START + HOUR - timedelta(microseconds=1))
    result = check(client, spec, window())
    assert found(result["dead"]) == [("at_stop", "stopped")]


def test_silence_shorter_than_the_interval_counts_back_from_its_stop(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "early", START + 49 * MINUTE)
    put(client, spec.bucket, "late", START + 50 * MINUTE)
    result = check(client, replace(spec, silence="10m"), window())
    assert found(result["dead"]) == [("early", "stopped")]


def test_whole_series_keys_are_judged_when_no_grouping_is_given(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "d1", START)
    client.write_lines(spec.bucket, [f"fleet,device=d1,site=b temp=1 {ns(START - MINUTE)}"])
    result = check(client, replace(spec, group_by=None), window())
    assert [entry["series"] for entry in result["dead"]] == [{"device": "d1", "site": "b"}]
    assert result["expected"] == 2


def test_measurement_is_one_series_when_grouping_is_empty(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "d1", START - MINUTE)
    result = check(client, replace(spec, group_by=()), window())
    assert result["dead"] == [{"series": {}, "state": "stopped", "last_seen": "2024-05-06T09:59:00Z"}]
    assert statuses(client, spec) == [("11:00", "", "crit")]


def test_fields_and_tags_narrow_what_is_watched(client: InfluxClient, spec: DeadmanSpec) -> None:
    client.write_lines(
        spec.bucket,
        [
            f"fleet,device=d1,site=a temp_in=1 {ns(START - MINUTE)}",
            f"fleet,device=d1,site=a heartbeat=1 {ns(START)}",
            f"fleet,device=d2,site=b temp_in=1 {ns(START - MINUTE)}",
        ],
    )
    narrow = replace(spec, fields=("temp*",), tags={"site": ("a",)})
    assert found(check(client, narrow, window())["dead"]) == [("d1", "stopped")]
    assert check(client, replace(narrow, fields=("!temp*",)), window())["state"] == "ok"


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "ünïcødé ☃", "a b,c=d", "${x}", "r.device", "' or true", "/x/"]
)
def test_odd_names_are_taken_literally(client: InfluxClient, bucket_factory: Bucket, name: str) -> None:
    escaped = name.replace(",", "\\,").replace(" ", "\\ ")
    tag = escaped.replace("=", "\\=")
    spec = DeadmanSpec(
        bucket=bucket_factory(),
        measurement=name,
        group_by=(name,),
        tags={name: (name,)},
        status_bucket=bucket_factory(),
        check_name=name,
    )
    client.write_lines(spec.bucket, [f"{escaped},{tag}={tag} {tag}=1 {ns(START - MINUTE)}"])
    result = check(client, spec, window())
    assert result["dead"] == [
        {"series": {name: name}, "state": "stopped", "last_seen": "2024-05-06T09:59:00Z"}
    ]
    (row,) = client.query(
        LastStatuses(spec.status_bucket, spec.check.id, Interval(START, START + 2 * HOUR)).flux()
    )
    assert (row[name], row["_check_name"], row["_source_measurement"]) == (name, name, name)


def test_nothing_is_written_when_it_is_a_dry_run(client: InfluxClient, spec: DeadmanSpec) -> None:
    put(client, spec.bucket, "d1", START - MINUTE)
    result = check(client, replace(spec, dry_run=True), window())
    assert (result["state"], result["statuses_written"]) == ("dead", 0)
    assert statuses(client, spec) == []


def test_findings_are_returned_when_the_status_bucket_keeps_no_such_old_times(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    put(client, spec.bucket, "d1", START - MINUTE)
    result = check(client, replace(spec, status_bucket="_monitoring"), window())
    assert (result["state"], result["statuses_written"]) == ("dead", 0)
    assert "keeps no statuses as old as" in result["statuses_note"]


def test_unknown_bucket_is_named_when_it_does_not_exist(client: InfluxClient, spec: DeadmanSpec) -> None:
    with pytest.raises(BucketNotFound, match="no_such_bucket"):
        check(client, replace(spec, bucket="no_such_bucket"), window())


def test_influxdbs_own_monitor_reads_statuses_and_state_changes(
    client: InfluxClient, spec: DeadmanSpec
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    own = replace(spec, status_bucket="_monitoring", check_name=f"deadman {spec.bucket}")
    put(client, spec.bucket, "d1", now - 5 * HOUR, now - 2 * HOUR)
    put(client, spec.bucket, "d2", now - 5 * HOUR, now - 3 * HOUR, now - 2 * HOUR)
    for hours in (3, 2, 1):
        check(client, own, Interval(now - hours * HOUR, now - (hours - 1) * HOUR))
    monitor = (
        'import "influxdata/influxdb/monitor"\n'
        f'monitor.from(start: -24h, fn: (r) => r._check_id == "{own.check.id}")'
    )
    rows = client.query(monitor)
    seen = sorted((row["device"], row["_time"].isoformat(), row["_level"], row["_type"]) for row in rows)
    at = [(now - hours * HOUR).isoformat() for hours in (2, 1, 0)]
    assert seen == [
        ("d1", at[0], "crit", "deadman"),
        ("d1", at[1], "ok", "deadman"),
        ("d1", at[2], "crit", "deadman"),
        ("d2", at[0], "ok", "deadman"),
        ("d2", at[1], "ok", "deadman"),
        ("d2", at[2], "crit", "deadman"),
    ]
    first = min(rows, key=lambda row: (row["_time"], row["device"]))
    assert first["_source_timestamp"] == ns(now - 5 * HOUR)
    assert first["_check_name"] == own.check_name
    assert first["_source_measurement"] == "fleet"
    assert first["_message"].startswith("device=d1 stopped")
    changes = client.query(f'{monitor}\n  |> monitor.stateChanges(fromLevel: "crit", toLevel: "ok")')
    assert [(row["device"], row["_time"].isoformat()) for row in changes] == [("d1", at[1])]


@pytest.mark.parametrize("group_by", [None, ("device",)])
def test_queries_are_pushed_down(
    client: InfluxClient, spec: DeadmanSpec, group_by: tuple[str, ...] | None
) -> None:
    put(client, spec.bucket, "d1", START)
    source = SeriesSource(spec.bucket, "fleet", ("temp", "state*"), {"site": ("a", "b")})
    queries = [
        LastSeen(source, window(), group_by),
        Watermark(source, window()),
        LastStatuses(spec.status_bucket, spec.check.id, window()),
    ]
    for query in queries:
        profiled = f'import "profiler"\noption profiler.enabledProfilers = ["query"]\n{query.flux()}'
        plans = [row["flux/query-plan"] for row in client.query(profiled) if row.get("flux/query-plan")]
        reads = re.findall(r"Read[A-Za-z]+", " ".join(plans))
        assert set(reads) == {"ReadWindowAggregate"}, plans
