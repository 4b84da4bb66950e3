"""Every verb before 1970, around it, and at both ends of what 64 bits of nanoseconds hold: it ends, and its values are right.

InfluxDB never ends a bare aggregate of a range that ends by 1970, so each query here has seconds, not minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.plan import plan_windows
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec, run_query
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import plan_gate
from airflow_provider_influx_rollup.lifecycle.source.inventory import Inventory
from airflow_provider_influx_rollup.lifecycle.source.inventory_read import read_named
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, VERSIONS, Point, client_of
from tests.scenes.purge_scene import PurgeScene, make_empty_scene
from tests.servers.own_server import guarded_server

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
HALF = timedelta(minutes=30)
# both ends of 64 bits of nanoseconds, cut to microseconds
EARLIEST = datetime(1677, 9, 21, 0, 12, 43, 145225, tzinfo=UTC)
LATEST = datetime(2262, 4, 11, 23, 47, 16, 854775, tzinfo=UTC)
STARTS = {
    "first instant of all": EARLIEST,
    "up to 1970": datetime(1969, 12, 31, 22, tzinfo=UTC),
    "within an hour around 1970": datetime(1969, 12, 31, 22, 30, tzinfo=UTC),
    "last hours of all": datetime(2262, 4, 11, 20, tzinfo=UTC),
}
MORE_STARTS = {
    "first week of all": datetime(1677, 9, 21, 1, tzinfo=UTC),
    "before 1970": datetime(1960, 5, 22, tzinfo=UTC),
    "around 1970": datetime(1969, 12, 31, 23, tzinfo=UTC),
    "from 1970": datetime(1970, 1, 1, tzinfo=UTC),
}


@dataclass
class Times:
    """Two hours of six points of two devices, somewhere in time."""

    scene: PurgeScene
    client: InfluxClient
    start: datetime

    @property
    def span(self) -> Interval:
        return Interval(self.start, self.start + 2 * HOUR)

    @property
    def hours(self) -> list[Interval]:
        return [Interval(self.start + n * HOUR, self.start + (n + 1) * HOUR) for n in range(2)]

    @property
    def points(self) -> list[Point]:
        """By device and minute; the values tell them apart."""
        places = [
            (0, "a", 1.0),
            (20, "a", 2.0),
            (59, "b", 3.0),
            (60, "a", 4.0),
            (90, "b", 5.0),
            (119, "b", 6.0),
        ]
        return [
            Point(self.span.start_ns + minute * 60 * 10**9, (("device", device),), "temp", "float", value)
            for minute, device, value in places
        ]

    def now(self) -> datetime:
        # no event of a ledger can be later than the latest time there is
        return min(datetime.now(UTC), LATEST) if self.start.year < 2262 else self.span.stop + HALF

    def rollup(self, *aggregates: str, **more: Any) -> RollupSpec:
        scene = self.scene
        return RollupSpec(
            source_bucket=scene.bucket,
            target_bucket=scene.rolled,
            measurement=scene.measurement,
            grid=GridSpec("1h", offset=self.offset_of(1)),
            aggregates=aggregates,
            ledger_bucket=scene.ledger,
            **more,
        )

    def offset_of(self, hours: int) -> str:
        return f"{self.span.start_ns % (hours * 3600 * 10**9) // 1000}us"

    def drive(self, steps: Any) -> Any:
        return drive(steps, self.client, self.scene.tell, actions_with(self.scene.store))

    def stored(self, measurement: str) -> dict[tuple[int, str, str], Any]:
        """Values of a target by hour, device and field, read raw."""
        rows = self.client.query(
            f'from(bucket: "{self.scene.rolled}") |> range(start: {EARLIEST.isoformat()}, stop: {LATEST.isoformat()})'
            f' |> filter(fn: (r) => r._measurement == "{measurement}")'
        )
        return {
            ((row["_time"] - self.start) // HOUR, row.get("device", ""), row["_field"]): row["_value"]
            for row in rows
        }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with guarded_server(tmp_path_factory.mktemp("guarded")) as server:
        yield server


@pytest.fixture(
    params=[
        *(pytest.param(start, id=name) for name, start in STARTS.items()),
        *(pytest.param(start, id=name, marks=pytest.mark.slow) for name, start in MORE_STARTS.items()),
    ]
)
def times(request: pytest.FixtureRequest, guarded: InfluxServer, tmp_path: Path) -> Iterator[Times]:
    client = client_of(guarded, read_timeout_seconds=10, deadline_seconds=5)
    made = Times(make_empty_scene(guarded, client, tmp_path), client, request.param)
    made.scene.write(made.points)
    yield made
    client.close()


PUSHED = ("count", "sum", "mean", "min", "max", "first", "last")


def test_rollups_are_right_when_windows_are_at_any_time(times: Times) -> None:
    raw = {(0, "a"): [1.0, 2.0], (0, "b"): [3.0], (1, "a"): [4.0], (1, "b"): [5.0, 6.0]}
    formulas: dict[str, Any] = {
        "count": len,
        "sum": sum,
        "mean": lambda values: sum(values) / len(values),
        "min": min,
        "max": max,
        "first": lambda values: values[0],
        "last": lambda values: values[-1],
        "median": lambda values: sum(values) / len(values),
    }
    ways = {
        "pushed": times.rollup(*PUSHED, target_measurement="pushed"),
        "worker": times.rollup("count", "median", target_measurement="worker"),
        "server": times.rollup("count", "median", target_measurement="server", compute="server"),
    }
    for way, spec in ways.items():
        times.drive(roll_up(spec, times.span, RUN, times.now))
        assert times.stored(way) == {
            (hour, device, f"temp_{name}"): formulas[name](values)
            for (hour, device), values in raw.items()
            for name in spec.aggregates
        }
        assert times.drive(reconcile(spec, times.span, RUN, times.now)).as_json()["is_clean"]
        assert times.drive(plan_windows(spec, times.span, datetime.now(UTC))).everything.points == 6
    merged = times.rollup("count", "sum", group_by=(), target_measurement="merged")
    times.drive(roll_up(merged, times.span, RUN, times.now))
    assert times.stored("merged") == {
        (0, "", "temp_count"): 3,
        (0, "", "temp_sum"): 6.0,
        (1, "", "temp_count"): 3,
        (1, "", "temp_sum"): 15.0,
    }


def test_validations_count_right_when_points_are_at_any_time(times: Times) -> None:
    rules = [
        {"rule": "range", "field": "temp", "low": 0, "high": 4.5},
        {"rule": "cadence", "every": "30m", "field": "temp"},
        {"rule": "freshness", "max_age": "90m"},
        {"rule": "schema", "fields": {"temp": "float"}, "tags": ["device"]},
        {"rule": "field_type"},
        {"rule": "cardinality", "max_series": 1},
        {"rule": "duplicate_series"},
    ]
    scene = times.scene
    spec = ValidateSpec(
        bucket=scene.bucket, measurement=scene.measurement, rules=rules_of(rules), ledger_bucket=scene.ledger
    )
    found = times.drive(validate(spec, times.span, RUN, times.now)).as_json()
    assert (found["points"], found["state"]) == (6, "violated")
    violations = {
        one["rule"].partition(":")[0].partition(" ")[0]: one["violations"] for one in found["rules"]
    }
    assert violations["range"] == 2
    assert violations["schema"] == violations["field_type"] == violations["duplicate_series"] == 0
    assert violations["cardinality"] == 1


def test_archive_purge_and_restore_keep_every_point_when_it_is_at_any_time(times: Times) -> None:
    scene = times.scene
    spec = times.rollup("count", "sum", pipeline="hourly", target_measurement="pushed")
    times.drive(roll_up(spec, times.span, RUN, times.now))
    before = scene_facts(times)
    scene.clock = times.now()
    archived = times.drive(scene.steps(*times.hours))
    assert archived.as_json()["rows_out"] == 6
    assert archive_rows(times) == before
    joined = CompactSpec(
        org="dev",
        bucket=scene.bucket,
        measurement=scene.measurement,
        shown_path=str(scene.base),
        into="2h",
        offset=times.offset_of(2),
        min_age="0s",
    )
    assert times.drive(compact(joined, times.span, RUN, times.now, VERSIONS)).as_json()["rows_out"] == 6
    purged = times.drive(
        purge(
            PurgeSpec(archive=scene.spec, require_pipelines=("hourly",), min_age="0s", quiet_for="0s"),
            times.hours,
            RUN,
            times.now,
        )
    )
    assert purged.as_json()["rows_in"] == 6
    assert scene_facts(times) == set()
    restore_spec = RestoreSpec(
        org="dev",
        source_bucket=scene.bucket,
        measurement=scene.measurement,
        target_bucket=scene.bucket,
        target_org="dev",
        shown_path=str(scene.base),
        ledger_bucket=scene.ledger,
    )
    times.drive(restore(restore_spec, times.span, RUN, times.now))
    assert scene_facts(times) == before
    assert times.drive(reconcile(spec, times.span, RUN, times.now)).as_json()["is_clean"]


def test_erasure_finds_every_point_when_it_is_at_any_time(times: Times) -> None:
    scene = times.scene
    for dry_run, left in ((True, 6), (False, 3)):
        by = EraseRun(info=RUN, now=times.now, versions=VERSIONS, salt=b"0123456789abcdef", key=None)
        times.drive(
            erase(
                EraseSpec(archive=scene.spec, tags={"device": "b"}, require_archive=False),
                by,
                dry_run=dry_run,
            )
        )
        assert len(scene_facts(times)) == left


def test_series_are_seen_when_they_are_at_any_time(times: Times) -> None:
    scene = times.scene
    watched = CompletenessSpec(
        bucket=scene.bucket, measurement=scene.measurement, every="1h", offset=times.offset_of(1), expected=2
    )
    event = times.drive(check_windows(watched, times.span, lambda: times.span.stop)).as_json()
    assert event is not None
    assert (event["rows"], event["series"]) == (6, 2)
    if times.start.year == 1677:
        return  # a deadman looks at the time before, and there is none
    check = DeadmanSpec(
        bucket=scene.bucket, measurement=scene.measurement, group_by=("device",), status_bucket=scene.rolled
    )
    found = times.drive(check_deadman(check, times.hours[1])).as_json()
    assert (found["state"], found["expected"]) == ("ok", 2)


def scene_facts(times: Times) -> set[tuple[int, str, float]]:
    """All points of the bucket, read raw."""
    rows = times.client.query(
        f'from(bucket: "{times.scene.bucket}") |> range(start: {EARLIEST.isoformat()}, stop: {LATEST.isoformat()})'
    )
    return {
        ((row["_time"] - times.start) // timedelta(microseconds=1), row["device"], row["_value"])
        for row in rows
    }


OLD = Interval(datetime(1969, 12, 31, 23, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))
ENDLESS = [
    "count()",
    'filter(fn: (r) => r._field == "temp") |> sum()',
    'mean() |> group(columns: ["device"])',
]


def of_the_window(scene: PurgeScene, rest: str) -> str:
    """A script over the window that is run."""
    chain = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
    return f'from(bucket: "{scene.bucket}") |> {chain} |> filter(fn: (r) => r._measurement == "m") |> {rest}'


@pytest.fixture
def old(guarded: InfluxServer, tmp_path: Path) -> Iterator[Times]:
    client = client_of(guarded, read_timeout_seconds=10, deadline_seconds=5)
    made = Times(make_empty_scene(guarded, client, tmp_path), client, OLD.start)
    made.scene.write(made.points)
    yield made
    client.close()


@pytest.mark.parametrize("rest", ENDLESS)
def test_a_script_is_refused_when_the_server_would_never_end_it(old: Times, rest: str) -> None:
    script = of_the_window(old.scene, rest)
    gated = plan_gate(script, window=OLD, window_period=Duration.parse("1h"))
    expected = Inventory.of({"flux": script})
    for steps in (gated, run_query(QuerySpec(script), OLD), read_named(expected, OLD)):
        with pytest.raises(ScriptInvalid, match=r"InfluxDB never ends a bare (count|sum|mean)\(\)"):
            old.drive(steps)
    # the same script is no trouble from 1970 on
    later = Interval(OLD.stop, OLD.stop + HOUR)
    assert old.drive(run_query(QuerySpec(script), later)).as_json()["rows"] == 2


def test_a_script_is_run_when_a_window_or_a_group_comes_before_the_aggregate(old: Times) -> None:
    for rest in ("aggregateWindow(every: 1h, fn: count)", "group() |> count()", "window(every: 1h) |> sum()"):
        script = of_the_window(old.scene, rest)
        old.drive(plan_gate(script, window=OLD, window_period=Duration.parse("1h")))
        assert old.drive(run_query(QuerySpec(script), OLD)).as_json()["rows"] >= 1


def archive_rows(times: Times) -> set[tuple[int, str, float]]:
    """All points of the archive, as a reader finds them."""
    table = read_archive(
        str(times.scene.base), org="dev", bucket=times.scene.bucket, measurement=times.scene.measurement
    )
    return {
        ((row["_time"].value // 1000 - times.span.start_ns // 1000), row["device"], row["_value"])
        for row in table.to_pandas().to_dict("records")
    }
