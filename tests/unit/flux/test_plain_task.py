"""Which tasks are one rollup, and why the others are none."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_influx_rollup.flux.plain_task import PlainTask, plain_task
from airflow_provider_influx_rollup.flux.read_only import read_only, why_not_read_only
from airflow_provider_influx_rollup.flux.script import script_facts
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.windows.duration import Duration

HEAD = 'option task = {name: "t", every: 1h, offset: 5m}\n'
FROM = 'from(bucket: "raw")'
RANGE = "|> range(start: -task.every)"
FILTER = '|> filter(fn: (r) => r._measurement == "m")'
WINDOW = "|> aggregateWindow(every: 1h, fn: mean, createEmpty: false)"
TO = '|> to(bucket: "hourly")'


def script(*calls: str, head: str = HEAD) -> str:
    return head + "\n  ".join(calls)


def read(text: str) -> tuple[PlainTask | None, tuple[str, ...]]:
    package = parse_flux(text)
    task = script_facts(package).task
    assert task is not None
    return plain_task(package, task)


def found(text: str) -> PlainTask:
    plain, reasons = read(text)
    assert reasons == ()
    assert plain is not None
    return plain


def test_a_plain_task_is_read_whole() -> None:
    assert found(script(FROM, RANGE, FILTER, WINDOW, TO)) == PlainTask(
        source_bucket="raw",
        target_bucket="hourly",
        measurement="m",
        fields=None,
        tags={},
        function="mean",
        every=Duration.parse("1h"),
        offset=Duration(0, 0),
        is_stamped_at_stop=True,
        creates_empty=False,
        reach=Duration.parse("1h"),
        target_measurement=None,
    )


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ([FROM, "|> range(start: v.timeRangeStart, stop: v.timeRangeStop)", FILTER, WINDOW, TO], {"reach": None}),
        ([FROM, "|> range(start: -2h, stop: now())", FILTER, WINDOW, TO], {"reach": Duration.parse("2h")}),
        (
            [FROM, RANGE, FILTER, '|> filter(fn: (r) => r["_field"] == "a" or r._field == "b")', WINDOW, TO],
            {"fields": ("a", "b")},
        ),
        (
            [FROM, RANGE, '|> filter(fn: (r) => (r.host == "x" or r.host == "y") and r._measurement == "m" and r.site == "s")', WINDOW, TO],
            {"tags": {"host": ("x", "y"), "site": ("s",)}},
        ),
        (
            [FROM, RANGE, FILTER, '|> filter(fn: (r) => r.host == "x" or r.host == "y")', '|> filter(fn: (r) => r.host == "y")', WINDOW, TO],
            {"tags": {"host": ("y",)}},
        ),
        (
            [FROM, RANGE, FILTER, '|> aggregateWindow(every: task.every, offset: 10m, fn: count, timeSrc: "_start")', TO],
            {"every": Duration.parse("1h"), "offset": Duration.parse("10m"), "function": "count", "is_stamped_at_stop": False, "creates_empty": True},
        ),
        (
            [FROM, RANGE, FILTER, "|> aggregateWindow(every: 1h, fn: (tables=<-, column) => tables |> last(column: column))", TO],
            {"function": "last"},
        ),
        (
            [FROM, RANGE, FILTER, WINDOW, '|> set(key: "_measurement", value: "m2")', '|> to(bucket: "hourly", org: "o")', '|> yield(name: "x")'],
            {"target_measurement": "m2"},
        ),
        ([FROM, RANGE, FILTER, WINDOW, '|> set(key: "_measurement", value: "m")', TO], {"target_measurement": None}),
    ],
)  # fmt: skip
def test_what_a_rollup_has_too_is_read(calls: list[str], wanted: dict[str, Any]) -> None:
    plain = found(script(*calls))
    assert {name: getattr(plain, name) for name in wanted} == wanted


def test_variables_and_functions_of_the_script_are_followed() -> None:
    text = f"""{HEAD}
bucket = "raw"
length = 1h
data = (host) => from(bucket: bucket) |> range(start: -length) |> filter(fn: (r) => r._measurement == "m" and r.host == host)

data(host: "x") {WINDOW} {TO}
"""
    plain = found(text)
    assert (plain.source_bucket, plain.reach, plain.tags) == ("raw", Duration.parse("1h"), {"host": ("x",)})


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([FROM, RANGE, FILTER, WINDOW, "|> map(fn: (r) => r)", TO], "it calls map() on line 6"),
        ([FROM, RANGE, FILTER, WINDOW, '|> drop(columns: ["host"])', TO], "it calls drop() on line 6"),
        ([FROM, RANGE, FILTER, WINDOW, TO, TO], "it writes 2 times, on lines 6, 7"),
        ([FROM, RANGE, FILTER, WINDOW], "it writes nothing with to()"),
        ([FROM, RANGE, WINDOW, TO], "it has no filter()"),
        ([FROM, RANGE, FILTER, TO], "it has no aggregateWindow()"),
        ([FROM, FILTER, RANGE, WINDOW, TO], "order"),
        ([FROM, RANGE, '|> filter(fn: (r) => r.host == "x")', WINDOW, TO], "no filter says r._measurement"),
        ([FROM, RANGE, '|> filter(fn: (r) => r._measurement == "a" or r._measurement == "b")', WINDOW, TO], "2 measurements"),
        ([FROM, RANGE, FILTER, '|> filter(fn: (r) => r._value > 3)', WINDOW, TO], "the filter() on line 5"),
        ([FROM, RANGE, FILTER, '|> filter(fn: (r) => r.host =~ /a/)', WINDOW, TO], "the filter() on line 5"),
        ([FROM, RANGE, FILTER, '|> filter(fn: (r) => r.host == "a" or r.site == "b")', WINDOW, TO], "the filter() on line 5"),
        ([FROM, RANGE, FILTER, '|> filter(fn: (r) => r.host == "")', WINDOW, TO], "compares with an empty text"),
        ([FROM, RANGE, FILTER, '|> filter(fn: (r) => r._measurement == "n")', WINDOW, TO], "keep no _measurement"),
        ([FROM, "|> range(start: 2025-01-01T00:00:00Z)", FILTER, WINDOW, TO], "the range() on line 3"),
        ([FROM, "|> range(start: -2h, stop: -1h)", FILTER, WINDOW, TO], "the range() on line 3"),
        ([FROM, RANGE, FILTER, "|> aggregateWindow(every: 1h, fn: median)", TO], "median(), which is an estimate"),
        ([FROM, RANGE, FILTER, "|> aggregateWindow(every: 1h, fn: (tables=<-, column) => tables |> quantile(q: 0.9))", TO], "a function of its own"),
        ([FROM, RANGE, FILTER, "|> aggregateWindow(every: 1h, period: 2h, fn: mean)", TO], "sets period"),
        ([FROM, RANGE, FILTER, '|> aggregateWindow(every: 1h, fn: mean, timeSrc: "_time")', TO], "another column"),
        ([FROM, RANGE, FILTER, "|> aggregateWindow(every: 1mo2d, fn: mean)", TO], "no positive duration"),
        ([FROM, RANGE, FILTER, WINDOW, '|> set(key: "site", value: "s")', TO], "the set() on line 6"),
        ([FROM, RANGE, FILTER, WINDOW, '|> to(bucket: "b", tagColumns: ["host"])'], "sets tagColumns"),
        ([FROM, RANGE, FILTER, WINDOW, '|> to(bucketID: "0123456789abcdef")'], "does not name its bucket"),
        (['from(bucketID: "0123456789abcdef")', RANGE, FILTER, WINDOW, TO], "the from() on line 2"),
    ],
)  # fmt: skip
def test_what_a_rollup_cannot_express_is_named_with_its_line(calls: list[str], reason: str) -> None:
    plain, reasons = read(script(*calls))
    assert plain is None
    assert any(reason in one for one in reasons), reasons


def test_options_beside_the_tasks_are_named() -> None:
    head = f'import "timezone"\noption location = timezone.location(name: "Europe/Berlin")\n{HEAD}'
    assert read(script(FROM, RANGE, FILTER, WINDOW, TO, head=head))[1] == ("it sets the option location",)


def test_writes_become_yields_and_nothing_else_changes() -> None:
    text = (
        f'{HEAD}// täglich, "ü"\nx = {FROM} {RANGE}\nx {TO}\n'
        'x |> map(fn: (r) => ({r with o: "°"})) |> to(\n  bucket: "b",\n  org: "o",\n)  // end\n'
    )
    package = parse_flux(text)
    assert why_not_read_only(package, script_facts(package)) == ""
    assert read_only(text, package) == (
        f'{HEAD}// täglich, "ü"\nx = {FROM} {RANGE}\nx |> yield(name: "_rollup_written_0")\n'
        'x |> map(fn: (r) => ({r with o: "°"})) |> yield(name: "_rollup_written_1")  // end\n'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'import "http"\n{HEAD}{FROM} {RANGE} {TO}', "outside of InfluxDB"),
        (f'import "influxdata/influxdb/monitor"\n{HEAD}{FROM} {RANGE} {TO}', "statuses"),
        (f'{HEAD}w = (tables=<-) => tables {TO}\n{FROM} {RANGE} |> w()', "function of its own"),
        (f"{HEAD}{FROM} {RANGE}", "writes nothing"),
        (f'{HEAD}{FROM} {RANGE} |> to(bucket: "b", fieldFn: (r) => ({{"a": r._value}}))', "sets fieldFn"),
        (f'import "experimental"\n{HEAD}{FROM} {RANGE} {TO}\n{FROM} |> experimental.to(bucket: "b")', "something else"),
    ],
)  # fmt: skip
def test_a_script_that_might_write_all_the_same_is_not_run(text: str, reason: str) -> None:
    package = parse_flux(text)
    assert reason in why_not_read_only(package, script_facts(package))
