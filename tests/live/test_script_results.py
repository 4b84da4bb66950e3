"""What a script returns beside its rows, and what it computes that no bucket can hold."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxUnavailable, ScriptInvalid
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.stage_result import StageResult
from airflow_provider_influx_rollup.steps.influx import Report
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now

pytestmark = pytest.mark.live

SPAN = interval("2025-03-01T00:00", "2025-03-01T02:00")
MINUTE_NS = 60 * 10**9


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    """Two hours of minutes, with the values 0 to 29 again and again."""
    place = make_place(influx, client)
    lines = [f"{place.measurement},d=a v={n % 30} {SPAN.start_ns + n * MINUTE_NS}" for n in range(120)]
    client.write_lines(place.source, lines)
    return place


def reading(place: Place, *stages: str) -> str:
    first = f'from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)'
    return "\n  |> ".join([first, *stages])


def run(
    place: Place, script: str, client: InfluxClient | None = None, log: list[Report] | None = None
) -> StageResult:
    spec = ScriptSpec(
        script=script,
        target_bucket=place.target,
        grid=GridSpec("1h"),
        pipeline="own",
        ledger_bucket=place.ledger,
        on_raw_read="allow",
    )
    return drive(
        roll_up_by_script(spec, SPAN, RUN, now), client or place.client, ([] if log is None else log).append
    )


def stored(place: Place) -> list[float]:
    rows = place.client.query(
        f'from(bucket: "{place.target}") |> range(start: 0) |> sort(columns: ["_time"])'
    )
    return [row["_value"] for row in rows]


def mean_of(place: Place, *more: str) -> str:
    return reading(place, "aggregateWindow(every: 1h, fn: mean, createEmpty: false)", *more)


def to(place: Place) -> str:
    return f'to(bucket: "{place.target}")'


def test_script_is_refused_when_it_reads_its_target_by_the_id(place: Place) -> None:
    target = place.client.find_bucket(place.target)
    assert target is not None
    script = f'from(bucketID: "{target.id}") |> range(start: v.timeRangeStart) |> {to(place)}'
    with pytest.raises(ConfigurationError, match=f"reads from and writes into the bucket '{place.target}'"):
        run(place, script)


def test_advice_is_about_the_task_when_it_has_no_every(place: Place) -> None:
    script = f'option task = {{name: "own", cron: "0 * * * *"}}\nfrom(bucket: "{place.source}") |> range(start: -task.every)'
    with pytest.raises(ScriptInvalid) as found:
        run(place, f"{script} |> {to(place)}")
    assert "instead of task.every" in str(found.value)


@pytest.mark.parametrize("name", ['yield(name: "peak")', 'set(key: "d", value: "b")'])
def test_window_is_committed_when_a_result_is_not_written(place: Place, name: str) -> None:
    beside = reading(
        place, "aggregateWindow(every: 1h, fn: max, createEmpty: false)", 'set(key: "_field", value: "w")'
    )
    result = run(place, f"{mean_of(place, to(place))}\n{beside}\n  |> {name}")
    assert [one.rows_out for one in result.receipts] == [1, 1]
    assert all(one.is_committed and one.checksum for one in result.receipts)
    assert stored(place) == [14.5, 14.5]


def test_rows_before_a_write_are_not_looked_for_when_they_are_a_result_too(place: Place) -> None:
    shown = mean_of(place, 'yield(name: "before")', 'set(key: "_field", value: "w")', to(place))
    assert [one.rows_out for one in run(place, shown).receipts] == [1, 1]
    assert stored(place) == [14.5, 14.5]


def test_both_writes_are_read_back_when_a_script_has_two(place: Place) -> None:
    other = mean_of(place, 'set(key: "_field", value: "w")', to(place))
    two = f"{mean_of(place, to(place))}\n{other}"
    assert [one.rows_out for one in run(place, two).receipts] == [2, 2]


@pytest.mark.parametrize("shown", ["", '|> yield(name: "both")'])
def test_both_writes_are_read_back_when_they_stand_in_a_union(place: Place, shown: str) -> None:
    other = mean_of(place, 'set(key: "_field", value: "w")', to(place))
    result = run(place, f"union(tables: [{mean_of(place, to(place))}, {other}]){shown}")
    assert [one.rows_out for one in result.receipts] == [2, 2]
    assert all(one.checksum for one in result.receipts)
    assert result.notes == ()
    assert stored(place) == [14.5] * 4


def test_value_in_a_union_is_named_when_it_is_not_finite(place: Place) -> None:
    bad = mean_of(place, 'set(key: "_field", value: "w")', "map(fn: (r) => ({r with _value: 1.0 / 0.0}))")
    with pytest.raises(ScriptInvalid, match="not finite"):
        run(place, f"union(tables: [{mean_of(place, to(place))}, {bad} |> {to(place)}])")


def test_writes_are_named_when_their_rows_are_joined(place: Place) -> None:
    left, right = mean_of(place, to(place)), mean_of(place, 'set(key: "_field", value: "w")', to(place))
    joined = f'left = {left}\nright = {right}\njoin(tables: {{left, right}}, on: ["_time"])'
    result = run(place, joined)
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(0, ""), (0, "")]
    assert len([one for one in result.notes if "is not read back" in one]) == 2
    assert stored(place) == [14.5] * 4


def test_checksum_is_that_of_no_rows_when_only_a_result_beside_has_some(place: Place) -> None:
    nothing = mean_of(place, "filter(fn: (r) => r._value < 0.0)", to(place))
    beside = mean_of(place, 'yield(name: "beside")')
    log: list[Report] = []
    result = run(place, f"{nothing}\n{beside}", log=log)
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(0, "0" * 16)] * 2
    assert len([one for one in log if "1 rows of other results are not looked for" in one.message]) == 2


@pytest.mark.parametrize(("divided", "shown"), [("1.0 / r._value", "inf"), ("0.0 / (r._value * 0.0)", "nan")])
def test_value_is_named_when_it_is_not_finite(place: Place, divided: str, shown: str) -> None:
    script = reading(place, f"map(fn: (r) => ({{r with _value: {divided}}}))", to(place))
    with pytest.raises(ScriptInvalid, match="to\\(\\) leaves out values that are not finite") as caught:
        run(place, script)
    told = str(caught.value)
    first = f"the first is {shown} of the field 'v' of {place.measurement},d=a at 2025-03-01T00:00:00Z"
    assert first in told
    assert "the window stays WRITING" in told
    assert caught.value.permanent


def test_the_advice_works_when_values_are_not_finite(place: Place) -> None:
    finite = "filter(fn: (r) => not math.isNaN(f: r._value) and not math.isInf(f: r._value, sign: 0))"
    script = reading(place, "map(fn: (r) => ({r with _value: 1.0 / r._value}))", finite, to(place))
    result = run(place, f'import "math"\n{script}')
    assert [one.rows_out for one in result.receipts] == [58, 58]
    assert len(stored(place)) == 116


def test_union_is_no_result_when_it_is_only_assigned(place: Place) -> None:
    other = mean_of(place, 'set(key: "_field", value: "w")', to(place))
    beside = reading(
        place, "aggregateWindow(every: 1h, fn: max, createEmpty: false)", 'set(key: "_field", value: "x")'
    )
    result = run(place, f"u = union(tables: [{mean_of(place, to(place))}, {other}])\n{beside}")
    assert [one.rows_out for one in result.receipts] == [2, 2]
    assert all(one.checksum for one in result.receipts)
    assert result.notes == ()
    assert stored(place) == [14.5] * 4


def test_rows_have_no_checksum_when_they_are_not_read_back(place: Place) -> None:
    made = mean_of(place, f'to(bucket: "{place.target}", fieldFn: (r) => ({{mean: r._value}}))')
    result = run(place, made)
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(0, ""), (0, "")]
    (note,) = [one for one in result.notes if "fieldFn" in one or "to()" in one]
    assert "to() on line 3 writes is not read back" in note
    assert stored(place) == [14.5, 14.5]


PIVOTED = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


def wide(place: Place, *stages: str) -> str:
    """All fields of the source, hour by hour, written with a column for each."""
    hours = "aggregateWindow(every: 1h, fn: last, createEmpty: false)"
    write = f'influxdb.wideTo(bucket: "{place.target}")'
    return f'import "influxdata/influxdb"\n{reading(place, hours, PIVOTED, *stages, write)}'


def of_all_types(place: Place) -> None:
    """More series, and a field of each type; some have fields that others lack."""
    lines = [
        f'{place.measurement},d=b,e=x\\ y v=2.5,n=7i,u=8u,t="a b",on=true',
        f'{place.measurement},d=c v=1,t="c"',
    ]
    for hour in range(2):
        place.client.write_lines(
            place.source, [f"{line} {SPAN.start_ns + (60 * hour + 30) * MINUTE_NS}" for line in lines]
        )


def rows_there(place: Place) -> int:
    """How many values the target has, counted one by one."""
    return len(place.client.query(f'from(bucket: "{place.target}") |> range(start: 0)'))


def test_each_field_is_read_back_when_wide_to_wrote_it(place: Place) -> None:
    of_all_types(place)
    first = run(place, wide(place))
    assert [(one.rows_out, one.series) for one in first.receipts] == [(8, 3), (8, 3)]
    assert rows_there(place) == 16
    assert first.notes == ()
    again = run(place, wide(place))
    assert [one.checksum for one in again.receipts] == [one.checksum for one in first.receipts]
    place.client.write_lines(
        place.source, [f'{place.measurement},d=c t="d" {SPAN.start_ns + 40 * MINUTE_NS}']
    )
    changed = run(place, wide(place))
    same = [one.checksum == two.checksum for one, two in zip(changed.receipts, first.receipts, strict=True)]
    assert same == [False, True]


@pytest.mark.parametrize(
    "grouped", ['group(columns: ["_measurement"])', 'group(columns: ["_measurement", "d"])']
)
def test_tags_are_those_of_the_group_key_when_wide_to_wrote_rows(place: Place, grouped: str) -> None:
    of_all_types(place)
    result = run(place, wide(place, 'filter(fn: (r) => r.d == "b")', grouped))
    assert [one.rows_out for one in result.receipts] == [rows_there(place) / 2] * 2


@pytest.mark.parametrize("shown", ["", '|> yield(name: "both")'])
def test_both_writes_are_read_back_when_wide_ones_stand_in_a_union(place: Place, shown: str) -> None:
    of_all_types(place)
    head, body = wide(place).split("\n", 1)
    other = body.replace(
        PIVOTED, f'{PIVOTED}\n  |> filter(fn: (r) => r.d == "b") |> set(key: "d", value: "z")'
    )
    result = run(place, f"{head}\nunion(tables: [{body}, {other}]){shown}")
    assert sum(one.rows_out for one in result.receipts) == rows_there(place)
    assert all(one.checksum for one in result.receipts)


def test_rows_of_both_forms_are_read_back_when_a_script_writes_both(place: Place) -> None:
    other = mean_of(place, 'set(key: "_field", value: "w")', to(place))
    result = run(place, f"{wide(place)}\n{other}")
    assert [one.rows_out for one in result.receipts] == [2, 2]
    assert all(one.checksum for one in result.receipts)


def test_log_counts_the_values_that_wide_to_leaves_out(place: Place) -> None:
    log: list[Report] = []
    divided = "map(fn: (r) => ({r with bad: 1.0 / 0.0, ugly: 0.0 / 0.0}))"
    result = run(place, wide(place, divided), log=log)
    assert [one.rows_out for one in result.receipts] == [1, 1]
    assert rows_there(place) == 2
    assert all(one.checksum for one in result.receipts)
    told = [one.message for one in log if "not finite" in one.message]
    assert len(told) == 2
    assert "as 2 are in [2025-03-01T00:00:00Z, 2025-03-01T01:00:00Z)" in told[0]


def test_commit_has_no_checksum_when_a_text_of_wide_to_may_be_empty(place: Place) -> None:
    log: list[Report] = []
    result = run(place, wide(place, 'map(fn: (r) => ({r with t: ""}))'), log=log)
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(1, ""), (1, "")]
    assert len([one for one in log if "1 fields that the script returned" in one.message]) == 2


def test_wide_rows_of_another_server_are_not_looked_for_here(place: Place, influx: InfluxServer) -> None:
    address = InfluxAddress(influx.url, influx.org, influx.token).new_organisation(f"wide-{place.target}")
    address.fresh_buckets(place.target)
    far = f'host: "{influx.url}", org: "{address.org}", token: "{address.token}")'
    here = f'wideTo(bucket: "{place.target}")'
    result = run(place, wide(place).replace(here, f"{here[:-1]}, {far}"))
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(0, ""), (0, "")]
    assert rows_there(place) == 0


def test_rows_of_another_server_are_not_looked_for_here(place: Place, influx: InfluxServer) -> None:
    # another organisation of this server has a bucket of the same name
    address = InfluxAddress(influx.url, influx.org, influx.token).new_organisation(f"far-{place.target}")
    address.fresh_buckets(place.target)
    far = (
        f'to(bucket: "{place.target}", host: "{influx.url}", org: "{address.org}", token: "{address.token}")'
    )
    result = run(place, mean_of(place, far))
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(0, ""), (0, "")]
    assert stored(place) == []


def test_both_writes_are_named_when_one_of_them_is_to_another_server(
    place: Place, influx: InfluxServer
) -> None:
    far = f'to(bucket: "{place.target}", host: "{influx.url}", org: "{influx.org}", token: "{influx.token}")'
    other = mean_of(place, 'set(key: "_field", value: "w")', far)
    result = run(place, f"{mean_of(place, to(place))}\n{other}")
    assert [(one.rows_out, one.checksum) for one in result.receipts] == [(0, ""), (0, "")]
    assert len([one for one in result.notes if "is not read back" in one]) == 2


def test_task_is_tried_again_when_another_server_is_away(place: Place, influx: InfluxServer) -> None:
    far = f'to(bucket: "{place.target}", host: "http://127.0.0.1:1", org: "o", token: "far-token")'
    settings = ClientSettings(
        url=influx.url, org=influx.org, token=lambda _refresh: influx.token, deadline_seconds=1
    )
    with (
        InfluxClient(settings) as client,
        pytest.raises(InfluxUnavailable, match="connection refused") as caught,
    ):
        run(place, mean_of(place, far), client)
    assert not caught.value.permanent
    assert "far-token" not in str(caught.value)
