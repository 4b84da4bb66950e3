"""An alarm of a task's window is raised each time, and cleared once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.flux.deadman import LastStatuses, WrittenStatus
from airflow_provider_influx_rollup.flux.series import series_of
from airflow_provider_influx_rollup.lifecycle.statuses.task_alarm import TaskOfWindow, tell_status
from airflow_provider_influx_rollup.steps.influx import Report, Write
from tests.scenes.scripted_driver import Answers, Script

NOW = datetime(2025, 3, 8, 12, tzinfo=UTC)
TASK = TaskOfWindow("fleet", "rollup", "2025-03-08T11:00:00Z")
OTHER = TaskOfWindow("fleet", "rollup", "2025-03-08T10:00:00Z")
TOLD: Answers = [(Write, None), (Report, None)]


def written(task: TaskOfWindow, level: str, minutes_ago: int) -> WrittenStatus:
    return WrittenStatus(task.series, level, NOW - timedelta(minutes=minutes_ago))


def test_failure_is_written_without_a_look_at_what_was_before() -> None:
    script = Script(tell_status("statuses", TASK, "crit", "rollup failed", NOW), TOLD)
    assert script.run() is True
    write, report = script.asked
    assert isinstance(write, Write)
    (line,) = write.lines
    assert write.bucket == "statuses"
    assert line.startswith("statuses,")
    assert "_level=crit" in line
    assert "window=2025-03-08T11:00:00Z" in line
    assert '_message="rollup failed"' in line
    assert line.endswith(f" {int(NOW.timestamp())}000000000")
    assert report == Report("status crit of airflow fleet written to statuses")


@pytest.mark.parametrize(
    "before",
    [
        [],
        [written(TASK, "crit", 9), written(TASK, "ok", 3)],
        [written(OTHER, "crit", 3)],
    ],
    ids=["never failed", "cleared already", "another window failed"],
)
def test_success_leaves_no_trace_when_there_is_nothing_to_clear(before: list[WrittenStatus]) -> None:
    script = Script(tell_status("statuses", TASK, "ok", "rollup succeeded", NOW), [(LastStatuses, before)])
    assert script.run() is False
    (query,) = script.asked
    assert isinstance(query, LastStatuses)
    assert query.interval.start == NOW - timedelta(days=90)
    assert query.interval.stop > NOW


def test_success_clears_the_alarm_when_the_last_status_was_one() -> None:
    before = [written(TASK, "ok", 9), written(TASK, "warn", 3), written(OTHER, "ok", 1)]
    script = Script(
        tell_status("statuses", TASK, "ok", "rollup succeeded", NOW), [(LastStatuses, before), *TOLD]
    )
    assert script.run() is True
    write = script.asked[1]
    assert isinstance(write, Write)
    (line,) = write.lines
    assert "_level=ok" in line
    assert '_message="rollup succeeded, after warn"' in line


def test_mapped_tasks_are_series_of_their_own() -> None:
    mapped = TaskOfWindow("fleet", "rollup", "w", map_index=2)
    assert mapped.series == series_of(
        {"dag_id": "fleet", "task_id": "rollup", "window": "w", "map_index": "2"}
    )
