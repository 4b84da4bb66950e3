"""What people read before they approve a purge, and what becomes of their answer."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import Purged, PurgeResult
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.doc_blocks import CHECKOUT

pytest.importorskip("airflow.sdk")

DAY = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
NEXT = Interval(DAY.stop, datetime(2026, 1, 3, tzinfo=UTC))


@pytest.fixture(scope="module")
def dag() -> Any:
    path = CHECKOUT / "example_dags/approved_purge.py"
    spec = importlib.util.spec_from_file_location("approved_purge", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.approve.dag


def result(refused: bool) -> dict[str, Any]:
    """What a dry run of the purge returns."""
    archive = ArchiveSpec(org="acme", bucket="raw_telemetry", measurement="m", shown_path="/archive")
    why = InfluxRollupError("pipeline readings_1h is not COMMITTED")
    found = PurgeResult(
        spec=PurgeSpec(archive=archive, require_pipelines=("readings_1h",)),
        interval=Interval(DAY.start, NEXT.stop),
        purged=(Purged(window=DAY, rows=1234, series=7),),
        refused=((NEXT, str(why)),) if refused else (),
        dry_run=True,
        seconds=1.0,
    )
    return found.as_json()


@pytest.mark.parametrize("refused", [False, True])
def test_question_tells_what_would_go_and_what_would_not(dag: Any, refused: bool) -> None:
    approve = dag.get_task("approve")
    ti = SimpleNamespace(xcom_pull=lambda task_ids: result(refused) if task_ids == "look" else None)
    subject, body = (approve.render_template(text, {"ti": ti}) for text in (approve.subject, approve.body))
    assert subject == "Delete 1234 points of raw_telemetry?"
    assert (
        "**1234 points** of 7 series in 1 windows from 2026-01-01T00:00:00Z to 2026-01-03T00:00:00Z" in body
    )
    assert ("not 2026-01-02T00:00:00Z: pipeline readings_1h is not COMMITTED" in body) is refused


def test_nobody_deletes_before_the_question_is_answered(dag: Any) -> None:
    look, approve, purge = (dag.get_task(name) for name in ("look", "approve", "purge"))
    assert (look.is_dry_run, purge.is_dry_run) == (True, False)
    assert look.downstream_task_ids == {"approve"}
    assert approve.downstream_task_ids == {"purge"}
    assert approve.defaults == ["Reject"]
    same = ("bucket", "measurement", "path", "every", "require_pipelines", "min_age", "quiet_for", "delay")
    assert [getattr(look, name) for name in same] == [getattr(purge, name) for name in same]
