"""The deadman's decisions, without a server."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName, WriteRejected
from airflow_provider_influx_rollup.flux.deadman import LastStatuses, WrittenStatus
from airflow_provider_influx_rollup.flux.inventory import LastSeen
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.lifecycle.deadman.checking_task import CheckingTask
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman, steps_from_job
from airflow_provider_influx_rollup.lifecycle.deadman.last_statuses import SaidBefore, said_before
from airflow_provider_influx_rollup.lifecycle.deadman.series_state import ObservedSeries, SeriesState, judge
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec, spans_of
from airflow_provider_influx_rollup.lifecycle.deadman.statuses import write_statuses
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.source.inventory import (
    expected_from,
    grouping_of,
    series_label,
)
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import (
    Check,
    Status,
    check_id_of,
    write_of_statuses,
)
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)
SPEC = DeadmanSpec(bucket="raw", measurement="fleet", group_by=("device",))

FIELD = {"_field": "_source_timestamp", "_value": 1}

A, B, C = ((("device", name),) for name in "abc")


def states(seen: ObservedSeries, **kwargs: Any) -> dict[Any, str]:
    settings = {"expected": None, "dead_level": "crit", "retired_before": None, "retires_from": None} | kwargs
    return {verdict.series: verdict.state.value for verdict in judge(seen, **settings)}


def test_states_are_told_apart_when_series_are_listed() -> None:
    seen = ObservedSeries({A: START, C: START}, {A: START - HOUR, B: START - HOUR}, {C: "crit"})
    d = (("device", "d"),)
    assert states(seen, expected=(A, B, C, d)) == {
        A: "alive",
        B: "stopped",
        C: "came_back",
        d: "never_started",
    }


def test_series_is_alive_when_its_level_before_was_no_alarm() -> None:
    assert states(ObservedSeries({A: START}, {}, {A: "info"})) == {A: "alive"}


def test_series_is_retired_only_in_the_interval_in_which_it_becomes_so() -> None:
    seen = ObservedSeries({}, {A: START - 5 * HOUR, B: START - 4 * HOUR, C: START - 3 * HOUR}, {})
    bounds = {"retired_before": START - 3 * HOUR, "retires_from": START - 4 * HOUR}
    assert states(seen, **bounds) == {B: "retired", C: "stopped"}


def test_listed_series_is_not_retired_when_it_is_silent_for_long() -> None:
    seen = ObservedSeries({}, {A: START - 5 * HOUR}, {})
    assert states(seen, expected=(A,), retired_before=START, retires_from=START - HOUR) == {A: "stopped"}


def test_series_is_retired_when_its_alarm_stands_and_nobody_expects_it() -> None:
    assert states(ObservedSeries({A: START}, {}, {B: "crit", C: "ok"})) == {A: "alive", B: "retired"}


@given(
    recent=st.sets(st.sampled_from([A, B, C])),
    earlier=st.sets(st.sampled_from([A, B, C])),
    expected=st.none() | st.sets(st.sampled_from([A, B, C])).map(tuple),
    levels=st.dictionaries(st.sampled_from([A, B, C]), st.sampled_from(["ok", "crit", "info"])),
)
def test_each_series_gets_one_state_and_the_dead_are_the_silent_ones(
    recent: set[Any], earlier: set[Any], expected: Any, levels: Any
) -> None:
    seen = ObservedSeries(dict.fromkeys(recent, START), dict.fromkeys(earlier, START - HOUR), levels)
    verdicts = judge(seen, expected=expected, dead_level="crit", retired_before=None, retires_from=None)
    assert len({verdict.series for verdict in verdicts}) == len(verdicts)
    watched = set(expected) if expected is not None else recent | earlier
    dead = {v.series for v in verdicts if v.state in (SeriesState.STOPPED, SeriesState.NEVER_STARTED)}
    assert dead == watched - recent


def test_spans_end_at_the_stop_and_start_at_the_lookback() -> None:
    spans = spans_of(replace(SPEC, silence="10m", inventory_lookback="1d"), WINDOW)
    assert spans.recent == Interval(START + timedelta(minutes=50), START + HOUR)
    assert spans.earlier == Interval(START - timedelta(days=1), START + timedelta(minutes=50))


def test_lookback_grows_when_series_retire_later() -> None:
    spans = spans_of(replace(SPEC, retire_after="30d"), WINDOW)
    assert spans.earlier.start == START - timedelta(days=30)
    assert spans.retired_before == START + HOUR - timedelta(days=30)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"silence": "2h", "inventory_lookback": "1h"}, "longer than the interval and inventory_lookback"),
        ({"silence": "3h", "retire_after": "3h"}, "not longer than the silence"),
    ],
)
def test_spans_are_refused_when_they_contradict_each_other(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        spans_of(replace(SPEC, **changes), WINDOW)


@pytest.mark.parametrize(
    "changes", [{"level": "fatal"}, {"ok_level": "fine"}, {"level": "ok"}, {"level": "info"}]
)
def test_levels_are_refused_when_they_are_unknown_or_say_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(SPEC, **changes)


def test_spec_is_the_same_after_a_trip_through_json() -> None:
    spec = replace(
        SPEC, expected=({"device": "a"},), fields=("temp*",), tags={"site": ("a", "b")}, silence="5m"
    )
    assert DeadmanSpec.from_json(json.loads(json.dumps(asdict(spec)))) == spec


def test_check_is_another_one_when_something_else_is_watched() -> None:
    specs = [
        SPEC,
        replace(SPEC, bucket="other"),
        replace(SPEC, measurement="other"),
        replace(SPEC, group_by=None),
        replace(SPEC, fields=("temp",)),
        replace(SPEC, tags={"site": ("a",)}),
    ]
    assert len({spec.check.id for spec in specs}) == len(specs)
    assert check_id_of("fleet") == check_id_of("fleet")
    assert all(len(spec.check.id) == 16 and int(spec.check.id, 16) >= 0 for spec in specs)


def test_status_is_a_line_in_the_schema_of_influxdb_checks() -> None:
    status = Status(
        series=(("device", "d 1"),),
        level="crit",
        message='it "stopped"',
        source_time=START - HOUR,
        is_dead=True,
    )
    (line,) = write_of_statuses("b", Check("my check", "fleet"), [status], START).lines
    check_id = check_id_of("my check")
    assert line == (
        f"statuses,_check_id={check_id},_check_name=my\\ check,_level=crit,_source_measurement=fleet,_type=deadman,"
        'device=d\\ 1 _message="it \\"stopped\\"",_source_timestamp=1714986000000000000i,'
        "_status_timestamp=1714989600000000000i,dead=true 1714989600000000000"
    )


def test_status_is_refused_when_a_source_tag_has_a_name_of_the_schema() -> None:
    with pytest.raises(InvalidName, match="_level"):
        write_of_statuses(
            "b",
            Check("c", "m"),
            [Status(series=(("_level", "x"),), level="ok", message="", source_time=START, is_dead=False)],
            START,
        )


def test_status_row_is_read_back_without_the_schemas_own_tags() -> None:
    row = {
        "_time": START,
        "_check_id": "x",
        "_check_name": "n",
        "_level": "ok",
        "_field": "_source_timestamp",
        "_value": 1,
    }
    row |= {"_source_measurement": "m", "_type": "deadman", "result": "timeout", "site": ""}
    query = LastStatuses("monitoring", "x", WINDOW)
    series = (("result", "timeout"),)
    assert query.read([Row(row)]) == [WrittenStatus(series, "ok", START)]
    told = Row({**row, "_field": "_checked_by", "_value": 7})
    assert query.read([Row(row), told]) == [WrittenStatus(series, "ok", START, 7)]
    older = Row({**told, "_time": START - HOUR})
    assert query.read([older, Row(row)]) == [WrittenStatus(series, "ok", START)]


def test_latest_time_counts_when_a_series_has_several_fields() -> None:
    rows = [{"device": "a", "_time": START}, {"device": "a", "site": "", "_time": START - HOUR}]
    assert LastSeen(SPEC.source, WINDOW).read(rows) == {A: START}


def test_expected_series_are_distinct_and_lose_empty_tags() -> None:
    assert expected_from([{"device": "a", "site": ""}, {"device": "a"}, {"device": "b"}]) == (A, B)


@pytest.mark.parametrize("given_", [["d1"], [{"a\nb": "device"}], [{"": "a"}]])
def test_expected_series_are_refused_when_they_are_no_tags(given_: list[Any]) -> None:
    with pytest.raises(ConfigurationError):
        expected_from(given_)


def test_grouping_follows_the_expected_series_when_none_is_given() -> None:
    assert grouping_of(None, (A, (("site", "x"),))) == ("device", "site")
    assert grouping_of(None, None) is None
    assert grouping_of(("device", "device"), (A,)) == ("device",)
    with pytest.raises(ConfigurationError, match="device"):
        grouping_of(("site",), (A,))


def test_label_names_the_tags() -> None:
    assert series_label((("device", "a"), ("site", "b"))) == "device=a, site=b"
    assert series_label(()) == "the whole measurement"


def run_check(answers: list[Any], spec: DeadmanSpec = SPEC) -> tuple[dict[str, Any], list[Any]]:
    """Drive the verb with prepared answers to its queries; the result and all steps."""
    steps = check_deadman(spec, WINDOW)
    taken: list[Any] = []
    answer: Any = None
    try:
        while True:
            step = steps.send(answer)
            taken.append(step)
            answer = step.read(answers.pop(0)) if isinstance(step, RowsQuery) else None
    except StopIteration as end:
        return end.value.as_json(), taken


def test_only_the_lookback_is_read_and_the_stop_is_written() -> None:
    row = {"device": "a", "_time": START + HOUR / 2}
    result, taken = run_check([[row], [], [], [], []])
    queries = [step.flux() for step in taken if isinstance(step, RowsQuery)]
    ranges = [line for query in queries for line in query.splitlines() if "range(" in line]
    assert ranges == [
        "  |> range(start: 2024-05-06T10:00:00Z, stop: 2024-05-06T11:00:00Z)",
        "  |> range(start: 2024-04-29T10:00:00Z, stop: 2024-05-06T10:00:00Z)",
        "  |> range(start: 2024-04-29T10:00:00Z, stop: 2024-05-06T11:00:00Z)",
        "  |> range(start: 2024-05-06T11:00:00.000001Z, stop: 2262-04-11T23:47:16.854775Z)",
        "  |> range(start: 2024-05-06T11:00:00Z, stop: 2024-05-06T11:00:00.000001Z)",
    ]
    (write,) = [step for step in taken if isinstance(step, Write)]
    assert [line.rsplit(" ", 1)[1] for line in write.lines] == ["1714993200000000000"]
    assert (result["state"], result["statuses_written"]) == ("ok", 1)


def test_findings_are_bounded_when_many_series_are_dead() -> None:
    earlier = [{"device": f"d{number:04}", "_time": START - HOUR} for number in range(1000)]
    result, taken = run_check([[], earlier, [], [], []])
    assert (result["dead_count"], len(result["dead"]), result["statuses_written"]) == (1000, 200, 1000)
    assert len([step for step in taken if isinstance(step, Report)]) == 21


def test_alarm_is_new_only_when_the_status_before_was_none() -> None:
    seen = [{"device": name, "_time": START - HOUR} for name in "ab"]
    crit = {"_check_id": SPEC.check.id, "_level": "crit", "device": "a", "_time": START} | FIELD
    result, _ = run_check([[], seen, [crit], [], []])
    assert (result["dead_count"], result["newly_dead_count"], result["is_latest"]) == (2, 1, True)
    assert [entry["series"] for entry in result["newly_dead"]] == [{"device": "b"}]


def test_retired_series_is_said_once_to_be_so_when_its_alarm_stands() -> None:
    given_up = replace(SPEC, retired=({"device": "a"},))
    crit = {"_check_id": SPEC.check.id, "_level": "crit", "device": "a", "_time": START} | FIELD
    seen = [{"device": name, "_time": START - HOUR} for name in "ab"]
    result, _ = run_check([[], seen, [crit], [], []], given_up)
    assert [entry["series"] for entry in result["dead"]] == [{"device": "b"}]
    assert [(entry["series"], entry["state"]) for entry in result["retired"]] == [
        ({"device": "a"}, "retired")
    ]
    result, _ = run_check([[], seen, [{**crit, "_level": "info"}], [], []], given_up)
    assert (result["expected"], result["retired"]) == (1, [])


def test_nothing_is_deleted_before_the_write() -> None:
    stale = {"_check_id": SPEC.check.id, "_level": "crit", "device": "a", "_time": START + HOUR} | FIELD
    _, taken = run_check([[{"device": "a", "_time": START}], [], [], [], [stale]])
    kinds = [type(step) for step in taken if isinstance(step, (Write, Delete))]
    assert kinds == [Write, Delete]
    (delete,) = [step for step in taken if isinstance(step, Delete)]
    assert delete.measurement == "statuses"
    assert delete.tags == {"_check_id": SPEC.check.id, "_level": "crit"}
    assert delete.interval == Interval(START + HOUR, START + HOUR + timedelta(microseconds=1))


def test_another_refusal_of_the_write_is_not_taken_for_retention() -> None:
    steps = write_statuses(SPEC, CheckingTask(None), WINDOW, [])
    next(steps)
    steps.send([])
    with pytest.raises(WriteRejected, match="type conflict"):
        steps.throw(WriteRejected("field type conflict"))


def test_job_of_the_triggerer_checks_its_interval() -> None:
    job = {"spec": asdict(SPEC), "intervals": [WINDOW.as_json()], "run_info": {}}
    first = next(steps_from_job(job, lambda: START))
    assert isinstance(first, RowsQuery)
    assert "2024-05-06T11:00:00Z" in first.flux()


MINE, THEIRS = 1, 2


def said(*statuses: tuple[Any, str, float, int | None], is_mapped: bool = False) -> SaidBefore:
    """Statuses as series, level, hours before the last stop and who wrote them."""
    written = [WrittenStatus(one, level, START - hours * HOUR, who) for one, level, hours, who in statuses]
    return said_before(SPEC, CheckingTask(MINE, is_mapped=is_mapped), START, written)


@pytest.mark.parametrize("older", ["ok", "crit"])
def test_level_is_what_the_task_said_in_its_last_run_when_another_has_judged_since(older: str) -> None:
    newer = "crit" if older == "ok" else "ok"
    found = said((A, older, 0, MINE), (A, newer, -0.5, THEIRS))
    assert found == SaidBefore({A: older}, frozenset({A}), has_others=True)


def test_level_is_the_newest_when_the_task_did_not_judge_last_time() -> None:
    found = said((A, "ok", 2, MINE), (A, "crit", 1, THEIRS), (B, "crit", 1, THEIRS), (C, "crit", 3, THEIRS))
    assert found == SaidBefore({A: "crit", B: "crit", C: "crit"}, frozenset({A, B, C}), has_others=True)


def test_others_count_for_nothing_when_their_levels_are_others_or_they_are_gone() -> None:
    assert said((A, "crit", 1, MINE), (A, "warn", 0, THEIRS)) == SaidBefore(
        {A: "crit"}, frozenset(), has_others=True
    )
    # as after a rename, or before any status had a number
    assert not said((A, "ok", 0, MINE), (A, "crit", 1, THEIRS)).has_others
    assert said((A, "crit", 1, THEIRS)) == SaidBefore({A: "crit"}, frozenset({A}), has_others=False)
    assert said((A, "crit", 0, None)) == SaidBefore({A: "crit"}, frozenset(), has_others=False)


def test_series_of_the_last_run_may_be_those_of_others_when_the_task_is_mapped() -> None:
    found = said((A, "crit", 0, MINE), (B, "crit", 1, MINE), is_mapped=True)
    assert found == SaidBefore({A: "crit", B: "crit"}, frozenset({A}), has_others=False)
    assert [CheckingTask.of(RunInfo(task_id="t", map_index=index)).is_mapped for index in (-1, 0)] == [
        False,
        True,
    ]
