"""The gate's steps, driven by hand over syntax trees that a real server made."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxRollupError,
    InfluxUnauthorized,
    InfluxUnavailable,
    QueryFailed,
    ScriptInvalid,
    ScriptUnbounded,
)
from airflow_provider_influx_rollup.lifecycle.rollup_script.dry_run import EMPTY_TIME
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import ScriptVerdict, plan_gate
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query, Report
from airflow_provider_influx_rollup.steps.step import Step
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "flux" / "recorded" / "scripts.json").read_text()
)
WINDOW = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=UTC))
PUSHED = [{"flux/query-plan": 'digraph {\n  "ReadWindowAggregateByTime10"\n  "to7"\n}\n'}]


def judge(name: str, dry_run: Any = PUSHED, **options: Any) -> tuple[ScriptVerdict, list[Step]]:
    """Drive the gate; ``dry_run`` is what the server answers, or the error it raises."""
    entry = RECORDED[name]
    gate = plan_gate(entry["script"], window=WINDOW, window_period=Duration.parse("1h"), **options)
    steps: list[Step] = []
    answer: Any = None
    while True:
        try:
            step = gate.throw(answer) if isinstance(answer, Exception) else gate.send(answer)
        except StopIteration as end:
            return end.value, steps
        steps.append(step)
        answers = {ParseScript: entry["syntax_tree"], Query: dry_run}
        answer = answers.get(type(step))


def test_the_script_is_sent_unchanged_over_a_time_without_data_when_planned() -> None:
    verdict, (parse, query) = judge("published_mean")
    script = RECORDED["published_mean"]["script"]
    assert parse == ParseScript(script)
    assert isinstance(query, Query)
    assert query.flux == script
    assert query.now == EMPTY_TIME.stop
    assert EMPTY_TIME.stop.year == 1800
    assert query.extern is not None
    assert [statement["type"] for statement in query.extern["body"]] == ["OptionStatement"] * 2
    assert verdict.plan is not None
    assert verdict.warnings == ()


@pytest.mark.parametrize(
    "name", ["options", "unbounded", "ranges", "same_bucket", "published_last", "endless"]
)
def test_nothing_is_run_when_the_syntax_tree_already_condemns_it(name: str) -> None:
    gate = plan_gate(RECORDED[name]["script"], window=WINDOW, window_period=Duration.parse("1h"))
    assert isinstance(next(gate), ParseScript)
    if name == "unbounded":
        # the server finds the pipeline without a range when it plans, before it reads
        assert isinstance(gate.send(RECORDED[name]["syntax_tree"]), Query)
        with pytest.raises(ScriptUnbounded):
            gate.throw(QueryFailed('cannot submit unbounded read to "a"', http_status=400))
    else:
        with pytest.raises(InfluxRollupError) as caught:
            gate.send(RECORDED[name]["syntax_tree"])
        assert caught.value.permanent
        assert caught.value.fix


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (QueryFailed("undefined identifier x", http_status=400), ScriptInvalid),
        (BucketNotFound('could not find bucket "b"', http_status=404), ScriptInvalid),
        (QueryFailed("cannot submit unbounded read", http_status=400), ScriptUnbounded),
        (InfluxUnauthorized("unauthorized access", http_status=401), InfluxUnauthorized),
        (InfluxUnavailable("refused"), InfluxUnavailable),
    ],
)
def test_an_error_is_the_scripts_when_it_is_about_the_script(
    error: Exception, expected: type[InfluxRollupError]
) -> None:
    with pytest.raises(InfluxRollupError) as caught:
        judge("published_mean", dry_run=error)
    assert type(caught.value) is expected


def test_warnings_are_reported_when_there_are_any() -> None:
    verdict, steps = judge("shared_variable")
    reports = [step for step in steps if isinstance(step, Report)]
    assert [report.message for report in reports] == list(verdict.warnings)
    assert {report.level for report in reports} == {"warning"}
    assert "data = () => ..." in verdict.warnings[0]


def test_an_error_of_missing_rows_passes_when_the_script_extracts_them() -> None:
    verdict, _ = judge("extracts", dry_run=QueryFailed("index 0 out of range", http_status=400))
    assert verdict.plan is None
    with pytest.raises(ScriptInvalid):
        judge("extracts", dry_run=QueryFailed("undefined identifier y", http_status=400))
    with pytest.raises(ScriptInvalid):
        judge("published_mean", dry_run=QueryFailed("index 0 out of range", http_status=400))


def test_the_message_names_the_option_when_a_script_sets_v_itself() -> None:
    with pytest.raises(ScriptInvalid, match="remove the line that sets v"):
        judge("options")
