"""Questions to InfluxDB as tasks: rows, branches, short circuits, on a real InfluxDB."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, TaskDeferred
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.decorators.flux import flux_branch_task, flux_short_circuit_task
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxUnavailable
from airflow_provider_influx_rollup.operators.branch import FluxBranchOperator, FluxShortCircuitOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
PLACE: dict[str, Any] = {"influx_conn_id": "tele", "start": START, "stop": START + timedelta(hours=1)}
COUNT = """
from(bucket: params.bucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> group() |> count() |> map(fn: (r) => ({_value: r._value > params.most}))
"""


@pytest.fixture
def bucket(client: InfluxClient, bucket_factory: Callable[[], str]) -> str:
    """Three points in the hour, one after it."""
    name, first = bucket_factory(), int(START.timestamp()) * 10**9
    client.write_lines(name, [f"fleet temp={n}.5 {first + n * 1200 * 10**9}" for n in range(4)])
    return name


def followed_by(task: Any, **facts: Any) -> tuple[Any, Any, dict[str, Any]]:
    """What a task follows, its result, and what it pushed."""
    followed: list[Any] = []
    task.do_branch = lambda _context, ids: followed.append(ids)
    context = make_context(**facts)
    result = task.execute(context)
    return followed, result, context["ti"].pushed


def test_first_rows_are_returned_and_all_are_counted(bucket: str) -> None:
    flux = "from(bucket: params.bucket) |> range(start: v.timeRangeStart, stop: now())"
    task = FluxQueryOperator(task_id="ask", flux=flux, params_flux={"bucket": bucket}, first_rows=2, **PLACE)
    found = task.execute(make_context())
    assert (found["rows"], [row["_value"] for row in found["first_rows"]]) == (3, [0.5, 1.5])
    assert found["first_rows"][1]["_time"] == "2024-05-06T10:20:00Z"
    assert json.loads(json.dumps(found)) == found


def test_answer_is_the_same_when_the_triggerer_asks(bucket: str) -> None:
    given = {"flux": COUNT, "params_flux": {"bucket": bucket, "most": 2}, **PLACE}
    branches = {"follow_task_ids_if_true": "many", "follow_task_ids_if_false": ["few", "none"]}
    direct = followed_by(FluxBranchOperator(task_id="b", **branches, **given))
    assert direct[0] == ["many"]
    assert direct[1]["is_true"] is True
    assert direct[2]["return_value"] == direct[1]
    task = FluxBranchOperator(task_id="b", deferrable=True, **branches, **given)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(make_context())
    followed: list[Any] = []
    task.do_branch = lambda _context, ids: followed.append(ids)  # type: ignore[method-assign, assignment]
    event = fire(reborn(deferred.value.trigger))
    assert task.execute_complete(make_context(), event) == direct[1]
    assert followed == ["many"]


@pytest.mark.parametrize(("most", "ids"), [(2, "many"), (3, None)])
def test_nothing_is_followed_when_the_branch_of_the_answer_has_no_task(
    bucket: str, most: int, ids: Any
) -> None:
    task = FluxBranchOperator(
        task_id="b",
        flux=COUNT,
        params_flux={"bucket": bucket, "most": most},
        follow_task_ids_if_true="many",
        **PLACE,
    )
    assert followed_by(task)[0] == [ids]


@pytest.mark.parametrize(("most", "skips"), [(2, []), (3, [None])])
def test_short_circuit_skips_all_only_when_the_answer_is_false(
    bucket: str, most: int, skips: list[Any]
) -> None:
    params = {"bucket": bucket, "most": most}
    task = FluxShortCircuitOperator(task_id="s", flux=COUNT, params_flux=params, **PLACE)
    followed, result, _ = followed_by(task)
    assert (followed, result["is_true"]) == (skips, not skips)


def test_functions_make_branches_and_short_circuits(bucket: str) -> None:
    def ask(ti: Any) -> tuple[str, dict[str, Any]]:
        return COUNT, {"bucket": bucket, "most": ti.try_number + 1}

    branch: Any = flux_branch_task(follow_task_ids_if_false="few", **PLACE)
    circuit: Any = flux_short_circuit_task(**PLACE)
    for decorate, most, followed in (
        (branch, 1, [None]),
        (branch, 2, ["few"]),
        (circuit, 1, []),
        (circuit, 2, [None]),
    ):
        context = make_context()
        context["ti"].try_number = most
        task = decorate(ask)().operator
        seen: list[Any] = []
        task.do_branch = lambda _context, ids, seen=seen: seen.append(ids)
        task.execute(context)
        assert seen == followed


def test_errors_decide_whether_airflow_tries_again() -> None:
    with pytest.raises(AirflowFailException, match="undefined identifier"):
        FluxQueryOperator(task_id="ask", flux="nonsense()", **PLACE).execute(make_context())
    with pytest.raises(AirflowFailException, match="first_rows"):
        FluxQueryOperator(task_id="ask", flux="buckets()", first_rows=-1, **PLACE).execute(make_context())
    unreachable = FluxQueryOperator(task_id="ask", flux="buckets()", **(PLACE | {"influx_conn_id": "down"}))
    with pytest.raises(InfluxUnavailable):
        unreachable.execute(make_context())


def test_branch_is_refused_when_it_has_nothing_to_follow() -> None:
    with pytest.raises(ConfigurationError, match="no task to follow"):
        FluxBranchOperator(task_id="b", flux="buckets()", **PLACE)
