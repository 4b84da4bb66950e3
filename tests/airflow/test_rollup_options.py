"""Options of a rollup as a DAG gives them, and what a run knows of its tries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxUnavailable,
    SourceChanging,
    WriteRejected,
)
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.operators._several import each_in_turn
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

pytestmark = pytest.mark.airflow

DECLARED = {"source_bucket": "raw", "measurement": "m", "every": "1h", "aggregates": ["count"]}


def rollup(**more: Any) -> FluxRollupOperator:
    return FluxRollupOperator(task_id="t", target_bucket="rolled", **{**DECLARED, **more})


def test_options_are_plain_values_when_templates_render_to_text() -> None:
    task = rollup(
        heal="{{ params.heal }}",
        heal_max_windows="{{ params.most }}",
        force="{{ dag_run.conf.get('force', False) }}",
        windows_per_block="{{ params.block }}",
    )
    context = {
        "params": {"heal": "7d", "most": 12, "block": None},
        "dag_run": SimpleNamespace(conf={"force": True}),
    }
    task.render_template_fields(context)  # type: ignore[arg-type]
    assert task.options() == RollupOptions(heal="7d", heal_max_windows=12, force=True)


def test_options_are_the_defaults_when_nothing_is_given() -> None:
    assert rollup().options() == RollupOptions()


@pytest.mark.parametrize(
    "given",
    [
        {"heal": "seven days"},
        {"heal_max_windows": "many"},
        {"force": "perhaps"},
        {"windows_per_block": 0},
        {"on_window_error": "ignore"},
        {"lateness": "1mo"},
        {"tags": {"floor": 5}},
        {"aggregates": {"temp": None}},
        # no template: any text would write nothing, in each run
        {"dry_run": "{{ dag_run.conf.get('dry_run', False) }}"},
    ],
)
def test_dag_is_refused_when_an_option_is_not_possible(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        rollup(**given)


@pytest.mark.parametrize("given", [{"heal": "7d"}, {"force": True}, {"windows_per_block": 3}])
def test_dag_is_refused_when_a_script_is_to_do_what_only_a_declared_rollup_can(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="flux and"):
        FluxRollupOperator(task_id="t", target_bucket="b", flux="from()", **given)


@dataclass
class TaskInstance:
    """What Airflow tells of a try."""

    try_number: int
    max_tries: int
    retries: int
    dag_id: str = "d"
    task_id: str = "t"
    run_id: str = "r"
    map_index: int = -1

    @property
    def task(self) -> SimpleNamespace:
        return SimpleNamespace(retries=self.retries)


@pytest.mark.parametrize(
    ("ti", "first"),
    [
        (TaskInstance(1, 2, 2), 1),
        (TaskInstance(3, 2, 2), 1),
        # cleared after the third try: Airflow adds the tries so far to the retries
        (TaskInstance(4, 5, 2), 4),
        (TaskInstance(5, 5, 2), 4),
        (TaskInstance(2, 1, 0), 2),
        (TaskInstance(1, 0, 5), 1),
    ],
)
def test_first_try_is_the_one_after_the_last_clear(ti: TaskInstance, first: int) -> None:
    assert run_info({"ti": ti}).first_try == first


LOGICAL = datetime(2025, 3, 7, 5, tzinfo=UTC)


def began(run_start: datetime | None, clear_number: int | None = 0) -> str:
    dag_run = SimpleNamespace(start_date=run_start, logical_date=LOGICAL, clear_number=clear_number)
    return run_info({"ti": SimpleNamespace(run_id="r"), "dag_run": dag_run}).began


def test_run_is_told_from_another_of_its_name_by_when_it_began() -> None:
    later = LOGICAL + timedelta(days=1)
    assert began(later) == began(later) == "2025-03-08T05:00:00+00:00"
    # airflow dags test says the logical date, each time
    assert len({began(LOGICAL), began(LOGICAL), began(None), LOGICAL.isoformat()}) == 4
    assert run_info({"ti": SimpleNamespace(run_id="r")}).began == ""


def test_run_is_another_when_a_task_of_it_was_cleared() -> None:
    later = LOGICAL + timedelta(days=1)
    # a task that is cleared while it runs keeps its numbers of tries
    assert len({began(later), began(later, 1), began(later, 2)}) == 3
    assert began(later) == began(later, None)


def test_other_measurements_go_on_when_one_fails() -> None:
    told: list[str] = []
    ran: list[str] = []

    def failing(error: Exception) -> dict[str, Any]:
        raise error

    permanent = AirflowFailException("WriteRejected: refused")
    permanent.__cause__ = WriteRejected("refused")
    changing = SourceChanging("points came")
    runs = [
        lambda: failing(permanent),
        lambda: failing(changing),
        lambda: {"ran": ran.append("third")},
    ]
    with pytest.raises(SourceChanging):
        each_in_turn(runs, fails_fast=False, tell=told.append)
    assert ran == ["third"]
    assert len(told) == 2
    with pytest.raises(AirflowFailException):
        each_in_turn([runs[0], runs[2]], fails_fast=False, tell=told.append)
    with pytest.raises(AirflowFailException):
        each_in_turn(runs, fails_fast=True, tell=told.append)
    away = InfluxUnavailable("connection refused")
    with pytest.raises(InfluxUnavailable):
        each_in_turn([lambda: failing(away), runs[2]], fails_fast=False, tell=told.append)
    assert ran == ["third", "third"]
