"""The plan gate judges scripts on the real server, and leaves no trace there."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxRollupError,
    PlanNotPushedDown,
    QueryFailed,
    ScriptInvalid,
    ScriptUnbounded,
)
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import ScriptVerdict, plan_gate
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

pytestmark = pytest.mark.live

HOUR = Duration.parse("1h")
START = datetime(2024, 3, 1, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))


def gate(client: InfluxClient, script: str, **options: Any) -> ScriptVerdict:
    return drive(
        plan_gate(script, window=WINDOW, window_period=HOUR, **options), client, lambda _report: None
    )


def points(client: InfluxClient, bucket: str) -> int:
    """All points of a bucket at any time."""
    flux = f"""from(bucket: "{bucket}") |> range(start: 1700-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)
  |> group() |> count()"""
    return sum(row["_value"] for row in client.query(flux))


@pytest.fixture
def buckets(client: InfluxClient, bucket_factory: Callable[..., str]) -> tuple[str, str]:
    """A source with points in the window and right now, and an empty target."""
    source, target = bucket_factory(), bucket_factory()
    now_ns = int(datetime.now(UTC).timestamp()) * 10**9
    lines = [f"m,site=a v={n} {WINDOW.start_ns + n * 10**9}" for n in range(5)]
    client.write_lines(source, [*lines, *(f"m,site=a v={n} {now_ns - n * 10**9}" for n in range(5))])
    return source, target


ADD_UP = "reduce(identity: {_value: 0.0}, fn: (r, accumulator) => ({_value: r._value + accumulator._value}))"

WRITING = [
    "range(start: v.timeRangeStart, stop: v.timeRangeStop) |> aggregateWindow(every: 1h, fn: mean)",
    "range(start: v.timeRangeStart, stop: v.timeRangeStop) |> filter(fn: (r) => r._value > 0.0)",
    "range(start: -1h) |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: true)",
    "range(start: -task.every) |> quantile(q: 0.9) |> duplicate(column: \"_stop\", as: \"_time\")",
    "range(start: -100y, stop: 1h) |> map(fn: (r) => ({r with _value: r._value * 2.0}))",
    f'range(start: v.timeRangeStart) |> {ADD_UP} |> duplicate(column: "_stop", as: "_time")',
]  # fmt: skip


@pytest.mark.parametrize("pipeline", WRITING)
@pytest.mark.parametrize("writer", ["to", "influxdb.to"])
def test_the_gate_writes_nothing_when_a_script_that_writes_passes(
    client: InfluxClient, buckets: tuple[str, str], pipeline: str, writer: str
) -> None:
    source, target = buckets
    script = f"""import "influxdata/influxdb"
option task = {{name: "t", every: 1h}}
from(bucket: "{source}") |> {pipeline} |> {writer}(bucket: "{target}")"""
    verdict = gate(client, script, target_bucket=target)
    assert points(client, target) == 0
    assert points(client, source) == 10
    assert verdict.plan is not None
    assert verdict.facts.buckets_read == (source,)
    assert verdict.facts.buckets_written == (target,)
    # the same script does write when it is run for a window with points
    bound = extern_file(v=window_values(WINDOW, HOUR))
    client.execute(script, extern=bound, now=WINDOW.stop)
    assert points(client, target) > 0


def test_the_gate_answers_in_milliseconds_when_the_script_is_fine(
    client: InfluxClient, buckets: tuple[str, str]
) -> None:
    source, target = buckets
    script = f"""from(bucket: "{source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: mean) |> to(bucket: "{target}")"""
    gate(client, script)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        verdict = gate(client, script)
        seconds.append(time.perf_counter() - started)
    assert verdict.plan is not None
    assert verdict.plan.is_pushed_down
    assert verdict.warnings == ()
    # typically 10-30 ms; the bound leaves room for a busy machine
    assert min(seconds) < 0.25


FRESH = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("", ScriptInvalid, "empty"),
        ('from(bucket: "SOURCE" |>', ScriptInvalid, "RPAREN"),
        (f'from(bucket: "nowhere") |> {FRESH}', ScriptInvalid, "nowhere"),
        (f'from(bucket: "SOURCE") |> {FRESH} |> filter(fn: (r) => r.a == nobody)', ScriptInvalid, "nobody"),
        ("a = 1", ScriptInvalid, "pipeline"),
        (f'option v = {{}}\nfrom(bucket: "SOURCE") |> {FRESH}', ScriptInvalid, "remove the line that sets v"),
        (f'v = {{}}\nfrom(bucket: "SOURCE") |> {FRESH}', ScriptInvalid, "remove the line that sets v"),
        (f'option now = () => 2024-03-01T00:30:00Z\nfrom(bucket: "SOURCE") |> {FRESH}', ScriptInvalid, "now"),
        (f'from(bucket: params.bucket) |> {FRESH}', ScriptInvalid, "params_flux"),
        ('from(bucket: "SOURCE") |> last()', ScriptUnbounded, "range"),
        ('f = () => from(bucket: "SOURCE")\nf() |> last()', ScriptUnbounded, "range"),
        ('from(bucket: "SOURCE") |> range(start: 0)', ScriptUnbounded, "line 1"),
        ('from(bucket: "SOURCE") |> range(start: 2024-03-01T00:00:00Z)', ScriptUnbounded, "line 1"),
        ('t = 2024-03-01T00:00:00Z\n\nfrom(bucket: "SOURCE") |> range(start: t)', ScriptUnbounded, "line 3"),
        ('from(bucket: "SOURCE") |> range(start: time(v: "2024-03-01T00:00:00Z"))', ScriptUnbounded, "line 1"),
        ('f = (t) => from(bucket: "SOURCE") |> range(start: t)\nf(t: -1h) |> yield(name: "a")\nf(t: 0)',
         ScriptUnbounded, "line 1"),
        (f'from(bucket: "SOURCE") |> {FRESH} |> to(bucket: "SOURCE")', ConfigurationError, "reads from and writes"),
        (f'from(bucket: "SOURCE") |> {FRESH} |> to(bucket: "OTHER")', ConfigurationError, "target_bucket"),
        (f'from(bucket: "SOURCE") |> {FRESH}\n |> keep(columns: ["_time", "_value"])\n |> to(bucket: "TARGET")',
         ScriptInvalid, "keep() on line 2 dropped _measurement and _field, which to() on line 3 needs"),
        (f'from(bucket: "SOURCE") |> {FRESH} |> map(fn: (r) => ({{r with x: 1}})) |> mean()',
         PlanNotPushedDown, "map"),
        (f'd = from(bucket: "SOURCE") |> {FRESH}\nd |> mean() |> yield(name: "a")\nd |> max() |> yield(name: "b")',
         PlanNotPushedDown, "make the variable d a function"),
    ],
)  # fmt: skip
def test_the_gate_stops_a_script_and_leaves_no_trace_when_it_is_bad(
    client: InfluxClient,
    buckets: tuple[str, str],
    script: str,
    error: type[InfluxRollupError],
    message: str,
) -> None:
    source, target = buckets
    script = script.replace("SOURCE", source).replace("TARGET", target)
    with pytest.raises(error) as caught:
        gate(client, script, target_bucket=target, on_raw_read="fail")
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert "nothing was read or written" in str(caught.value)
    assert str(WINDOW) in str(caught.value)
    assert caught.value.permanent
    assert (points(client, source), points(client, target)) == (10, 0)


def test_raw_reads_are_a_warning_or_nothing_when_so_chosen(
    client: InfluxClient, buckets: tuple[str, str]
) -> None:
    script = f'from(bucket: "{buckets[0]}") |> {FRESH} |> median()'
    assert gate(client, script, on_raw_read="allow").warnings == ()
    (warning,) = gate(client, script, on_raw_read="warn").warnings
    assert warning == "the script reads raw points instead of aggregates (ReadRange feeds quantile)"


def test_the_gate_names_the_target_when_it_does_not_exist(
    client: InfluxClient, buckets: tuple[str, str]
) -> None:
    with pytest.raises(ScriptInvalid, match="create the bucket"):
        gate(client, f'from(bucket: "{buckets[0]}") |> {FRESH} |> to(bucket: "nowhere")')


def test_a_script_is_not_planned_when_that_might_do_something(
    client: InfluxClient, buckets: tuple[str, str]
) -> None:
    source, target = buckets
    makes_rows = f"""import "array"
array.from(rows: [{{_time: v.timeRangeStart, _measurement: "m", _field: "f", _value: 1.0}}]) |> to(bucket: "{target}")"""
    fixed = f'from(bucket: "{source}") |> range(start: 2024-03-01T00:00:00Z) |> to(bucket: "{target}")'
    for script, options in ((makes_rows, {}), (fixed, {"allow_fixed_ranges": True})):
        verdict = gate(client, script, **options)
        assert verdict.plan is None
        assert verdict.warnings[0].startswith("the plan was not checked")
        assert points(client, target) == 0


def test_a_script_passes_with_a_warning_when_only_missing_rows_fail_it(
    client: InfluxClient, buckets: tuple[str, str]
) -> None:
    script = f"""x = from(bucket: "{buckets[0]}") |> {FRESH} |> tableFind(fn: (key) => true) |> getColumn(column: "_value")
from(bucket: "{buckets[0]}") |> {FRESH} |> filter(fn: (r) => r._value > x[0])"""
    verdict = gate(client, script)
    assert verdict.plan is None
    assert "needs rows" in verdict.warnings[0]


def test_bound_values_name_the_buckets_when_the_script_uses_params(
    client: InfluxClient, buckets: tuple[str, str]
) -> None:
    source, target = buckets
    script = f"from(bucket: params.source) |> {FRESH} |> mean(column: params.column) |> yield()"
    verdict = gate(client, script, params={"source": source, "column": "_value"})
    assert verdict.facts.buckets_read == (source,)
    with pytest.raises(ConfigurationError, match="reads from and writes"):
        gate(client, f"from(bucket: params.b) |> {FRESH} |> to(bucket: params.b)", params={"b": target})


# what the gate says of lost columns, against what the server says when rows are there
LOSING = [
    'keep(columns: ["_time", "_value"])',
    'keep(columns: ["_time", "_value", "_field"])',
    'keep(columns: ["_time", "_value", "_field", "_measurement"])',
    'drop(columns: ["_measurement"])',
    'drop(columns: ["site"])',
    "mean()",
    "last()",
    'mean() |> duplicate(column: "_stop", as: "_time")',
    'group(columns: ["site"]) |> aggregateWindow(every: 1h, fn: mean)',
    'group(columns: ["site", "_measurement", "_field"]) |> aggregateWindow(every: 1h, fn: mean)',
    'group(columns: ["site"]) |> first()',
    'group() |> sum() |> duplicate(column: "_stop", as: "_time")',
    "map(fn: (r) => ({_time: r._time, _value: r._value}))",
    "map(fn: (r) => ({r with _value: r._value * 2.0}))",
    'map(fn: (r) => ({_time: r._time, _value: 1.0, _field: "f", _measurement: "m"}))',
    'keep(columns: ["_time", "_value", "_field"]) |> set(key: "_measurement", value: "m")',
    'rename(columns: {_measurement: "name"})',
    'rename(columns: {site: "place"})',
    'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
    ADD_UP,
    f'{ADD_UP} |> duplicate(column: "_stop", as: "_time")',
    'group(columns: ["_time"]) |> sum()',
    'window(every: 1h) |> max() |> group(columns: ["site"])',
    "aggregateWindow(every: 30m, fn: sum) |> difference() |> limit(n: 1)",
]


@pytest.mark.parametrize("stage", LOSING)
def test_the_gate_and_the_server_agree_about_columns_when_rows_are_there(
    client: InfluxClient, buckets: tuple[str, str], stage: str
) -> None:
    source, target = buckets
    script = f'from(bucket: "{source}") |> {FRESH} |> {stage} |> to(bucket: "{target}")'
    assert accepts(lambda: gate(client, script), ScriptInvalid) == accepts(
        lambda: client.execute(script, extern=extern_file(v=window_values(WINDOW, HOUR))), QueryFailed
    )


def accepts(action: Callable[[], object], refusal: type[InfluxRollupError]) -> bool:
    """Whether an action ends without this error."""
    try:
        action()
    except refusal:
        return False
    return True
