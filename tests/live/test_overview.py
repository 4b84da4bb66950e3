"""The columns of the windows page against coverage, window by window, and what it tells of one window."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.ledger.codec import encode_claims, encode_receipts, encode_spec
from airflow_provider_influx_rollup.ledger.purges import PURGED, PurgeMark, encode_mark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.overview.overview import look_at_windows, windows_touched
from airflow_provider_influx_rollup.lifecycle.overview.page_state import STATES, PageState
from airflow_provider_influx_rollup.lifecycle.overview.silent import silent_series
from airflow_provider_influx_rollup.lifecycle.overview.unfinished import failed_windows, unfinished
from airflow_provider_influx_rollup.lifecycle.overview.window_story import window_story
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_pipelines
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import interval, make_place, make_points, per_field, roll

pytestmark = pytest.mark.live

NOW = datetime.now(UTC).replace(minute=7, second=0, microsecond=0)
#: what coverage says of windows of which the page tells more
SAME = {PageState.ARCHIVED: "committed", PageState.PURGED: "committed", PageState.INCOMPLETE: "committed"}
GRIDS = [
    GridSpec("1h"),
    GridSpec("1d", timezone="Europe/Berlin"),
    GridSpec("6h", period="1d"),
    GridSpec("1mo"),
]


def told(client: InfluxClient, steps: Any) -> Any:
    return drive(steps, client, lambda _report: None)


def random_ledger(spec: RollupSpec, span: Interval, seed: int) -> list[str]:
    """Receipts of some windows, in any state, of this spec or another one, claimed by others or not."""
    chance = random.Random(seed)
    lines = []
    for window in windows_touched(spec, span):
        if chance.random() < 0.25:
            continue
        state = chance.choice([State.COMMITTED] * 4 + [State.WRITING, State.PLANNED])
        receipt = Receipt(
            pipeline=spec.pipeline_name,
            stage="rollup",
            window=window,
            state=state,
            written_at=NOW,
            rows_in=5,
            spec_hash=spec.spec_hash() if chance.random() < 0.8 else "of another spec",
            run_id=chance.choice(["one", "two"]),
            dag_id="dag",
            task_id="task",
            incomplete="series a" if chance.random() < 0.1 else "",
            claim_id="mine",
        )
        lines += encode_receipts([receipt])
        if chance.random() < 0.5:
            lines += encode_claims([receipt], chance.choice(["mine", "mine", "another's"]))
    return [*lines, encode_spec(spec.pipeline_name, spec.spec_hash(), spec.as_json(), NOW)]


@pytest.mark.parametrize(("keeps", "has_target"), [(0, True), (40 * 86_400, True), (40 * 86_400, False)])
def test_states_are_those_of_coverage_when_the_ledger_has_everything(
    client: InfluxClient, bucket_factory: Callable[..., str], keeps: int, *, has_target: bool
) -> None:
    ledger = bucket_factory("ledger")
    target = bucket_factory("target") if has_target else f"target_{ledger}"
    source = f"source_{ledger}"
    client.ensure_bucket(source, keeps)
    span = Interval(NOW - timedelta(days=90), NOW + timedelta(days=3))
    lines = []
    for seed, grid in enumerate(GRIDS):
        spec = RollupSpec(
            source_bucket=source,
            target_bucket=target,
            measurement="cpu",
            target_measurement=f"cpu_{seed}",
            aggregates=("count",),
            grid=grid,
            lateness="90m",
            ledger_bucket=ledger,
        )
        lines += random_ledger(spec, span, seed)
    mark = PurgeMark(
        bucket=source,
        measurement="cpu",
        window=Interval(NOW - timedelta(days=20), NOW - timedelta(days=15)),
        state=PURGED,
        generation=1,
        compared_at=NOW,
    )
    archived = Receipt(
        pipeline=f"{source}/cpu->archive",
        stage="archive",
        window=Interval(NOW - timedelta(days=30), NOW - timedelta(days=10)),
        state=State.COMMITTED,
        written_at=NOW,
    )
    client.write_lines(ledger, [*lines, encode_mark(mark), *encode_receipts([archived])])
    specs = told(client, load_pipelines(ledger))
    assert len(specs) == len(GRIDS)
    seen = set()
    for found in told(client, look_at_windows(specs, ledger, span, NOW)):
        grid = found.spec.grid.grid()
        whole = Interval(grid.floor(span.start), grid.ceil(span.stop))
        expected = told(client, coverage(found.spec, whole, NOW))
        states = [STATES[code] for code in found.codes]
        seen.update(states)
        assert [SAME.get(state, state.value) for state in states] == [
            one.state.value for one in expected.windows
        ]
        for state, one in zip(states, expected.windows, strict=True):
            window = one.window
            if one.state.value == "committed" and state is not PageState.INCOMPLETE:
                is_archived, is_purged = window.overlaps(archived.window), window.overlaps(mark.window)
                assert (state is PageState.PURGED) == is_purged
                assert (state is PageState.ARCHIVED) == (is_archived and not is_purged)
    done = {*SAME, PageState.COMMITTED, PageState.STALE_SPEC}
    assert seen == {*PageState} - {PageState.FAILED, PageState.DIRTY} - (set() if has_target else done)


def test_windows_have_failed_when_airflow_says_so_of_their_run(
    client: InfluxClient, bucket_factory: Callable[..., str]
) -> None:
    ledger, source, target = bucket_factory("ledger"), bucket_factory("source"), bucket_factory("target")
    spec = RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="cpu",
        aggregates=("count",),
        grid=GridSpec("1h"),
        ledger_bucket=ledger,
    )
    span = Interval(NOW - timedelta(days=2), NOW)
    client.write_lines(ledger, random_ledger(spec, span, 1))
    (found,) = told(client, look_at_windows({spec.pipeline_name: spec}, ledger, span, NOW))
    receipts = told(client, unfinished(found))
    assert {one.run_id for one in receipts} == {"one", "two"}
    failed = failed_windows(found, receipts, {("dag", "two", "task", -1)})
    of_two = {one.window.start_ns for one in receipts if one.run_id == "two"}
    assert {int(failed.starts[n]) for n in failed.where(PageState.FAILED)} == of_two
    assert len(found.where(PageState.FAILED)) == 0
    rest = len(failed.where(PageState.WRITING, PageState.PLANNED))
    assert rest == len(found.where(PageState.WRITING, PageState.PLANNED)) - len(of_two)


@pytest.mark.parametrize("grid", [GridSpec("1h"), GridSpec("1h", period="3h")])
def test_a_window_has_its_receipts_and_its_flux_when_it_was_rolled_up_twice(
    influx: InfluxServer, client: InfluxClient, grid: GridSpec
) -> None:
    place = make_place(influx, client)
    place.write(make_points("2026-03-01", "2026-03-01T06:00:00", 600))
    spec = place.spec(grid=grid, aggregates=per_field(("count", "max"), ("temp",)))
    span = interval("2026-03-01", "2026-03-01T06:00:00")
    roll(client, spec, span)
    roll(client, spec, span)
    specs = told(client, load_pipelines(spec.ledger_bucket))
    window = grid.grid().windows(span)[3]
    inside = window.start + timedelta(minutes=20)
    story = told(client, window_story(specs[spec.pipeline_name], specs, inside, NOW)).as_json()
    assert story["window"] == window.as_json()
    assert [one["state"] for one in story["history"]].count("COMMITTED") == 2
    assert story["receipt"]["generation"] == 2
    assert {one["window"]["start"] for one in story["history"]} == {window.as_json()["start"]}
    if grid.period is not None:
        # computed in the worker, from partial results
        assert story["explained"]["in_worker"] == ["temp"]
    else:
        assert f"start: {window.as_json()['start']}" in story["explained"]["flux"][0]


@pytest.mark.parametrize("fields", [("temp",), ("tem*",), ("!hum",)])
def test_series_of_a_tier_are_silent_when_those_of_its_fields_have_stopped(
    client: InfluxClient, bucket_factory: Callable[..., str], fields: tuple[str, ...]
) -> None:
    ledger, source, target = (bucket_factory(name) for name in ("ledger", "source", "target"))
    midnight = NOW.replace(hour=0, minute=0)
    sent = {("a", "temp"): 3, ("b", "temp"): 9, ("a", "hum"): 1}
    client.write_lines(
        source,
        [
            f"m,site={site} {field}=1 {int((midnight - timedelta(days=days)).timestamp())}000000000"
            for (site, field), last in sent.items()
            for days in range(last, 12)
        ],
    )
    span = Interval(midnight - timedelta(days=12), midnight)
    hours = RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="m",
        target_measurement="hours",
        aggregates=("count", "mean", "sum"),
        grid=GridSpec("1h"),
        ledger_bucket=ledger,
        pipeline="hours",
    )
    days = replace(
        hours,
        source_bucket=target,
        measurement="hours",
        target_measurement="days",
        aggregates=("mean",),
        fields=fields,
        grid=GridSpec("1d"),
        pipeline="days",
        source_tier="hours",
    )
    for spec in (hours, days):
        roll(client, spec, span)
    found = told(client, silent_series(days, NOW))
    assert (found["series_total"], found["silent_total"]) == (2, 2)
    assert [(one["tags"], one["last_seen"]) for one in found["series"]] == [
        ({"site": site}, (midnight - timedelta(days=last)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        for site, last in (("b", 9), ("a", 3))
    ]
