"""Asset events of the stages that leave no receipts of windows, and of purges, on a real InfluxDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import TaskDeferred, has_partitions
from airflow_provider_influx_rollup.assets.events import windows_of_events
from airflow_provider_influx_rollup.assets.uri import archive_asset, measurement_asset
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from airflow_provider_influx_rollup.operators.export import ExportArchiveOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.restore import RestoreArchiveOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.asset_scene import OutletEventAccessors, run
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = {"start": "2024-05-06T00:00:00Z", "stop": "2024-05-06T06:00:00Z"}
SECOND_HALF = {"start": "2024-05-06T03:00:00Z", "stop": "2024-05-06T06:00:00Z"}


def points(*hours: float, device: str = "a", value: int = 1) -> list[str]:
    return [f"m,device={device} temp={value} {int((START + at * HOUR).timestamp())}000000000" for at in hours]


class Place:
    """Six hours with two points each, archived by the hour."""

    def __init__(self, client: InfluxClient, new: Callable[[], str], base: Path) -> None:
        self.client, self.base = client, base
        self.names = {name: new() for name in ("raw", "clean", "bad", "ledger")}
        self.common = {"influx_conn_id": "tele", "ledger_bucket": self.names["ledger"], "outlets": "auto"}
        self.stored = {"bucket": self.names["raw"], "measurement": "m", "path": str(base / "archive")}
        client.write_lines(self.names["raw"], points(*(at / 2 for at in range(12))))

    def uri(self, name: str) -> str:
        return measurement_asset(self.names[name], "m", influx_conn_id="tele").uri

    @property
    def files(self) -> str:
        return archive_asset(str(self.base / "archive"), self.names["raw"], "m").uri

    def archive(self) -> None:
        run(ArchiveWindowOperator(task_id="archive", every="1h", **SPAN, **self.stored, **self.common))

    def compact(self, **more: Any) -> dict[str, Any]:
        span = {"into": "3h", **SPAN, **more}
        return run(CompactArchiveOperator(task_id="compact", **span, **self.stored, **self.common))

    def export(self, **more: Any) -> dict[str, Any]:
        at = {"table": str(self.base / "table"), **SPAN, **more}
        return run(ExportArchiveOperator(task_id="export", **at, **self.stored, **self.common))

    def purge(self, **more: Any) -> dict[str, Any]:
        how = {"every": "1h", "require_pipelines": [], "quiet_for": "0s", "min_age": "1d"}
        return run(PurgeWindowOperator(task_id="purge", **how, **SPAN, **self.stored, **self.common), **more)

    def restore(self) -> None:
        where = {"source_bucket": self.names["raw"], "measurement": "m", "path": self.stored["path"]}
        run(RestoreArchiveOperator(task_id="restore", **where, **SPAN, **self.common))

    def erase(self, device: str, **more: Any) -> dict[str, Any]:
        whom = {"tags": {"device": device}, "confirm": self.names["raw"]}
        return run(EraseSeriesOperator(task_id="erase", **whom, **self.stored, **self.common, **more))

    def validate(self, **more: Any) -> FluxValidateOperator:
        return FluxValidateOperator(
            **{
                "task_id": "validate",
                "bucket": self.names["raw"],
                "measurement": "m",
                "rules": [{"rule": "range", "field": "temp", "high": 50}],
                "clean_bucket": self.names["clean"],
                "quarantine_bucket": self.names["bad"],
                "on_failure": "quarantine",
                **SPAN,
                **self.common,
                **more,
            }
        )


@pytest.fixture
def place(client: InfluxClient, bucket_factory: Callable[[], str], tmp_path: Path) -> Place:
    return Place(client, bucket_factory, tmp_path)


def interval_of(extra: dict[str, Any]) -> Interval | None:
    """What a DAG is about that an event has started."""

    class Event:
        def __init__(self) -> None:
            self.extra = extra

    (found,) = windows_of_events({"triggering_asset_events": {"a": [Event()]}}) or [None]
    return None if found is None else Interval.from_json(found)


def test_purge_tells_of_the_windows_that_it_has_deleted(place: Place) -> None:
    place.archive()
    (event,) = place.purge().items()
    assert event[0] == place.uri("raw")
    assert (event[1]["windows"], event[1]["stage"]) == (6, "purge")
    assert interval_of(event[1]) == Interval(START, START + 6 * HOUR)
    assert place.purge() == {}
    # the same points again are not there any more either
    place.restore()
    assert place.purge()[place.uri("raw")]["windows"] == 6
    assert place.purge() == {}


def test_compaction_tells_of_the_large_windows_whose_points_are_others(place: Place) -> None:
    place.archive()
    extra = place.compact()[place.files]
    assert (extra["windows"], extra["rows"], extra["stage"]) == (2, 12, "compact")
    assert "series" not in extra
    assert place.compact() == {}
    place.client.write_lines(place.names["raw"], points(4.25))
    place.archive()
    extra = place.compact()[place.files]
    assert (extra["start"], extra["windows"], extra["rows"]) == (SECOND_HALF["start"], 1, 7)
    assert interval_of(extra) == Interval(START + 3 * HOUR, START + 6 * HOUR)
    # a part of what was told, by another run
    assert place.compact(**SECOND_HALF) == {}


def test_export_tells_of_the_windows_that_the_table_has_got(place: Place) -> None:
    pytest.importorskip("deltalake")
    place.archive()
    (event,) = place.export(**SECOND_HALF).items()
    assert event[0] == f"file://{place.base}/table"
    assert (event[1]["windows"], event[1]["rows"], event[1]["stage"]) == (3, 6, "export")
    # the run of all hours tells of the rest
    (extra,) = place.export().values()
    assert interval_of(extra) == Interval(START, START + 3 * HOUR)
    assert place.export() == {}
    place.client.write_lines(place.names["raw"], points(1.25))
    place.archive()
    (extra,) = place.export().values()
    assert interval_of(extra) == Interval(START + HOUR, START + 2 * HOUR)


def test_erasure_tells_of_the_points_and_the_archive_once(place: Place) -> None:
    place.client.write_lines(place.names["raw"], points(1.25, device="b") + points(4.25, device="c"))
    place.archive()
    emitted = place.erase("b", **SPAN)
    assert set(emitted) == {place.uri("raw"), place.files}
    assert interval_of(emitted[place.files]) == Interval(START, START + 6 * HOUR)
    everywhere = place.erase("c")[place.uri("raw")]
    assert everywhere["stage"] == "erase"
    # its consumer has to say what it is about
    assert "start" not in everywhere
    assert interval_of(everywhere) is None
    assert place.erase("c") == {}
    assert place.erase("b", **SPAN) == {}
    assert place.erase("b", dry_run=True, **SPAN) == {}


def test_validation_tells_of_clean_points_and_of_quarantine_apart(place: Place) -> None:
    emitted = run(place.validate())
    assert {uri: extra["rows"] for uri, extra in emitted.items()} == {
        place.uri("clean"): 12,
        place.uri("bad"): 0,
    }
    assert interval_of(emitted[place.uri("clean")]) == Interval(START, START + 6 * HOUR)
    assert run(place.validate()) == {}
    place.client.write_lines(place.names["raw"], points(1.25, value=99))
    assert {uri: extra["rows"] for uri, extra in run(place.validate()).items()} == {place.uri("bad"): 1}
    # another value of the same point; and one more that is right
    place.client.write_lines(place.names["raw"], points(1.25, value=98))
    assert set(run(place.validate())) == {place.uri("bad")}
    place.client.write_lines(place.names["raw"], points(2.25, value=7))
    assert {uri: extra["rows"] for uri, extra in run(place.validate()).items()} == {place.uri("clean"): 13}
    assert run(place.validate()) == {}


def test_deferred_validation_tells_when_it_resumes(place: Place) -> None:
    task = place.validate(deferrable=True).prepare_for_execution()
    context = make_context(outlet_events=OutletEventAccessors())
    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    task = place.validate(deferrable=True).prepare_for_execution()
    task.execute_complete(context, fire(reborn(caught.value.trigger)))
    task.post_execute(context)
    assert {asset.uri for asset in task.outlets} == {place.uri("clean"), place.uri("bad")}
    assert run(place.validate()) == {}


def test_next_try_tells_what_a_try_that_died_has_done(place: Place) -> None:
    place.archive()
    task = CompactArchiveOperator(task_id="compact", into="3h", **SPAN, **place.stored, **place.common)
    # it ends before its events
    task.prepare_for_execution().execute(make_context())
    facts = {"run_id": "dying", "try_number": 2}
    assert run(task, **facts)[place.files]["windows"] == 2
    # Airflow may not have heard of that one either
    assert run(task, **{**facts, "try_number": 3})[place.files]["windows"] == 2
    assert place.compact() == {}


@pytest.mark.skipif(not has_partitions(), reason="Airflow 3.3 and later have partitions that tasks name")
def test_partitions_are_windows_and_no_longer_stretches(place: Place) -> None:
    place.archive()
    assert place.compact(partitions=True)[place.files]["keys"] == [SPAN["start"], SECOND_HALF["start"]]
    with pytest.raises(ConfigurationError, match="compact leaves none"):
        place.compact(partitions="1d")
    with pytest.raises(ConfigurationError, match="about no windows"):
        place.erase("a", partitions=True)


def test_validation_that_copies_nothing_has_no_asset(place: Place) -> None:
    with pytest.raises(ConfigurationError, match="this validation writes no points"):
        place.validate(clean_bucket=None, quarantine_bucket=None, on_failure="warn")


def test_tasks_that_are_mapped_tell_as_others_do(place: Place) -> None:
    whole = {**SPAN, **place.common}
    paths = {**whole, **place.stored}
    purge = {"every": "1h", "require_pipelines": [], "quiet_for": "0s", "min_age": "1d"}
    checks = {
        "bucket": place.names["raw"],
        "clean_bucket": place.names["clean"],
        "rules": [{"rule": "range", "field": "temp", "high": 50}],
    }
    stages: list[tuple[Any, dict[str, Any], str]] = [
        (FluxValidateOperator, {**whole, **checks}, place.uri("clean")),
        (ArchiveWindowOperator, {"every": "1h", **paths}, place.files),
        (EraseSeriesOperator, {"tags": {"device": "b"}, "confirm": place.names["raw"], **paths}, place.files),
        (CompactArchiveOperator, {"into": "3h", **paths}, place.files),
        (PurgeWindowOperator, {**purge, **paths}, place.uri("raw")),
    ]
    place.client.write_lines(place.names["raw"], points(1.25, device="b"))
    for number, (stage, given, uri) in enumerate(stages):
        given.pop("measurement", None)
        with DAG(f"mapped_{number}", schedule=None, start_date=START):
            mapped = stage.partial(task_id="t", **given).expand(measurement=["m"])
        emitted = run(mapped.unmap({"measurement": "m"}))
        assert emitted[uri]["stage"] == stage.verb
        assert run(mapped.unmap({"measurement": "m"})) == {}
