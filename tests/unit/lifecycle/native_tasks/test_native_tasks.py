"""Records, drift, windows and history of tasks of InfluxDB, without a server."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError, TaskNotFound, WindowMisaligned
from airflow_provider_influx_rollup.lifecycle.native_tasks.changes import (
    Action,
    WantedTask,
    change_of,
    removal_of,
)
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import oldest_of, task_of_name
from airflow_provider_influx_rollup.lifecycle.native_tasks.record import (
    MARK,
    DeployRecord,
    obsolete_labels,
    record_of,
    script_hash,
)
from airflow_provider_influx_rollup.lifecycle.native_tasks.windows import due_at, grid_of, windows_of
from airflow_provider_influx_rollup.lifecycle.rollup.native_record import ComputingRecord
from airflow_provider_influx_rollup.lifecycle.task_history.task_history import (
    TaskHistory,
    histories,
    task_history,
)
from airflow_provider_influx_rollup.steps.tasks import ListRuns, ListTasks, NativeTask, TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval

HOUR = timedelta(hours=1)
START = datetime(2025, 3, 29, 22, tzinfo=UTC)
FLUX = 'option task = {name: "t", every: 1h}\nx = 1\n'


def record(**values: Any) -> DeployRecord:
    return DeployRecord(
        **{"script": script_hash(FLUX), "status": "active", "dag_id": "d", "every": "1h", **values}
    )


def task(**values: Any) -> NativeTask:
    return NativeTask(
        **{
            "id": "01",
            "name": "t",
            "flux": FLUX,
            "status": "active",
            "description": record().description(),
            **values,
        }
    )


def wanted(flux: str = FLUX, **values: Any) -> WantedTask:
    return WantedTask("t", flux, record(script=script_hash(flux), **values), flux)


@given(
    values=st.fixed_dictionaries(
        {"dag_id": st.text(), "pipeline": st.text(), "timezone": st.text(min_size=1)}
    )
)
def test_a_record_is_read_from_the_description_that_it_has_written(values: dict[str, str]) -> None:
    made = record(**values)
    assert record_of(task(description=made.description())) == made


@pytest.mark.parametrize(
    "description",
    [
        "",
        "hourly mean of all sensors",
        f"my {record().description()}",
        f"{record().description()} and more",
        MARK,
        f"{MARK}[1]",
        f"{MARK}{{}}",
        MARK + json.dumps({"script": 1, "status": "active"}),
        MARK + json.dumps({"script": "x", "status": "active", "unknown": "y"}),
    ],
)
def test_a_description_of_somebody_else_is_no_record(description: str) -> None:
    assert record_of(task(description=description)) is None


def test_the_hash_is_that_of_the_bytes_of_the_whole_script() -> None:
    assert script_hash("tägl") == hashlib.sha256("tägl".encode()).hexdigest()
    assert script_hash("a\n") != script_hash("a\r\n")
    assert record().matches(task())
    assert not record().matches(task(flux=FLUX + " "))
    assert not record().matches(task(status="inactive"))


def test_labels_tell_the_dag_and_the_pipeline_and_replace_their_own_kind_only() -> None:
    made = record(dag_id="e", pipeline="p")
    assert made.labels() == ("influx-rollup", "dag:e", "pipeline:p")
    assert record(dag_id="").labels() == ("influx-rollup",)
    found = task(labels=("influx-rollup", "dag:d", "pipeline:p", "of a user"))
    assert obsolete_labels(found, made.labels()) == ("dag:d",)


@pytest.mark.parametrize(
    ("found", "flux", "values", "action", "parts"),
    [
        (None, FLUX, {}, Action.CREATED, ("flux", "status", "description")),
        (task(), FLUX, {}, Action.UNCHANGED, ()),
        (task(), FLUX + "y = 2\n", {}, Action.UPDATED, ("flux", "description")),
        (task(), FLUX, {"status": "inactive"}, Action.UPDATED, ("status", "description")),
        (task(), FLUX, {"pipeline": "p"}, Action.UPDATED, ("description",)),
        # by hand: the script, the status, the description alone
        (task(flux=FLUX + "z = 3\n"), FLUX, {}, Action.DRIFTED, ("flux",)),
        (task(status="inactive"), FLUX, {}, Action.DRIFTED, ("status",)),
        (task(description="mine"), FLUX, {}, Action.ADOPTED, ("description",)),
        (task(description="mine", flux="x"), FLUX, {}, Action.DRIFTED, ("flux", "description")),
        # somebody has made the change that is deployed now
        (task(flux=FLUX + "y = 2\n"), FLUX + "y = 2\n", {}, Action.UPDATED, ("description",)),
    ],
)
def test_what_a_deploy_does_follows_from_what_is_there(
    found: NativeTask | None, flux: str, values: dict[str, Any], action: Action, parts: tuple[str, ...]
) -> None:
    change = change_of(found, wanted(flux, **values))
    assert (change.action, change.parts) == (action, parts)
    asked = change_of(found, wanted(flux, **values), overwrite=True)
    assert asked.action is (Action.UPDATED if action is Action.DRIFTED and record_of(found) else asked.action)  # type: ignore[arg-type]
    assert asked.action is not Action.DRIFTED


def test_the_difference_is_unified_and_has_the_status() -> None:
    change = change_of(task(), wanted(FLUX.replace("x = 1", "x = 2"), status="inactive"))
    assert change.diff.splitlines() == [
        "--- InfluxDB",
        "+++ deploy",
        "@@ -1,3 +1,3 @@",
        "-// status: active",
        "+// status: inactive",
        ' option task = {name: "t", every: 1h}',
        "-x = 1",
        "+x = 2",
    ]


def test_a_removal_needs_the_task_as_it_was_deployed() -> None:
    assert removal_of(None).action is Action.UNCHANGED
    assert removal_of(task()).action is Action.DELETED
    # a paused task is still the one that was deployed
    assert removal_of(task(status="inactive")).action is Action.DELETED
    for other in (task(flux="x"), task(description="mine")):
        assert removal_of(other).action is Action.DRIFTED
        assert removal_of(other, overwrite=True).action is Action.DELETED


def test_the_oldest_of_several_stays_when_deploys_have_made_all() -> None:
    first, second = task(id="01"), task(id="02")
    assert oldest_of([]) == (None, ())
    assert oldest_of([first]) == (first, ())
    assert oldest_of([first, second]) == (first, [second])
    with pytest.raises(ConfigurationError, match=r"2 tasks .*01, 02"):
        oldest_of([first, task(id="02", flux="x")])


def test_a_task_that_is_not_there_is_told() -> None:
    steps = task_of_name("t")
    assert next(steps) == ListTasks("t")
    with pytest.raises(TaskNotFound, match="no task 't'"):
        steps.send([])


def test_windows_are_those_of_v_and_else_those_of_every() -> None:
    day = Interval(datetime(2025, 3, 29, 23, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC))
    local = task(description=record(every="1d", timezone="Europe/Berlin").description(), every="1h")
    assert windows_of(local, day) == [day]
    with pytest.raises(WindowMisaligned):
        windows_of(local, Interval(day.start, day.stop + HOUR))
    # changed by hand: what the description says is not known to be so any more
    assert len(windows_of(dataclasses.replace(local, flux="x"), day)) == 23
    cron = task(description="", cron="0 * * * *")
    assert grid_of(cron) is None
    assert windows_of(cron, day) == [day]


def test_a_window_is_due_when_its_offset_has_passed() -> None:
    window = Interval(START, START + HOUR)
    assert due_at(task(), window) == window.stop
    assert due_at(task(offset="10m"), window) == window.stop + timedelta(minutes=10)


def run(number: int, status: str, identity: str = "") -> TaskRun:
    at = START + number * HOUR
    return TaskRun(id=identity or f"r{number}", task_id="01", status=status, scheduled_for=at)


def history(found: NativeTask, pages: list[list[TaskRun]], now: datetime, hours: int = 4) -> TaskHistory:
    steps = task_history(found, Interval(START, START + hours * HOUR), now)
    asked = next(steps)
    for page in pages[:-1]:
        assert isinstance(asked, ListRuns)
        asked = steps.send(page)
    with pytest.raises(StopIteration) as ended:
        steps.send(pages[-1])
    told = ended.value.value
    assert isinstance(told, TaskHistory)
    return told


def test_missed_windows_are_due_made_after_the_task_and_without_a_success() -> None:
    found = task(every="1h", offset="10m", created_at=START + HOUR + timedelta(minutes=10))
    runs = [
        run(1, "failed"),
        run(2, "failed"),
        run(2, "success", "again"),
        run(3, "canceled"),
        run(9, "success"),
    ]
    told = history(found, [runs], START + 4 * HOUR + timedelta(minutes=9))
    assert [one.id for one in told.runs] == ["r1", "again", "r2", "r3"]
    # the first was due when the task was made; the last is not due yet
    assert [one.stop - START for one in told.missed] == [HOUR, 3 * HOUR]
    later = dataclasses.replace(found, created_at=START + 3 * HOUR)
    told = history(later, [runs], START + 5 * HOUR)
    assert [one.stop - START for one in told.missed] == [3 * HOUR, 4 * HOUR]


def test_all_pages_of_runs_are_read() -> None:
    first = [run(1, "success", f"a{number}") for number in range(499)] + [run(2, "success", "b0")]
    second = [run(2, "success", "b0"), run(2, "failed", "b1"), run(3, "success")]
    told = history(task(every="1h"), [first, second], START + 4 * HOUR)
    assert len(told.runs) == 502
    assert [one.stop - START for one in told.missed] == [4 * HOUR]


def test_no_window_of_a_cron_is_missed() -> None:
    assert history(task(description="", cron="0 * * * *"), [[]], START + 4 * HOUR).missed == ()


def test_histories_of_all_tasks_leave_out_those_that_compute_for_a_rollup() -> None:
    own, computing = task(every="1h"), task(id="02", name="influx-rollup computes p")
    record_of_rollup = ComputingRecord(
        pipeline="p", run="", claim="c", ledger_bucket="l", measurement="m",
        start=START.isoformat(), stop=(START + HOUR).isoformat(), made_at=START.isoformat(),
    )  # fmt: skip
    computing = dataclasses.replace(computing, description=record_of_rollup.description())
    steps = histories(None, Interval(START, START + 3 * HOUR), START + 4 * HOUR)
    assert next(steps) == ListTasks()
    asked = steps.send([own, computing])
    assert isinstance(asked, ListRuns)
    assert asked.task_id == own.id
    timed = dataclasses.replace(
        run(1, "success"), started_at=START + HOUR, finished_at=START + HOUR + timedelta(seconds=2)
    )
    with pytest.raises(StopIteration) as ended:
        steps.send([timed, run(2, "failed")])
    told = ended.value.value.as_json()
    assert (told["runs"], told["errors"], told["missed"], told["run_seconds"]) == (2, 1, 2, [2.0])
    assert [one["stop"] for one in told["tasks"][0]["missed_windows"]] == [
        "2025-03-30T00:00:00Z",
        "2025-03-30T01:00:00Z",
    ]
