"""Windows of a task's schedule, and the form that it is declared in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxForbidden, InfluxRejected
from airflow_provider_influx_rollup.flux.plain_task import plain_task
from airflow_provider_influx_rollup.flux.script import TaskOption, script_facts
from airflow_provider_influx_rollup.lifecycle.task_adopt.forms import Declaration, declaration_of
from airflow_provider_influx_rollup.lifecycle.task_adopt.proof import is_same
from airflow_provider_influx_rollup.lifecycle.task_adopt.schedule import run_windows
from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import AdoptSpec, ReadTask
from airflow_provider_influx_rollup.lifecycle.task_adopt.task_adopt import adopt_task
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.steps.influx import ParseScript
from airflow_provider_influx_rollup.steps.tasks import ListTasks, NativeTask
from airflow_provider_influx_rollup.windows.duration import Duration

NOW = datetime(2025, 3, 31, 14, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def option(**values: Any) -> TaskOption:
    return TaskOption(**{"name": "t", "every": None, "cron": None, "offset": None, **values})


def read(text: str) -> ReadTask:
    package = parse_flux(text)
    facts = script_facts(package)
    assert facts.task is not None
    plain, reasons = plain_task(package, facts.task)
    return ReadTask(
        task=NativeTask(id="1", name="t", flux=text, status="active"),
        script=text,
        package=package,
        facts=facts,
        option=facts.task,
        plain=plain,
        reasons=reasons,
        own_windows=(),
    )


def declared(task: str, start: str, window: str, form: str | None = None, **more: Any) -> Declaration:
    text = f"""option task = {{name: "t", {task}}}
from(bucket: "a")
  |> range(start: {start})
  |> filter(fn: (r) => r._measurement == "m")
  |> aggregateWindow({window})
  |> to(bucket: "{more.pop("target", "b")}")
"""
    found = read(text)
    spec = AdoptSpec(name="t", org="o", form=form, **more)
    return declaration_of(found, spec, run_windows(found.option, NOW, spec.windows, None))


def test_windows_lie_between_the_times_that_are_due() -> None:
    runs = run_windows(option(every=Duration.parse("1h"), offset=Duration.parse("10m")), NOW, 2, None)
    at = datetime(2025, 3, 31, 13, tzinfo=UTC)
    assert [(one.start, one.stop) for one in runs.compared] == [(at - 2 * HOUR, at - HOUR), (at - HOUR, at)]
    assert runs.later == ()


def test_a_run_has_a_minute_to_end() -> None:
    every, hour = option(every=Duration.parse("1h")), datetime(2025, 3, 31, 14, tzinfo=UTC)
    stops = [
        run_windows(every, hour + timedelta(seconds=seconds), 1, None).compared[-1].stop
        for seconds in (59, 60)
    ]
    assert stops == [hour - HOUR, hour]


def test_windows_of_a_cron_are_as_long_as_its_times_are_apart() -> None:
    runs = run_windows(option(cron="0 6,18 * * 1-5"), NOW, 3, None)
    friday = datetime(2025, 3, 28, tzinfo=UTC)
    bounds = [friday + 6 * HOUR, friday + 18 * HOUR, friday + 78 * HOUR]
    assert [one.start for one in runs.compared] == [friday - 6 * HOUR, *bounds[:2]]
    assert [one.stop for one in runs.compared] == bounds


def test_later_windows_follow_those_that_end_in_the_past() -> None:
    until = datetime(2025, 3, 30, 12, 59, tzinfo=UTC)
    runs = run_windows(option(every=Duration.parse("1h")), NOW, 3, until)
    stops = [one.stop.hour for one in (*runs.compared, *runs.later)]
    assert stops == [10, 11, 12, 13, 14, 15]
    assert len(runs.compared) == 3


@pytest.mark.parametrize("cron", ["x", "0 0 31 2 *"])
def test_a_cron_without_times_is_told(cron: str) -> None:
    with pytest.raises(ConfigurationError, match="cron"):
        run_windows(option(cron=cron), NOW, 2, None)


def test_a_rollup_has_the_grid_and_the_lateness_of_the_task() -> None:
    found = declared("every: 1h, offset: 10m", "-task.every", "every: 15m, offset: 5m, fn: max")
    # windows that begin at 5 past are not whole in an hour
    assert found.form == "script"
    assert "not whole windows of 15m" in found.no_rollup[0]
    found = declared("every: 1h, offset: 10m", "-task.every", "every: 15m, fn: max")
    assert (found.form, found.no_script) == ("rollup", ())
    assert found.rollup is not None
    assert (found.rollup.grid.every, found.rollup.lateness) == ("15m", "10m")
    assert found.rollup.aggregates == ("max",)


@pytest.mark.parametrize(
    ("task", "start", "window", "reason"),
    [
        ("every: 1h", "-30m", "every: 30m, fn: max", "reads the last 30m only"),
        ("every: 30m", "-30m", "every: 1h, fn: max", "not whole windows of 1h"),
        ('cron: "30 2 * * *"', "-1d", "every: 1d, fn: max", "not whole windows of 1d"),
        ("every: 1h", "-1h", "every: 10m, fn: count", "a count of 0 for empty windows"),
    ],
)
def test_what_the_schedule_makes_impossible_is_told(task: str, start: str, window: str, reason: str) -> None:
    found = declared(task, start, window)
    assert found.form == "script"
    assert reason in found.no_rollup[0]
    with pytest.raises(ConfigurationError, match="leave the form out, which makes a script"):
        declared(task, start, window, form="rollup")


def test_weeks_begin_where_influxdb_begins_them() -> None:
    found = declared('cron: "0 0 * * 4"', "-1w", "every: 1w, fn: max")
    assert found.rollup is not None
    monday = datetime(2025, 3, 24, tzinfo=UTC)
    assert found.rollup.grid.grid().floor(NOW) == monday + timedelta(days=3)
    assert any("Thursday" in note for note in found.notes)


def test_a_target_that_is_the_source_stays_a_task() -> None:
    found = declared("every: 1h", "-1h", "every: 1h, fn: max", target="a")
    assert found.form == "task"
    assert "the target is the source" in found.no_rollup[0]
    assert found.no_script == ("it reads from and writes into 'a'",)


def test_looking_back_is_told() -> None:
    found = declared("every: 1h", "-6h", "every: 1h, fn: max")
    assert found.form == "rollup"
    assert any("the last 6h each time" in note for note in found.notes)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ('r._measurement == "cpu*"', "'cpu*' has a character that stands for others"),
        ('r._measurement == "m" and r._field == "a[0]"', "'a[0]' has a character that stands for others"),
        ('r._measurement == "m" and r.host == "{{ x }}"', "'{{ x }}' would be a template"),
    ],
)
def test_names_that_a_declaration_would_read_otherwise_are_told(names: str, reason: str) -> None:
    text = f"""option task = {{name: "t", every: 1h}}
from(bucket: "a")
  |> range(start: -1h)
  |> filter(fn: (r) => {names})
  |> aggregateWindow(every: 1h, fn: max)
  |> to(bucket: "b")
"""
    found = read(text)
    declaration = declaration_of(found, AdoptSpec(name="t", org="o"), run_windows(found.option, NOW, 2, None))
    assert declaration.form == ("task" if "{{" in names else "script")
    assert reason in declaration.no_rollup[0]


def adopting(text: str, answer: Any) -> Any:
    """The end of an adoption whose parse request is answered so."""
    steps = adopt_task(AdoptSpec(name="t", org="o"), lambda: NOW)
    assert isinstance(next(steps), ListTasks)
    asked = steps.send([NativeTask(id="1", name="t", flux=text, status="active")])
    assert isinstance(asked, ParseScript)
    return steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)


def test_a_script_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"script of task 't' cannot be read: parsing failed"):
        adopting("x", InfluxRejected("parsing failed"))
    # the server's answer decides, and not whether the token may
    with pytest.raises(InfluxForbidden):
        adopting("x", InfluxForbidden("no"))
    for text in (
        "x = 1",
        'option task = {name: "t"}',
        "n = 1\noption task = {name: string(v: n), cron: string(v: n)}",
    ):
        with pytest.raises(ConfigurationError, match="neither every nor cron"):
            adopting(text, parse_flux(text))


def test_a_form_that_does_not_exist_is_told() -> None:
    with pytest.raises(ConfigurationError, match="rollup, script, task"):
        declared("every: 1h", "-1h", "every: 1h, fn: max", form="x")


def test_values_are_the_same_up_to_the_rounding_of_floats() -> None:
    assert is_same(0.1 + 0.2, 0.3)
    assert not is_same(0.3, 0.3001)
    assert not is_same(1, 1.0)
    assert not is_same(True, 1)
    assert is_same("a", "a")
    assert not is_same(2**53, 2**53 + 1)
