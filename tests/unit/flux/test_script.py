"""Facts of scripts, from syntax trees that a real server made (see tests/live/test_scripts.py)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.script import BucketWrite, ReadRange, ScriptFacts, script_facts
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.windows.duration import Duration

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "scripts.json").read_text())


def facts(name: str, params: dict[str, object] | None = None) -> ScriptFacts:
    return script_facts(RECORDED[name]["syntax_tree"], params)


def test_facts_are_read_when_the_published_mean_is_given() -> None:
    found = facts("published_mean")
    assert found.task is not None
    assert found.task.name == "iot_device_rollup_1h"
    assert found.task.every == Duration.parse("1h")
    assert found.task.offset == Duration.parse("10m")
    assert found.task.cron is None
    assert found.options == {"task"}
    assert found.buckets_read == ("raw_telemetry",)
    assert found.buckets_written == ("rollup_hourly",)
    assert found.writes == (BucketWrite("to", "rollup_hourly", 12),)
    assert found.ranges == (ReadRange("window", "window", 9),)
    assert found.lost_columns == ()
    assert found.shared_variables == ()
    assert found.can_be_planned


def test_lost_columns_are_found_when_keep_comes_before_to() -> None:
    (loss,) = facts("published_last").lost_columns
    assert loss.columns == ("_measurement", "_field")
    assert (loss.dropper.short_name, loss.dropper.line) == ("keep", 11)
    assert (loss.writer.short_name, loss.writer.line) == ("to", 12)
    assert facts("corrected_last").lost_columns == ()


def test_a_shared_variable_is_named_when_two_pipelines_use_it() -> None:
    assert facts("shared_variable").shared_variables == ("data",)
    assert facts("union").shared_variables == ()


def test_a_variable_can_be_shared_when_it_holds_an_aggregate() -> None:
    text = 'd = from(bucket: "a") |> range(start: -1h) |> {}\nd |> yield(name: "1")\nd |> yield(name: "2")'
    shared = {
        stage: script_facts(parse_flux(text.format(stage))).shared_variables
        for stage in ("aggregateWindow(every: 1m, fn: max)", "sum()", "fill(value: 0.0)")
    }
    assert list(shared.values()) == [(), (), ("d",)]


def test_own_functions_are_followed_when_called_with_arguments() -> None:
    found = facts("own_functions", {"other": "c"})
    assert found.buckets_read == ("a", "c")
    assert found.writes == (BucketWrite("wideTo", "b", 7),)
    assert found.ranges == (ReadRange("now", "now", 5), ReadRange("fixed", "now", 5))
    assert [(loss.columns, loss.dropper.line) for loss in found.lost_columns] == [(("_measurement",), 7)]
    assert not found.can_be_planned


def test_a_bucket_is_unknown_when_its_parameter_is_not_given() -> None:
    assert facts("own_functions").buckets_read == ("a",)


def test_options_and_names_are_listed_when_a_script_sets_them() -> None:
    found = facts("options")
    assert found.options == {"task", "now", "http.timeout"}
    assert found.top_names == {"v"}
    assert found.task is not None
    assert (found.task.cron, found.task.every) == ("0 * * * *", None)
    assert found.task.offset == Duration.parse("1m30s")
    assert found.outside_imports == ("http",)
    assert found.ranges == (ReadRange("fixed", "now", 6),)


@pytest.mark.parametrize(("name", "expected"), [('"hourly"', "hourly"), ('"hour" + "ly"', None)])
def test_a_script_is_called_by_a_literal_alone(name: str, expected: str | None) -> None:
    found = script_facts(parse_flux(f"option task = {{name: {name}, every: 1h}}")).task
    assert found is not None
    assert found.name == expected


def test_an_unbounded_read_is_found_when_another_one_is_bounded() -> None:
    found = facts("unbounded")
    assert found.unbounded_reads == ("a",)
    assert found.writes == (BucketWrite("to", "c", 2),)


def test_each_range_is_classified_when_its_start_is_written_in_many_ways() -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    found = facts("ranges", {"back": -timedelta(hours=1), "since": since})
    starts = [(one.line, one.start) for one in found.ranges]
    assert starts == [
        (7, "window"),  # v.timeRangeStart
        (8, "now"),  # a variable that holds -task.every
        (9, "fixed"),  # a variable that holds a time
        (10, "fixed"),  # time(v: "...")
        (11, "now"),  # date.truncate(t: now(), ...)
        (12, "window"),  # date.sub(from: v.timeRangeStop, ...)
        (13, "unknown"),  # tasks.lastSuccess
        (14, "now"),  # -v.windowPeriod
        (15, "fixed"),  # either -1h or a time
        (16, "now"),  # a bound timedelta
        (17, "fixed"),  # a bound time
        (18, "unknown"),  # a parameter that is not given
        (19, "now"),  # in parentheses
        (20, "fixed"),  # seconds since the epoch
        (21, "window"),  # arithmetic with v
        (22, "window"),  # stop: a time
        (23, "fixed"),  # schema.tagValues
        (6, "unknown"),  # in a function that nobody calls
    ]
    assert [one.stop for one in found.ranges if one.line == 22] == ["fixed"]
    assert [one.line for one in found.ranges if one.follows_window] == [7, 8, 11, 12, 14, 16, 19, 21]


@pytest.mark.parametrize(("name", "attribute"), [("makes_rows", "makes_rows"), ("extracts", "extracts_rows")])
def test_a_script_is_marked_when_it_makes_or_extracts_rows(name: str, attribute: str) -> None:
    assert getattr(facts(name), attribute)
    assert not getattr(facts("published_mean"), attribute)


def test_every_source_is_seen_when_pipelines_are_nested() -> None:
    found = facts("union")
    assert found.buckets_read == ("a", "b", "c")
    assert found.buckets_written == ("d",)
    assert found.unbounded_reads == ()


@pytest.mark.parametrize(("name", "message"), [("bad_task", "duration"), ("task_of_call", "not a record")])
def test_option_task_is_refused_when_it_is_not_made_of_literals(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        facts(name)


def test_reading_ends_when_variables_and_functions_refer_to_themselves() -> None:
    found = facts("endless")
    assert found.buckets_read == ()
    assert not found.can_be_planned
