from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_influx_rollup.airflow_compat import timezone
from airflow_provider_influx_rollup.data_interval import code_of_run, interval_of_run, run_info
from airflow_provider_influx_rollup.exceptions import WindowError, WindowUndefined, WindowZeroLength
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

pytestmark = pytest.mark.airflow

HOUR = timedelta(hours=1)


def at(hour: int, day: int = 1) -> datetime:
    # Airflow's own class on each version, such as pendulum's
    parsed: datetime = timezone.parse(f"2026-01-{day:02d}T{hour:02d}:00:00+00:00")
    return parsed


def plain(hour: int, day: int = 1) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


class RunType(str, Enum):  # noqa: UP042 -- as in Airflow
    """Airflow's run types are an enumeration of texts."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    DATASET = "dataset_triggered"
    ASSET = "asset_triggered"


@dataclass
class DagRun:
    """What a context says of its run."""

    run_type: RunType | str
    conf: dict[str, Any] | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    logical_date: datetime | None = None
    partition_date: datetime | None = None
    partition_key: str | None = None


def context_of(run: DagRun, **more: Any) -> dict[str, Any]:
    """A context as Airflow makes it: keys of what a run does not have are absent."""
    names = ("data_interval_start", "data_interval_end", "logical_date")
    known = {name: getattr(run, name) for name in names if getattr(run, name) is not None}
    return {"dag_run": run, **known, **more}


def run_of(run_type: RunType | str, start: int, stop: int, **more: Any) -> DagRun:
    more.setdefault("logical_date", at(start))
    return DagRun(run_type, data_interval_start=at(start), data_interval_end=at(stop), **more)


@pytest.mark.parametrize("run_type", [RunType.SCHEDULED, RunType.BACKFILL, RunType.MANUAL, "scheduled"])
def test_interval_is_the_data_interval_when_the_run_has_one(run_type: RunType | str) -> None:
    interval = interval_of_run(context_of(run_of(run_type, 4, 6)))
    assert (interval.start, interval.stop) == (plain(4), plain(6))
    assert type(interval.start) is datetime


def test_conf_wins_over_the_data_interval_when_it_names_start_and_stop() -> None:
    conf = {"start": "2026-01-03T00:00:00Z", "stop": "2026-01-03T02:00:00+01:00"}
    interval = interval_of_run(context_of(run_of(RunType.MANUAL, 4, 5, conf=conf)))
    assert (interval.start, interval.stop) == (plain(0, 3), plain(1, 3))


# Airflow takes a list from its command line
@pytest.mark.parametrize("conf", [{"site": "a"}, ["start", "stop"]])
def test_conf_is_ignored_when_it_names_other_things(conf: Any) -> None:
    interval = interval_of_run(context_of(run_of(RunType.MANUAL, 4, 5, conf=conf)))
    assert interval.start == plain(4)


def test_rendered_parameters_win_over_everything_when_they_are_given() -> None:
    conf = {"start": "2026-01-03T00:00:00Z", "stop": "2026-01-03T02:00:00Z"}
    context = context_of(run_of(RunType.SCHEDULED, 4, 5, conf=conf))
    interval = interval_of_run(context, start=str(at(7)), stop=at(9).isoformat())
    assert (interval.start, interval.stop) == (plain(7), plain(9))


@pytest.mark.parametrize("empty", [None, ""])
def test_data_interval_counts_when_parameters_render_to_nothing(empty: str | None) -> None:
    interval = interval_of_run(context_of(run_of(RunType.SCHEDULED, 4, 5)), start=empty, stop=empty)
    assert interval.start == plain(4)


def test_dates_start_in_the_stages_zone_when_parameters_are_dates() -> None:
    interval = interval_of_run({}, start="2026-01-02", stop="2026-01-03", timezone="Asia/Tokyo")
    assert (interval.start, interval.stop) == (plain(15, 1), plain(15, 2))


def test_empty_interval_is_refused_with_the_fix_when_the_schedule_is_an_instant() -> None:
    with pytest.raises(WindowZeroLength, match=r"CronDataIntervalTimetable.*window=timedelta"):
        interval_of_run(context_of(run_of(RunType.SCHEDULED, 5, 5)))


def test_interval_ends_at_the_instant_when_the_stage_has_a_window() -> None:
    interval = interval_of_run(context_of(run_of(RunType.SCHEDULED, 5, 5)), window=HOUR)
    assert (interval.start, interval.stop) == (plain(4), plain(5))


def test_window_may_be_a_flux_duration_when_it_comes_from_a_template() -> None:
    interval = interval_of_run(context_of(run_of(RunType.SCHEDULED, 5, 5)), window="2h")
    assert interval.start == plain(3)


@pytest.mark.parametrize("name", ["partition_date", "partition_key"])
def test_interval_starts_at_the_partition_when_the_run_has_only_that(name: str) -> None:
    value = at(6) if name == "partition_date" else "2026-01-01T06:00:00Z"
    run = DagRun(RunType.SCHEDULED, **{name: value})  # type: ignore[arg-type]
    for context in (context_of(run), {"dag_run": DagRun(RunType.SCHEDULED), name: value}):
        interval = interval_of_run(context, window=HOUR)
        assert (interval.start, interval.stop) == (plain(6), plain(7))


def test_partition_needs_a_window_when_the_run_has_only_that() -> None:
    with pytest.raises(WindowUndefined, match="window=timedelta"):
        interval_of_run(context_of(DagRun(RunType.SCHEDULED, partition_date=at(6))))


def test_event_of_a_partition_names_the_interval_only_when_its_task_had_one_window() -> None:
    day = {"start": "2026-01-01T00:00:00Z", "stop": "2026-01-02T00:00:00Z"}
    run = DagRun(RunType.ASSET, partition_key="2026-01-01T02:00:00Z")

    def found(**extra: Any) -> Any:
        events = {"a": [SimpleNamespace(extra={**day, **extra})]}
        return interval_of_run(context_of(run, triggering_asset_events=events))

    assert found(windows=1).as_json() == day
    # the start and stop are of all 24
    with pytest.raises(WindowUndefined, match="is about the partition"):
        found(windows=24)


@pytest.mark.parametrize(
    ("key", "run_type"),
    [("triggering_asset_events", RunType.ASSET), ("triggering_dataset_events", RunType.DATASET)],
)
@pytest.mark.parametrize("is_nested", [True, False])
def test_interval_spans_the_events_when_assets_triggered_the_run(
    key: str, run_type: RunType, is_nested: bool
) -> None:
    windows = [
        {"start": "2026-01-01T02:00:00Z", "stop": "2026-01-01T03:00:00Z"},
        {"start": "2026-01-01T03:00:00Z", "stop": "2026-01-01T04:00:00Z"},
    ]
    extras: list[Any] = [{"window": one} if is_nested else one for one in windows]
    events = {
        "a": [SimpleNamespace(extra=extras[1]), SimpleNamespace(extra=None)],
        "b": [SimpleNamespace(extra=extras[0]), SimpleNamespace(extra={"window": "no mapping"})],
    }
    interval = interval_of_run(context_of(DagRun(run_type), **{key: events}))
    assert (interval.start, interval.stop) == (plain(2), plain(4))


def test_events_are_not_read_when_the_run_was_not_triggered_by_assets() -> None:
    class Unreadable:
        def __bool__(self) -> bool:
            raise AssertionError

    context = context_of(run_of(RunType.SCHEDULED, 4, 5), triggering_dataset_events=Unreadable())
    assert interval_of_run(context).start == plain(4)


@pytest.mark.parametrize(
    "context",
    [{}, {"dag_run": None}, {"dag_run": DagRun("manual")}, {"dag_run": DagRun("asset_triggered")}],
)
def test_error_names_what_can_be_given_when_the_run_names_no_interval(context: dict[str, Any]) -> None:
    with pytest.raises(WindowError, match=r"start= and stop=.*conf"):
        interval_of_run(context)


def test_run_info_is_the_task_instances_when_it_is_mapped() -> None:
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=3, map_index=0)
    assert run_info({"ti": ti}) == RunInfo(dag_id="d", task_id="t", run_id="r", try_number=3, map_index=0)
    assert run_info({"task_instance": ti}) == RunInfo(
        dag_id="d", task_id="t", run_id="r", try_number=3, map_index=0
    )


def test_run_info_is_empty_when_there_is_no_task_instance() -> None:
    assert run_info({}) == RunInfo()


def test_code_of_a_run_is_its_bundle_and_the_version_of_its_dag() -> None:
    bundle = SimpleNamespace(name="telemetry-git", version="4f2e9c1")
    ti = SimpleNamespace(dag_version_id=UUID(int=7), bundle_instance=bundle)
    version = "00000000-0000-0000-0000-000000000007"
    expected = {"dag_version": version, "bundle": "telemetry-git", "bundle_version": "4f2e9c1"}
    assert code_of_run({"ti": ti}) == expected
    bundle.version = None
    assert code_of_run({"task_instance": ti}) == {"dag_version": version, "bundle": "telemetry-git"}
    # Airflow 2.11 knows none
    assert code_of_run({"ti": SimpleNamespace(dag_id="d")}) == code_of_run({}) == {}
