"""Asset events of stages on a real InfluxDB: which windows they tell of, and when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, TaskDeferred, has_partitions
from airflow_provider_influx_rollup.assets.events import windows_of_events
from airflow_provider_influx_rollup.assets.uri import archive_asset, measurement_asset
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.restore import RestoreArchiveOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.asset_scene import OutletEventAccessors, run
from tests.scenes.task_scene import TaskInstance, fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
needs_partitions = pytest.mark.skipif(
    not has_partitions(), reason="Airflow 3.3 and later have partitions that tasks name"
)


def point(hour: float, value: int = 1) -> str:
    return f"fleet,device=d temp={value} {int((START + hour * HOUR).timestamp())}000000000"


def text(hour: int) -> str:
    return (START + hour * HOUR).isoformat().replace("+00:00", "Z")


@pytest.fixture
def place(client: InfluxClient, bucket_factory: Callable[[], str]) -> dict[str, str]:
    """A day of points in all hours but two, and the buckets of an hourly and a daily tier."""
    names = {name: bucket_factory() for name in ("raw", "hourly", "daily", "ledger")}
    client.write_lines(
        names["raw"], [point(hour / 6, hour) for hour in range(24 * 6) if hour // 6 not in (3, 4)]
    )
    return names


def hourly(place: dict[str, str], **more: Any) -> FluxRollupOperator:
    settings: dict[str, Any] = {
        "source_bucket": place["raw"],
        "target_bucket": place["hourly"],
        "measurement": "fleet",
        "every": "1h",
        "aggregates": ["count", "sum", "min", "max"],
        "outlets": "auto",
    }
    common = {"task_id": "hourly", "influx_conn_id": "tele", "ledger_bucket": place["ledger"]}
    return FluxRollupOperator(
        **{**common, "start": text(0), "stop": text(24), "pipeline": "h", **settings, **more}
    )


def daily(place: dict[str, str], **more: Any) -> FluxRollupOperator:
    above = {"source_bucket": place["hourly"], "target_bucket": place["daily"], "every": "1d"}
    return hourly(place, task_id="daily", pipeline="d", source_tier="h", **{**above, **more})


def reconcile(place: dict[str, str], **more: Any) -> FluxReconcileOperator:
    common = {"task_id": "reconcile", "influx_conn_id": "tele", "ledger_bucket": place["ledger"]}
    return FluxReconcileOperator(
        **{**common, "pipeline": "h", "start": text(0), "stop": text(24), "outlets": "auto", **more}
    )


def uri(place: dict[str, str], bucket: str) -> str:
    return f"influxdb://tele/-/{place[bucket]}/fleet"


def test_event_has_the_totals_of_the_windows_and_a_rerun_of_the_same_rows_has_none(
    place: dict[str, str], client: InfluxClient, influx: InfluxServer
) -> None:
    (event,) = run(hourly(place)).items()
    assert (
        event[0]
        == uri(place, "hourly")
        == measurement_asset(place["hourly"], "fleet", influx_conn_id="tele").uri
    )
    extra = event[1]
    # 22 hours of four aggregates; the two empty hours are COMMITTED too
    assert (extra["start"], extra["stop"], extra["windows"], extra["rows"]) == (text(0), text(24), 24, 88)
    assert (extra["series"], extra["generation"], extra["pipeline"]) == (1, 1, "h")
    assert len(extra["checksum"]) == 16
    assert extra["server"] == f"influxdb://{urlsplit(influx.url).netloc}"
    assert influx.token not in json.dumps(extra)
    assert run(hourly(place)) == {}
    # a late point changes one window of the run's 24
    client.write_lines(place["raw"], [point(5.25, 100)])
    (extra,) = run(hourly(place)).values()
    assert (extra["start"], extra["stop"], extra["windows"], extra["generation"]) == (text(5), text(6), 1, 3)
    assert run(hourly(place)) == {}


def script(place: dict[str, str], write: str) -> FluxRollupOperator:
    flux = f"""import "influxdata/influxdb"
from(bucket: "{place["raw"]}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: mean, timeSrc: "_start", createEmpty: false)
  |> {write}"""
    return FluxRollupOperator(
        task_id="own",
        influx_conn_id="tele",
        flux=flux,
        target_bucket=place["hourly"],
        ledger_bucket=place["ledger"],
        start=text(5),
        stop=text(7),
        every="1h",
        pipeline="own",
        outlets="auto",
    )


def test_each_commit_of_a_script_is_told_when_its_rows_are_not_read_back(
    place: dict[str, str], client: InfluxClient
) -> None:
    task = script(place, f'to(bucket: "{place["hourly"]}", fieldFn: (r) => ({{temp: r._value}}))')
    (first,) = run(task).values()
    assert (first["windows"], first["generation"]) == (2, 1)
    client.write_lines(place["raw"], [point(5.25, 100)])
    (second,) = run(task).values()
    assert (second["windows"], second["generation"]) == (2, 2)
    # its rows did change: 5 of six points of value n, and one of 100
    rows = client.query(f'from(bucket: "{place["hourly"]}") |> range(start: {text(5)}, stop: {text(6)})')
    assert [row["_value"] for row in rows] == [(sum(range(30, 36)) + 100) / 7]


@pytest.mark.parametrize(
    "write",
    [
        'to(bucket: "{}")',
        'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> influxdb.wideTo(bucket: "{}")',
    ],
    ids=["to", "wideTo"],
)
def test_script_tells_of_the_windows_that_have_changed_when_its_rows_are_read_back(
    place: dict[str, str], client: InfluxClient, write: str
) -> None:
    task = script(place, write.format(place["hourly"]))
    (first,) = run(task).values()
    assert first["windows"] == 2
    assert run(task) == {}
    client.write_lines(place["raw"], [point(5.25, 100)])
    (second,) = run(task).values()
    assert (second["start"], second["stop"]) == (text(5), text(6))


def test_reconcile_tells_of_the_windows_and_tiers_that_it_repaired(
    place: dict[str, str], client: InfluxClient
) -> None:
    run(hourly(place))
    run(daily(place))
    assert run(reconcile(place)) == {}
    client.write_lines(place["raw"], [point(5.25, 100), point(20.5, 200)])
    emitted = run(reconcile(place))
    assert set(emitted) == {uri(place, "hourly"), uri(place, "daily")}
    extra = emitted[uri(place, "hourly")]
    assert (extra["start"], extra["stop"], extra["windows"]) == (text(5), text(21), 2)
    assert json.loads(extra["stretches"]) == [[text(5), text(6)], [text(20), text(21)]]
    assert (emitted[uri(place, "daily")]["start"], emitted[uri(place, "daily")]["windows"]) == (text(0), 1)
    assert run(reconcile(place)) == {}
    assert run(hourly(place)) == {}
    assert run(daily(place)) == {}


def test_reconcile_fails_for_good_when_airflow_takes_no_asset_of_so_long_a_name(
    place: dict[str, str], client: InfluxClient
) -> None:
    name = "long" * 800
    client.write_lines(place["raw"], [point(5.25).replace("fleet", name)])
    run(hourly(place, measurement=name, start=text(5), stop=text(6), outlets=[]))
    client.write_lines(place["raw"], [point(5.5, 7).replace("fleet", name)])
    with pytest.raises(AirflowFailException, match=r"no asset.*COMMITTED, and other DAGs hear nothing"):
        run(reconcile(place, start=text(5), stop=text(6)))
    flux = f'from(bucket: "{place["hourly"]}") |> range(start: {text(5)}, stop: {text(6)})'
    rows = client.query(f'{flux} |> filter(fn: (r) => r._field == "temp_count")')
    assert [row["_value"] for row in rows] == [2]


def test_each_measurement_has_an_event_of_its_own(place: dict[str, str], client: InfluxClient) -> None:
    client.write_lines(place["raw"], [point(5.25).replace("fleet", "ships")])
    both = {"measurement": ["fleet", "ships"], "start": text(5), "stop": text(7)}
    emitted = run(hourly(place, **both))
    rows = {name.rpartition("/")[2]: (one["windows"], one["rows"]) for name, one in emitted.items()}
    assert rows == {"fleet": (2, 8), "ships": (2, 4)}
    client.write_lines(place["raw"], [point(5.5).replace("fleet", "ships")])
    assert [name.rpartition("/")[2] for name in run(hourly(place, **both))] == ["ships"]


def test_next_try_tells_what_a_try_that_died_has_committed(place: dict[str, str]) -> None:
    task, facts = hourly(place), {"run_id": "dying"}
    context = make_context(outlet_events=OutletEventAccessors())
    context["ti"] = TaskInstance(task_id="hourly", **facts)
    # it ends after its commits
    task.execute(context)
    (extra,) = run(task, try_number=2, **facts).values()
    assert extra["windows"] == 24
    # Airflow may not have heard of that one either
    assert len(run(task, try_number=3, **facts)) == 1
    assert run(hourly(place)) == {}


def test_windows_of_a_run_that_failed_are_told_by_the_next(
    place: dict[str, str], client: InfluxClient
) -> None:
    with pytest.raises(InfluxRollupError):
        # the two empty hours fail
        run(hourly(place, empty_windows="fail"))
    client.write_lines(place["raw"], [point(3.5), point(4.5)])
    (extra,) = run(hourly(place, empty_windows="fail")).values()
    assert extra["windows"] == 24


def test_archive_and_restore_tell_of_what_they_have_written(
    place: dict[str, str], client: InfluxClient, tmp_path: Path
) -> None:
    where = {
        "influx_conn_id": "tele",
        "ledger_bucket": place["ledger"],
        "outlets": "auto",
        "path": str(tmp_path),
    }
    where |= {"start": text(0), "stop": text(8), "measurement": ["fleet"]}

    def archive() -> dict[str, Any]:
        return run(ArchiveWindowOperator(task_id="archive", bucket=place["raw"], every="1h", **where))

    def restore() -> dict[str, Any]:
        more = {"source_bucket": place["raw"], "target_bucket": place["hourly"]}
        return run(RestoreArchiveOperator(task_id="restore", **more, **where))

    name = archive_asset(str(tmp_path), place["raw"], "fleet").uri
    assert name == f"file://{tmp_path}/-/{place['raw']}/fleet"
    extra = archive()[name]
    assert (extra["windows"], extra["rows"], extra["stage"], extra["generation"]) == (8, 36, "archive", 1)
    assert archive() == {}
    client.write_lines(place["raw"], [point(5.25, 100)])
    extra = archive()[name]
    assert (extra["start"], extra["windows"], extra["rows"], extra["generation"]) == (text(5), 1, 7, 2)
    extra = restore()[uri(place, "hourly")]
    assert (extra["windows"], extra["rows"], extra["stage"]) == (8, 37, "restore")
    assert restore() == {}
    # what is gone is restored again
    client.delete(place["hourly"], Interval(START, START + 2 * HOUR), '_measurement="fleet"')
    assert restore()[uri(place, "hourly")]["rows"] == 12


def test_consumer_gets_each_stretch_of_time_once(place: dict[str, str], client: InfluxClient) -> None:
    run(hourly(place))
    client.write_lines(place["raw"], [point(5.25, 100), point(20.5, 200)])
    extra = run(reconcile(place))[uri(place, "hourly")]

    class Event:
        def __init__(self, extra: dict[str, Any]) -> None:
            self.extra = extra

    events = {"a": [Event(extra), Event({"start": text(6), "stop": text(7)})]}
    found = windows_of_events({"triggering_asset_events": events})
    assert found == [{"start": text(5), "stop": text(7)}, {"start": text(20), "stop": text(21)}]


@needs_partitions
def test_each_changed_window_is_a_partition_when_asked(place: dict[str, str], client: InfluxClient) -> None:
    (event,) = run(hourly(place, partitions=True)).values()
    assert event["keys"] == [text(hour) for hour in range(24)]
    run(daily(place))
    client.write_lines(place["raw"], [point(5.25, 100)])
    known = [measurement_asset(place[name], "fleet", influx_conn_id="tele") for name in ("hourly", "daily")]
    emitted = run(reconcile(place, outlets=["auto", *known], partitions=True))
    assert {name: one["keys"] for name, one in emitted.items()} == {
        uri(place, "hourly"): [text(5)],
        uri(place, "daily"): [text(0)],
    }
    assert run(reconcile(place, outlets=["auto", *known], partitions=True)) == {}


@needs_partitions
@pytest.mark.parametrize(
    ("first", "hours"),
    [("2026-03-28T23:00:00Z", 23), ("2026-10-24T22:00:00Z", 25)],
    ids=["23 hours", "25 hours"],
)
def test_day_is_a_partition_once_all_its_hours_are_committed(
    place: dict[str, str], client: InfluxClient, first: str, hours: int
) -> None:
    begin = datetime.fromisoformat(first)
    instants = [(begin + at * HOUR).isoformat().replace("+00:00", "Z") for at in range(hours + 1)]

    def run_hours(start: int, stop: int) -> list[str]:
        more = {"timezone": "Europe/Berlin", "partitions": "1d", "pipeline": f"d{hours}"}
        emitted = run(hourly(place, start=instants[start], stop=instants[stop], **more))
        return [key for event in emitted.values() for key in event["keys"]]

    # in any order
    assert run_hours(5, hours) == []
    assert run_hours(0, 4) == []
    assert run_hours(4, 5) == [first]
    assert run_hours(0, hours) == []
    client.write_lines(
        place["raw"], [f"fleet,device=d temp=7 {int((begin + 3.5 * HOUR).timestamp())}000000000"]
    )
    known = measurement_asset(place["hourly"], "fleet", influx_conn_id="tele")
    repair = {"pipeline": f"d{hours}", "start": instants[0], "stop": instants[-1], "partitions": "1d"}
    (event,) = run(reconcile(place, outlets=["auto", known], **repair)).values()
    assert event["keys"] == [first]
    assert (event["start"], event["windows"]) == (instants[3], 1)
    assert run(reconcile(place, outlets=["auto", known], **repair)) == {}


def test_deferred_rollup_tells_when_it_resumes(place: dict[str, str]) -> None:
    task = hourly(place, deferrable=True).prepare_for_execution()
    context = make_context(outlet_events=OutletEventAccessors())
    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    # another process resumes it
    task = hourly(place, deferrable=True).prepare_for_execution()
    task.execute_complete(context, fire(reborn(caught.value.trigger)))
    task.post_execute(context)
    (asset,) = task.outlets
    assert context["outlet_events"][asset].extra["windows"] == 24
