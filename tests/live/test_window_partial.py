"""Windows that go on with a part of their data: marked in the receipts, finished by a reconcile or a later look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WINDOW = Interval(START, START + HOUR)
DUE = START + HOUR


def put(client: InfluxClient, bucket: str, device: str, *instants: datetime) -> None:
    lines = [f"fleet,device={device} temp=1 {int(at.timestamp()) * 10**9}" for at in instants]
    client.write_lines(bucket, lines)


def look(
    client: InfluxClient, spec: CompletenessSpec, now: datetime, interval: Interval = WINDOW
) -> tuple[dict[str, Any] | None, str]:
    told: list[str] = []
    found = drive(
        check_windows(spec, interval, lambda: now), client, lambda report: told.append(report.message)
    )
    return found and found.as_json(), "\n".join(told)


def asked_and_told(steps: Steps[Any], client: InfluxClient) -> tuple[list[str], str]:
    """Kinds of the steps that ask the server, and what was reported."""
    asked: list[str] = []
    told: list[str] = []
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return asked, "\n".join(told)
        answer = None
        if isinstance(step, Report):
            told.append(step.message)
        else:
            asked.append(type(step).__name__)
            answer = act(step, client)


@pytest.fixture
def spec(bucket_factory: Callable[[], str]) -> CompletenessSpec:
    listed = ({"device": "d1"}, {"device": "d2"})
    return CompletenessSpec(
        bucket=bucket_factory(),
        measurement="fleet",
        every="1h",
        expected=listed,
        ledger_bucket=bucket_factory(),
    )


@pytest.fixture
def rollup(spec: CompletenessSpec, bucket_factory: Callable[[], str]) -> RollupSpec:
    return RollupSpec(
        source_bucket=spec.bucket,
        target_bucket=bucket_factory(),
        measurement="fleet",
        grid=GridSpec("30m"),
        aggregates=("count",),
        pipeline="halves",
        ledger_bucket=spec.ledger_bucket,
    )


def marks(client: InfluxClient, rollup: RollupSpec) -> list[tuple[str, str, int, str]]:
    """Start, state, generation and mark of each receipt."""
    query = ReceiptsOf(rollup.ledger_bucket, "halves", "rollup", Interval(START - HOUR, DUE))
    return [
        (f"{r.window.start:%H:%M}", r.state.value, r.generation, r.incomplete) for r in act(query, client)
    ]


def run(client: InfluxClient, rollup: RollupSpec) -> None:
    drive(
        roll_up(rollup, WINDOW, RunInfo(dag_id="d", task_id="t", run_id="r"), lambda: DUE + HOUR),
        client,
        lambda _report: None,
    )


def repair(client: InfluxClient, rollup: RollupSpec, **more: Any) -> dict[str, Any]:
    steps = reconcile(
        rollup, WINDOW, RunInfo(dag_id="d", task_id="t", run_id="r"), lambda: DUE + 9 * HOUR, **more
    )
    return drive(steps, client, lambda _report: None).as_json()


def test_part_is_accepted_marked_and_finished_by_a_reconcile(
    client: InfluxClient, spec: CompletenessSpec, rollup: RollupSpec
) -> None:
    partial = replace(spec, accept_partial_after="2h", pipeline="halves")
    put(client, spec.bucket, "d1", START + MINUTE, START + 31 * MINUTE)
    assert look(client, partial, DUE + 2 * HOUR - MINUTE)[0] is None
    assert marks(client, rollup) == []
    run(client, rollup)
    event, _ = look(client, partial, DUE + 2 * HOUR)
    assert event is not None
    lacks = "1 series missing: device=d2"
    assert (event["state"], event["incomplete"]) == ("partial", [{"window": WINDOW.as_json(), "why": lacks}])
    # the pipeline's own windows are marked, and a rerun carries that on
    assert marks(client, rollup) == [("10:00", "COMMITTED", 1, lacks), ("10:30", "COMMITTED", 1, lacks)]
    run(client, rollup)
    assert marks(client, rollup) == [("10:00", "COMMITTED", 2, lacks), ("10:30", "COMMITTED", 2, lacks)]
    # nothing has come: it stays, and is told
    found = repair(client, rollup)
    assert (found["is_clean"], found["incomplete_total"], found["finished_total"]) == (True, 2, 0)
    put(client, spec.bucket, "d2", START + 45 * MINUTE)
    assert repair(client, rollup, mode="plan")["finished_total"] == 1
    found = repair(client, rollup)
    assert (found["dirty_total"], found["finished_total"], found["incomplete_total"]) == (1, 2, 0)
    assert marks(client, rollup) == [("10:00", "COMMITTED", 2, ""), ("10:30", "COMMITTED", 3, "")]


def test_window_stays_committed_when_a_sensor_marks_it_that_had_found_no_receipt(
    client: InfluxClient, spec: CompletenessSpec, rollup: RollupSpec
) -> None:
    hourly = replace(rollup, grid=GridSpec("1h"))
    put(client, spec.bucket, "d1", START + MINUTE)
    steps = check_windows(replace(spec, accept_partial_after="0s", pipeline="halves"), WINDOW, lambda: DUE)
    step = next(steps)
    while not (isinstance(step, Write) and step.bucket == spec.ledger_bucket):
        step = steps.send(None if isinstance(step, Report) else act(step, client))
    run(client, hourly)
    act(step, client)
    steps.close()
    assert marks(client, hourly) == [("10:00", "COMMITTED", 1, "1 series missing: device=d2")]


def test_first_run_carries_the_mark_of_a_window_that_nobody_knew(
    client: InfluxClient, spec: CompletenessSpec, rollup: RollupSpec
) -> None:
    hourly = replace(rollup, grid=GridSpec("1h"))
    partial = replace(spec, accept_partial_after="0s", pipeline="halves")
    put(client, spec.bucket, "d1", START + MINUTE)
    event, text = look(client, partial, DUE)
    assert event is not None
    # a new pipeline, or a name that is mistyped
    assert event["note"].startswith("the ledger knows no pipeline 'halves': the marks are for the first run")
    assert event["note"] in text
    lacks = "1 series missing: device=d2"
    assert marks(client, hourly) == [("10:00", "PLANNED", 0, lacks)]
    run(client, hourly)
    assert "note" not in (look(client, partial, DUE)[0] or {})
    mistyped, _ = look(client, replace(partial, pipeline="halve"), DUE)
    assert mistyped is not None
    assert mistyped["note"].startswith("the ledger knows no pipeline 'halve'; it knows 'halves': ")
    assert marks(client, hourly) == [("10:00", "COMMITTED", 1, lacks)]
    # a later look that finds all of it takes the mark away, and touches nothing else
    put(client, spec.bucket, "d2", START + MINUTE)
    event, _ = look(client, partial, DUE)
    assert event is not None
    assert event["state"] == "complete"
    assert marks(client, hourly) == [("10:00", "COMMITTED", 1, "")]


def test_upstream_is_told_to_be_unknown_when_the_ledger_has_no_such_pipeline(
    client: InfluxClient, spec: CompletenessSpec, rollup: RollupSpec
) -> None:
    waiting = "2 of 2 windows are not COMMITTED by"
    mistyped = replace(spec, every="30m", upstream="halve")
    found, text = look(client, mistyped, DUE)
    assert found is None
    assert f"{waiting} halve" in text
    assert text.endswith("; the ledger knows no pipeline 'halve'")
    run(client, rollup)
    assert look(client, mistyped, DUE)[1].endswith("knows no pipeline 'halve'; it knows 'halves'")
    # one that is known is waited for as ever
    later = Interval(DUE, DUE + HOUR)
    text = look(client, replace(mistyped, upstream="halves"), DUE + 9 * HOUR, later)[1]
    assert f"{waiting} halves" in text
    assert "ledger knows" not in text


@pytest.mark.parametrize("upstream", ["halves", "halve"])
def test_ledger_is_asked_for_names_at_the_first_look_of_a_wait_only(
    client: InfluxClient, spec: CompletenessSpec, rollup: RollupSpec, upstream: str
) -> None:
    run(client, rollup)
    waiting = replace(spec, every="30m", upstream=upstream)
    looked_up: set[str] = set()
    asked, told = [], []
    for now in (WINDOW.start, DUE + 9 * HOUR, DUE + 9 * HOUR, DUE + 10 * HOUR):
        steps = check_windows(waiting, Interval(DUE, DUE + HOUR), lambda now=now: now, looked_up)
        kinds, texts = asked_and_told(steps, client)
        asked.append(kinds)
        told.append("knows no pipeline" in texts)
    # the first is before stop + lateness
    assert [len(kinds) for kinds in asked] == [0, 3, 1, 1]
    assert asked[2] == asked[3] == ["ReceiptsOf"]
    assert told == [False, upstream == "halve", False, False]


@pytest.mark.recorded
def test_look_at_a_part_leaves_the_mark_of_the_whole(
    client: InfluxClient, spec: CompletenessSpec, rollup: RollupSpec
) -> None:
    partial = replace(spec, accept_partial_after="0s", pipeline="halves")
    put(client, spec.bucket, "d1", START + MINUTE)
    look(client, partial, DUE)
    half = Interval(START, START + 30 * MINUTE)
    put(client, spec.bucket, "d2", START + MINUTE)
    assert look(client, replace(partial, every="30m"), DUE, half)[0] is not None
    assert [mark[3] != "" for mark in marks(client, rollup)] == [True]


@pytest.mark.recorded
def test_source_is_quiet_when_looks_so_far_apart_find_the_same(
    client: InfluxClient, spec: CompletenessSpec
) -> None:
    quiet = replace(spec, expected=None, quiet_for="10m", ledger_bucket=f"{spec.ledger_bucket}_new")
    put(client, spec.bucket, "d1", START)
    found, text = look(client, quiet, DUE)
    assert found is None
    assert "the same since 2024-05-06T11:00:00Z only, quiet_for is 10m" in text
    assert look(client, quiet, DUE + 9 * MINUTE)[0] is None
    # a point of an old time comes: the wait begins again
    put(client, spec.bucket, "d1", START + MINUTE)
    assert look(client, quiet, DUE + 10 * MINUTE)[0] is None
    assert look(client, quiet, DUE + 19 * MINUTE)[0] is None
    found, _ = look(client, quiet, DUE + 20 * MINUTE)
    assert found is not None
    assert found["rows"] == 2
    # another window, and another watch, know nothing of it
    later = Interval(START + HOUR, START + 2 * HOUR)
    put(client, spec.bucket, "d1", later.start)
    assert look(client, quiet, DUE + 3 * HOUR, later)[0] is None
    assert look(client, replace(quiet, fields=("temp",)), DUE + 3 * HOUR)[0] is None


@pytest.mark.recorded
def test_watermark_passes_when_each_expected_series_has_a_later_point(
    client: InfluxClient, spec: CompletenessSpec
) -> None:
    late = replace(spec, watermark="5m")
    for device in ("d1", "d2"):
        put(client, spec.bucket, device, START)
    put(client, spec.bucket, "d1", DUE + 5 * MINUTE)
    put(client, spec.bucket, "d2", DUE + 4 * MINUTE)
    found, text = look(client, late, DUE)
    assert found is None
    assert "1 of 2 series have no point at 2024-05-06T11:05:00Z or later: device=d2" in text
    assert look(client, replace(late, min_series=0.5), DUE)[0] is not None
    assert look(client, replace(late, expected=None), DUE)[0] is not None
    assert look(client, replace(late, expected=2), DUE)[0] is None
    put(client, spec.bucket, "d2", DUE + 6 * MINUTE)
    assert look(client, late, DUE)[0] is not None


def test_enough_of_the_series_are_enough(client: InfluxClient, spec: CompletenessSpec) -> None:
    listed = tuple({"device": f"d{number}"} for number in range(20))
    for number in range(11):
        put(client, spec.bucket, f"d{number}", START)
    some = replace(spec, expected=listed, min_series=0.55)
    found, _ = look(client, some, DUE)
    assert found is not None
    assert (found["state"], found["missing_series_count"], found["completeness"]) == ("complete", 9, 0.55)
    assert look(client, replace(some, min_series=0.56), DUE)[0] is None
    assert look(client, replace(some, expected=20), DUE)[0] is not None
    given_up = tuple({"device": f"d{number}"} for number in range(11, 20))
    assert look(client, replace(some, min_series=1.0, retired=given_up), DUE)[0] is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"min_series": 0},
        {"quiet_for": "soon"},
        {"watermark": "1mo"},
        {"accept_partial_after": "2h"},
        {"retired": ({},)},
    ],
)
def test_spec_is_refused_when_it_is_impossible(spec: CompletenessSpec, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(spec, **changes)
