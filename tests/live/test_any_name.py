"""Any name that InfluxDB holds goes through every verb, whatever it means elsewhere; what no query can read is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError, InvalidName
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec, run_query
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.plain_rows import Key, stored_values
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import Place, make_place, roll
from tests.scenes.validation_runs import by_rule, run

pytestmark = pytest.mark.live

START = datetime(2025, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)
AT = WINDOW.start_ns
NUMBERS = itertools.count()
# an example takes one to three seconds
EXAMPLES = max(3, settings.default.max_examples // 20)
WORDS = (
    "result", "table", "error", "reference", "name", "value", "v", "v_count", "pipeline", "bucket", "stage", "rule", "state",
    "window", "_x", "__", "r", "and", "true", "null", "1", "1.5", "it's", "'; DROP", "${x}", "a\\nb", "..", "a.b-c/d", "m/s",
    "m³/d", "°C", "C:\\disk", "/m.*/", "*", "!a", "[ab]", "a?", "%25", "x" * 250, " a", "a ", "=", ",", "a=b,c d", "a@b", "@", "user@host@x", "@a",
)  # fmt: skip
SEPARATORS = ", ="
TEXT = st.text("aé☃😀 ,=\\/.:%*?[]{}$'#!;&|~^()<>\"-_0@\t", min_size=1, max_size=6)


@dataclass(frozen=True)
class Names:
    """What one tag, its value, a field and a measurement are called."""

    tag: str
    value: str
    field: str
    measurement: str

    @property
    def all(self) -> tuple[str, ...]:
        return (self.tag, self.value, self.field, self.measurement)

    @property
    def is_held(self) -> bool:
        """Whether line protocol has a way to say it, and InfluxDB reads it back as the same."""
        joined = "\n".join(self.all)
        return (
            not any(name.endswith("\\") or name[0] == "\t" for name in self.all)
            and not any(f"\\{mark}" in joined for mark in (*SEPARATORS, '"'))
            and not ("\\" in joined and '"' in joined)
            and not ('"' in joined and "=" in self.measurement)
            and self.measurement[0] != "#"
            and self.value != "other"
        )

    def lines(self) -> list[str]:
        """Two points of the series, and one of another series."""
        head, tag, field = escaped(self.measurement, ", "), escaped(self.tag), escaped(self.field)
        return [
            f"{head},{tag}={escaped(self.value)} {field}=1 {AT}",
            f"{head},{tag}={escaped(self.value)} {field}=3 {AT + 1_800_000_000_000}",
            f"{head},{tag}=other {field}=5 {AT}",
        ]

    def rows(self, *, with_other: bool = True, **columns: tuple[Any, Any]) -> dict[Key, Any]:
        """Values of the target, by column, of the series and of the other one."""
        return {
            (((self.tag, text),), f"{self.field}_{column}", AT): values[place]
            for column, values in columns.items()
            for place, text in enumerate((self.value, "other"))
            if with_other or not place
        }


def escaped(text: str, specials: str = SEPARATORS) -> str:
    return "".join("\\" + character if character in specials else character for character in text)


def names() -> st.SearchStrategy[Names]:
    odd = st.sampled_from(WORDS) | TEXT
    return st.builds(Names, odd, odd, odd, odd).filter(lambda one: one.is_held)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


@pytest.fixture(scope="module")
def buckets(client: InfluxClient, place: Place) -> dict[str, str]:
    made = {role: f"{place.target}_{role}" for role in ("worker", "statuses", "quarantine", "clean")}
    for bucket in made.values():
        client.ensure_bucket(bucket)
    return made


def fresh(place: Place, one: Names) -> tuple[Place, Names]:
    """The same names with a measurement of their own, and its points."""
    one = replace(one, measurement=f"{one.measurement}{next(NUMBERS)}")
    place.client.write_lines(place.source, one.lines())
    return replace(place, measurement=one.measurement), one


@settings(max_examples=EXAMPLES)
@given(names())
def test_rows_are_right_whatever_the_names(
    influx: InfluxServer, client: InfluxClient, place: Place, buckets: dict[str, str], one: Names
) -> None:
    place, one = fresh(place, one)
    spec = place.spec("1h", ["count", "sum"])
    worker = replace(
        place.spec("1h", ["count", "p50"], group_by=None, pipeline=f"w {one.measurement}"),
        target_bucket=buckets["worker"],
    )
    for _ in range(2):
        assert roll(client, spec, WINDOW)["state"] == "COMMITTED"
    roll(client, worker, WINDOW)
    right = one.rows(count=(2, 1), sum=(4.0, 5.0))
    assert stored_values(influx, place.target, one.measurement) == right
    right = one.rows(count=(2, 1), p50=(2.0, 5.0))
    assert stored_values(influx, buckets["worker"], one.measurement) == right
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in (one.measurement, one.tag)]
    client.delete(place.source, WINDOW, f'_measurement="{quoted[0]}" AND "{quoted[1]}"="other"')
    roll(client, spec, WINDOW)
    left = one.rows(count=(2, 1), sum=(4.0, 5.0), with_other=False)
    assert stored_values(influx, place.target, one.measurement) == left
    assert sweep(client, spec, WINDOW)["is_clean"]
    sweep(client, worker, WINDOW)
    left = one.rows(count=(2, 1), p50=(2.0, 5.0), with_other=False)
    assert stored_values(influx, buckets["worker"], one.measurement) == left
    assert set(place.states(spec.pipeline_name).values()) == {"COMMITTED"}


@settings(max_examples=EXAMPLES)
@given(names())
def test_series_and_points_are_judged_right_whatever_the_names(
    influx: InfluxServer, client: InfluxClient, place: Place, buckets: dict[str, str], one: Names
) -> None:
    place, one = fresh(place, one)
    series = [{one.tag: one.value}, {one.tag: "other"}]
    deadman = DeadmanSpec(bucket=place.source, measurement=one.measurement, status_bucket=buckets["statuses"])
    for number, newly in ((0, 2), (1, 0)):
        after = Interval(WINDOW.stop + number * HOUR, WINDOW.stop + (number + 1) * HOUR)
        found = drive(check_deadman(deadman, after), client, lambda _report: None).as_json()
        assert sorted(map(repr, (dead["series"] for dead in found["dead"]))) == sorted(map(repr, series))
        assert found["newly_dead_count"] == newly
    expected = (*series, {one.tag: "never"})
    window = CompletenessSpec(
        bucket=place.source,
        measurement=one.measurement,
        expected=expected,
        min_series=0.6,
        ledger_bucket=place.ledger,
    )
    complete = drive(
        check_windows(window, WINDOW, lambda: START + 24 * HOUR), client, lambda _report: None
    ).as_json()
    assert complete is not None
    assert (complete["series"], complete["missing_series"]) == (2, [{one.tag: "never"}])
    rules = [
        {"rule": "range", "field": one.field, "high": 2, "where": {one.tag: one.value}, "name": "high"},
        {"rule": "expected_series", "series": list(expected), "name": "listed"},
    ]
    validation = ValidateSpec(
        bucket=place.source,
        measurement=one.measurement,
        rules=rules_of(rules),
        quarantine_bucket=buckets["quarantine"],
        clean_bucket=buckets["clean"],
        ledger_bucket=place.ledger,
    )
    for _ in range(2):
        told = by_rule(run(client, validation, WINDOW))
    assert [told[rule]["violations"] for rule in ("high", "listed")] == [1, 1]
    copies = stored_values(influx, buckets["quarantine"], one.measurement)
    assert list(copies.values()) == [3.0]
    clean = stored_values(influx, buckets["clean"], one.measurement)
    wrong = (((one.tag, one.value),), one.field, AT + 1_800_000_000_000)
    source = stored_values(influx, place.source, one.measurement)
    assert clean == {key: value for key, value in source.items() if key != wrong}
    assert len(clean) == 2


@pytest.mark.parametrize("tag", ["_time", "_value", "_start", "_stop"])
def test_tag_that_no_query_can_read_is_named_and_nothing_is_written(
    influx: InfluxServer, client: InfluxClient, place: Place, buckets: dict[str, str], tag: str
) -> None:
    name = f"poison {tag}"
    place = replace(place, measurement=name)
    lines = [f"poison\\ {tag},host=a,{tag}=x v=1 {AT}", f"poison\\ {tag},host=b v=7 {AT}"]
    client.write_lines(place.source, lines)
    deadman = DeadmanSpec(
        bucket=place.source, measurement=name, group_by=("host",), status_bucket=buckets["statuses"]
    )
    complete = CompletenessSpec(
        bucket=place.source,
        measurement=name,
        expected=({"host": "a"},),
        every="1h",
        ledger_bucket=place.ledger,
    )
    rules = rules_of([{"rule": "range", "field": "v", "high": 4.5}])
    verbs: list[Callable[[], object]] = [
        lambda: roll(client, place.spec("1h", ["sum"]), WINDOW),
        lambda: roll(client, place.spec("1h", ["sum"], group_by=("host",), pipeline=f"g {tag}"), WINDOW),
        lambda: drive(check_deadman(deadman, WINDOW), client, lambda _report: None).as_json(),
        lambda: drive(
            check_windows(complete, WINDOW, lambda: START + 24 * HOUR), client, lambda _report: None
        ),
        lambda: run(
            client,
            ValidateSpec(bucket=place.source, measurement=name, rules=rules, ledger_bucket=place.ledger),
            WINDOW,
        ),
    ]
    for verb in verbs:
        with pytest.raises(InfluxRollupError, match="a tag called _time, _value, _start or _stop") as raised:
            verb()
        assert raised.value.permanent
    assert stored_values(influx, place.target, name) == {}
    # the other series can still be rolled up
    spec = place.spec("1h", ["sum"], tags={"host": ("b",)})
    assert place.states(spec.pipeline_name) == {}
    assert roll(client, spec, WINDOW)["state"] == "COMMITTED"
    assert stored_values(influx, place.target, name) == {((("host", "b"),), "v_sum", AT): 7.0}


def test_tag_that_is_called_like_a_column_of_the_target_is_refused_only_where_influxdb_writes(
    influx: InfluxServer, client: InfluxClient, place: Place
) -> None:
    place, one = fresh(place, Names("v_count", "x", "v", "columns"))
    with pytest.raises(ConfigurationError, match='leave compute="server" out'):
        roll(client, place.spec("1h", ["count"], compute="server"), WINDOW)
    assert stored_values(influx, place.target, one.measurement) == {}
    roll(client, place.spec("1h", ["count"]), WINDOW)
    assert stored_values(influx, place.target, one.measurement) == one.rows(count=(2, 1))


@pytest.mark.parametrize("compute", ["auto", "server"])
def test_rows_in_the_target_go_when_their_tag_is_called_table(
    influx: InfluxServer, client: InfluxClient, place: Place, compute: str
) -> None:
    place, one = fresh(place, Names("table", "a", "v", "ghosts"))
    spec = place.spec("1h", ["count"], compute=compute)
    roll(client, spec, WINDOW)
    client.delete(place.source, WINDOW, f'_measurement="{one.measurement}" AND "table"="other"')
    roll(client, spec, WINDOW)
    assert stored_values(influx, place.target, one.measurement) == one.rows(with_other=False, count=(2, 1))


def test_row_of_a_question_has_the_tag_when_the_yields_name_is_called_so_too(
    client: InfluxClient, place: Place
) -> None:
    place, one = fresh(place, Names("result", "timeout", "v", "asked"))
    flux = (
        f'from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)'
        f' |> filter(fn: (r) => r._measurement == "{one.measurement}" and r.result == "timeout")'
        ' |> count() |> keep(columns: ["result", "_value"]) |> yield(name: "counted")'
    )
    answer = drive(run_query(QuerySpec(flux), WINDOW), client, lambda _report: None).as_json()
    assert answer["first_rows"] == [{"result": "timeout", "table": 0, "_value": 2}]


def test_measurement_that_only_flux_can_write_is_rolled_up_under_another_name(
    influx: InfluxServer, client: InfluxClient, place: Place, buckets: dict[str, str]
) -> None:
    client.execute(
        f"""import "array"
        array.from(rows: [{{_time: 2025-03-08T00:10:00Z, _measurement: "#7", _field: "v", _value: 2.0, host: "a"}}])
          |> group(columns: ["_measurement", "_field", "host"]) |> to(bucket: "{place.source}", tagColumns: ["host"])"""
    )
    place = replace(place, measurement="#7")
    with pytest.raises(InvalidName, match="begins with #"):
        place.spec("1h", ["sum"])
    spec = place.spec("1h", ["sum"], target_measurement="number 7")
    for _ in range(2):
        assert roll(client, spec, WINDOW)["state"] == "COMMITTED"
    assert stored_values(influx, place.target, "number 7") == {((("host", "a"),), "v_sum", AT): 2.0}
    deadman = DeadmanSpec(bucket=place.source, measurement="#7", status_bucket=buckets["statuses"])
    after = Interval(WINDOW.stop, WINDOW.stop + HOUR)
    found = drive(check_deadman(deadman, after), client, lambda _report: None).as_json()
    assert [dead["series"] for dead in found["dead"]] == [{"host": "a"}]
    client.delete(place.source, WINDOW, '_measurement="#7"')
    roll(client, spec, WINDOW)
    assert stored_values(influx, place.target, "number 7") == {}
