"""The lateness report as a task sees it, on a real InfluxDB."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.operators.lateness import LatenessReportOperator
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY_AFTER = datetime(2024, 5, 7, tzinfo=UTC)


@pytest.fixture
def ledger(client: InfluxClient, bucket_factory: Callable[[], str]) -> str:
    """A pipeline whose first window got a tenth of its points an hour late, and whose second got all in time."""
    source, target, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    spec = RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="fleet",
        grid=GridSpec("1h"),
        aggregates=("sum",),
        lateness="5m",
        pipeline="$fleet$",
        ledger_bucket=ledger,
    )

    def deliver(first: int, stop: int) -> None:
        begin = int(START.timestamp())
        lines = [f"fleet,device=d temp=1 {begin + minute * 60}000000000" for minute in range(first, stop)]
        client.write_lines(source, lines)

    def roll(hour: int, after: timedelta) -> None:
        window = Interval(START + hour * HOUR, START + (hour + 1) * HOUR)
        drive(roll_up(spec, window, RunInfo(), lambda: window.stop + after), client, lambda _report: None)

    deliver(6, 60)
    roll(0, timedelta(minutes=6))
    deliver(60, 120)
    roll(1, timedelta(minutes=6))
    deliver(0, 6)
    roll(0, timedelta(minutes=66))
    return ledger


def make_operator(ledger: str, **more: Any) -> LatenessReportOperator:
    settings = {"influx_conn_id": "tele", "ledger_bucket": ledger, "pipeline": "$fleet$", "lookback": "1d"}
    return LatenessReportOperator(task_id="lateness", **(settings | more))


def test_report_is_small_json_when_some_points_were_late(ledger: str, tmp_path: Path) -> None:
    context = make_context(data_interval_start=DAY_AFTER - HOUR, data_interval_end=DAY_AFTER)
    picture = tmp_path / "new" / "lateness.png"
    result = make_operator(ledger, path=str(picture)).execute(context)
    assert json.loads(json.dumps(result)) == result
    assert result["interval"] == {"start": "2024-05-06T00:00:00Z", "stop": "2024-05-07T00:00:00Z"}
    (row,) = result["rows"]
    assert (row["pipeline"], row["measurement"], row["tags"]) == ("$fleet$", "fleet", {})
    assert (row["windows"], row["points"], row["late_points"]) == (2, 120, 6)
    assert row["late"]["100%"] == {"at_least": "6m", "at_most": "1h6m"}
    assert row["settings"]["99%"]["recommended"] == "1h6m"
    assert result["picture"] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_report_is_about_every_pipeline_when_none_is_named(ledger: str) -> None:
    context = make_context(data_interval_start=DAY_AFTER, data_interval_end=DAY_AFTER)
    result = make_operator(ledger, pipeline=None, group_by="device").execute(context)
    assert result["picture"] is None
    assert [row["tags"] for row in result["rows"]] == [None, {"device": "d"}]
    assert [row["late_points"] for row in result["rows"]] == [6, 0]


def test_task_fails_for_good_when_the_pipeline_is_unknown(ledger: str) -> None:
    context = make_context(data_interval_start=DAY_AFTER, data_interval_end=DAY_AFTER)
    with pytest.raises(AirflowFailException, match=r"named 'flete'.*those it knows: \$fleet\$"):
        make_operator(ledger, pipeline="flete").execute(context)


@pytest.mark.parametrize("settings", [{"lookback": "{{ '1 day' }}"}, {"watched_within": "{{ '-1h' }}"}])
def test_task_fails_for_good_when_a_duration_is_none(settings: dict[str, str]) -> None:
    context = make_context(data_interval_start=DAY_AFTER, data_interval_end=DAY_AFTER)
    task = make_operator("ledger", **settings)
    task.render_template_fields(context)
    with pytest.raises(AirflowFailException, match="InvalidDuration"):
        task.execute(context)


def test_task_fails_for_good_when_the_picture_cannot_be_written(ledger: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    context = make_context(data_interval_start=DAY_AFTER, data_interval_end=DAY_AFTER)
    with pytest.raises(AirflowFailException, match="cannot be written"):
        make_operator(ledger, path=str(tmp_path / "file" / "x.png")).execute(context)
