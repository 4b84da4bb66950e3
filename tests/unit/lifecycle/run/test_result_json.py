"""JSON of results to the letter: XCom values, events of triggers and answers of the command line that users' DAGs read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.ledger.validation import RuleResult
from airflow_provider_influx_rollup.lifecycle.archive.state import ArchivePlan, ArchiveState
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import CompletionEvent, Observation
from airflow_provider_influx_rollup.lifecycle.completeness.gaps import WindowCount, find_gap
from airflow_provider_influx_rollup.lifecycle.deadman.result import DeadmanResult, WrittenStatuses
from airflow_provider_influx_rollup.lifecycle.deadman.series_state import SeriesState, SeriesVerdict
from airflow_provider_influx_rollup.lifecycle.query.query import QueryAnswer
from airflow_provider_influx_rollup.lifecycle.restore.restore import RestorePlan
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import Check
from airflow_provider_influx_rollup.lifecycle.validate.result import ValidationResult
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))
BOUNDS = '"window": {"start": "2024-05-06T10:00:00Z", "stop": "2024-05-06T11:00:00Z"}'
A, B = (("device", "a"),), (("device", "b"),)


def test_answer_of_a_query() -> None:
    answer = QueryAnswer(WINDOW, 3, ({"_value": 1},), is_true=True)

    assert json.dumps(answer.as_json()) == (
        "{" + BOUNDS + ', "rows": 3, "first_rows": [{"_value": 1}], "is_true": true}'
    )


def deadman(written: WrittenStatuses) -> str:
    found = DeadmanResult(
        interval=WINDOW,
        check=Check("silent", "fleet"),
        expected=3,
        dead=[SeriesVerdict(B, SeriesState.STOPPED, START)],
        newly_dead=[],
        came_back=[SeriesVerdict(A, SeriesState.CAME_BACK, START)],
        retired=[],
        unexpected=1,
        is_silent=False,
        is_latest=True,
        written=written,
    )
    return json.dumps(found.as_json())


def test_findings_of_a_deadman() -> None:
    common = (
        "{" + BOUNDS + ', "check_id": "5a9b9fc8e986cc2f", "check_name": "silent", "expected": 3, "alive": 2, '
        '"dead_count": 1, "dead": [{"series": {"device": "b"}, "state": "stopped", "last_seen": "2024-05-06T10:00:00Z"}], '
        '"newly_dead_count": 0, "newly_dead": [], "came_back_count": 1, '
        '"came_back": [{"series": {"device": "a"}, "state": "came_back", "last_seen": "2024-05-06T10:00:00Z"}], '
        '"retired_count": 0, "retired": [], "unexpected": 1, "measurement_silent": false, "state": "dead", '
        '"is_latest": true, "statuses_written": '
    )

    assert deadman(WrittenStatuses(3)) == common + "3}"
    assert deadman(WrittenStatuses(0, is_dry_run=True)) == common + '0, "dry_run": true}'
    assert deadman(WrittenStatuses(0, "too old")) == common + '0, "statuses_note": "too old"}'


def test_event_of_a_sensor() -> None:
    counted = WindowCount(WINDOW, {A: 3}, 3)
    gap = find_gap(counted, expected=(A, B), cadence=None, min_completeness=1.0)
    event = CompletionEvent(
        interval=WINDOW,
        look=Observation([counted], [gap], []),
        watermark=START,
        upstream="p",
        upstream_incomplete=2,
    )

    assert json.dumps(event.as_json()) == (
        "{" + BOUNDS + ', "windows": 1, "rows": 3, "series": 1, "missing_series": [{"device": "b"}], '
        '"missing_series_count": 1, "watermark": "2024-05-06T10:00:00Z", "completeness": 0.5, "upstream": "p", '
        '"incomplete": [{' + BOUNDS + ', "why": "1 series missing: device=b"}], "incomplete_count": 1, '
        '"state": "partial", "upstream_incomplete": 2}'
    )


def validation(*, is_dry_run: bool) -> str:
    found = ValidationResult(
        validation="v",
        bucket="raw",
        measurement="fleet",
        interval=WINDOW,
        points=4,
        points_read=0,
        results=list[RuleResult](),
        notes=["n"],
        clean=None,
        seconds=1.23456,
        is_dry_run=is_dry_run,
    )
    return json.dumps(found.as_json())


def test_findings_of_a_validation() -> None:
    common = (
        '{"validation": "v", "bucket": "raw", "measurement": "fleet", ' + BOUNDS + ', "state": "ok", '
        '"points": 4, "points_read": 0, "violated": [], "quarantined": 0, "rules": [], "clean": null, '
        '"notes": ["n"], "checksums": {}, "seconds": 1.235'
    )

    assert validation(is_dry_run=False) == common + "}"
    assert validation(is_dry_run=True) == common + ', "dry_run": true}'


def test_plan_of_an_archive() -> None:
    spec = ArchiveSpec(org="o", bucket="raw", measurement="fleet", shown_path="/data")
    state = ArchiveState(WINDOW, rows=5, newest=None, is_purged=False)
    pipeline, folder = json.dumps(spec.pipeline), json.dumps(f"/data/{spec.folder}")

    assert json.dumps(ArchivePlan(spec, [state]).as_json()) == (
        "{" + BOUNDS + ', "windows": 1, "rows_in": 5, "due": 1, "state": "PLANNED", '
        f'"path": {folder}, "pipeline": {pipeline}, "dry_run": true}}'
    )


def test_plan_of_a_restore() -> None:
    spec = RestoreSpec(
        org="o",
        source_bucket="raw",
        measurement="fleet",
        shown_path="/data",
        target_org="o",
        target_bucket="back",
    )
    plan = RestorePlan(spec=spec, interval=WINDOW, sources=[], looks=[], gaps=[WINDOW], seconds=0.12345)
    pipeline, folder = json.dumps(spec.pipeline), json.dumps(f"/data/{spec.folder}")

    assert json.dumps(plan.as_json()) == (
        "{"
        + BOUNDS
        + ', "windows": 0, "rows_archived": 0, "bytes": 0, "equal": 0, "changed": 0, "unknown": 0, '
        '"examples": [], "lost": 0, "lost_series": [], "missing": [' + BOUNDS[len('"window": ') :] + "], "
        f'"state": "PLANNED", "path": {folder}, "seconds": 0.123, "pipeline": {pipeline}}}'
    )
