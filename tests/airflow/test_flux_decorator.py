from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.decorators.flux import flux_task
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2026, 1, 1, tzinfo=UTC)
STOP = START + timedelta(hours=1)
READ = """
from(bucket: params.bucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "m" and r.site == params.site)
"""


@pytest.fixture
def source(client: Any, bucket_factory: Callable[[], str]) -> str:
    """Four points of site a within the hour, one at each end outside, and some of site b."""
    bucket = bucket_factory()
    minutes = [("a", -1), ("a", 0), ("a", 15), ("a", 30), ("a", 59), ("a", 60), ("b", 5), ("b", 6)]
    begin = int(START.timestamp())
    client.write_lines(
        bucket, [f"m,site={site} value={minute}.0 {begin + minute * 60}000000000" for site, minute in minutes]
    )
    return bucket


def make_task(function: Callable[..., Any], **kwargs: Any) -> Any:
    decorate: Any = flux_task(influx_conn_id="tele", start=START, stop=STOP, **kwargs)
    return decorate(function)().operator


def test_rows_of_the_window_are_counted_when_there_is_no_target(source: str) -> None:
    def ask(ti: Any) -> tuple[str, dict[str, Any]]:
        assert ti.task_id == "task"
        return READ, {"bucket": source, "site": "a"}

    result = make_task(ask, first_rows=2).execute(make_context())
    assert result["rows"] == 4
    assert result["window"] == {"start": "2026-01-01T00:00:00Z", "stop": "2026-01-01T01:00:00Z"}
    assert [row["_value"] for row in result["first_rows"]] == [0.0, 15.0]
    assert result["first_rows"][1]["_time"] == "2026-01-01T00:15:00Z"
    assert json.loads(json.dumps(result)) == result


def test_script_is_refused_when_the_decorator_names_one_too() -> None:
    with pytest.raises(ConfigurationError, match="'ask_nothing' returns the script, and flux= names another"):
        make_task(ask_nothing, flux="buckets()")


def ask_nothing() -> str:
    return "buckets()"


def test_now_is_the_windows_stop_when_the_script_reads_backwards(source: str) -> None:
    script = f'from(bucket: "{source}") |> range(start: -45m) |> filter(fn: (r) => r.site == "a")'
    assert make_task(lambda: script, task_id="ask").execute(make_context())["rows"] == 3


def test_values_stay_values_when_they_look_like_flux(source: str) -> None:
    def ask() -> tuple[str, dict[str, Any]]:
        return READ, {"bucket": source, "site": 'a" or true or "" == "'}

    assert make_task(ask).execute(make_context())["rows"] == 0


@pytest.mark.parametrize(("returned", "rows"), [({}, 2), ({"site": "a"}, 4)])
def test_values_of_the_decorator_are_bound_and_those_of_the_function_go_before(
    source: str, returned: dict[str, Any], rows: int
) -> None:
    task = make_task(lambda: (READ, returned), task_id="ask", params_flux={"bucket": source, "site": "b"})
    assert task.execute(make_context())["rows"] == rows


def test_script_is_a_rollup_when_there_is_a_target(
    source: str, client: Any, bucket_factory: Callable[[], str]
) -> None:
    target = bucket_factory()

    def roll_up() -> tuple[str, dict[str, Any]]:
        text = f'{READ} |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start") |> to(bucket: "{target}")'
        return text.replace("params.bucket", f'"{source}"'), {"site": "a"}

    task = make_task(roll_up, target_bucket=target, every="30m", ledger_bucket=bucket_factory())
    assert isinstance(task, FluxRollupOperator)
    result = task.execute(make_context())
    assert result["state"] == "COMMITTED"
    rows = client.query(f'from(bucket: "{target}") |> range(start: 0) |> sort(columns: ["_time"])')
    assert [(row["_time"], row["_value"]) for row in rows] == [
        (START, 15.0),
        (START + timedelta(minutes=30), 89.0),
    ]


@pytest.mark.parametrize("returned", [None, "", "  ", 7, ("buckets()", None), ("buckets()", {}, 3)])
def test_task_fails_with_the_fix_when_the_function_returns_no_flux(returned: Any) -> None:
    with pytest.raises(AirflowFailException, match="return the script"):
        make_task(lambda: returned, task_id="ask").execute(make_context())
