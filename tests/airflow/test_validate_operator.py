"""The validation as a task sees it, on a real InfluxDB, and wrong rules while DAG files are parsed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
    load_dags,
)
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, RuleInvalid
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.validation.value_rules import RangeRule
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
STOP = START + timedelta(hours=1)
NS = 10**9
RULES = [RangeRule(field="temp", low=-40, high=85), {"rule": "stuck", "field": "temp", "points": 5}]


@pytest.fixture
def buckets(client: InfluxClient, bucket_factory: Callable[[], str]) -> dict[str, str]:
    """A bucket with one value that is too high, one for copies, and a ledger."""
    names = {name: bucket_factory() for name in ("bucket", "quarantine_bucket", "ledger_bucket")}
    start = int(START.timestamp()) * NS
    client.write_lines(names["bucket"], [f"m,d=a temp={20 + n * 30} {start + n}" for n in range(4)])
    return names


def make_operator(**kwargs: Any) -> FluxValidateOperator:
    settings = {
        "start": START,
        "stop": STOP,
        "influx_conn_id": "tele",
        "rules": RULES,
        "bucket": "raw",
    } | kwargs
    return FluxValidateOperator(task_id="validate", measurement="m", **settings)


def test_findings_are_small_json_when_a_rule_is_violated(buckets: dict[str, str]) -> None:
    operator = make_operator(**buckets, start=None, stop=None, on_failure="quarantine")
    result = operator.execute(make_context(data_interval_start=START, data_interval_end=STOP))
    assert json.loads(json.dumps(result)) == result
    assert result["window"] == {"start": "2024-05-06T10:00:00Z", "stop": "2024-05-06T11:00:00Z"}
    assert (result["state"], result["violated"], result["quarantined"]) == ("violated", ["range:temp"], 1)
    assert result["rules"][0]["examples"] == [
        {"time": "2024-05-06T10:00:00.000000003Z", "tags": {"d": "a"}, "field": "temp", "value": 110.0}
    ]


@pytest.mark.parametrize(
    ("on_failure", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_task_fails_or_skips_and_keeps_its_findings_when_asked_to(
    buckets: dict[str, str], on_failure: str, error: type[Exception]
) -> None:
    context = make_context()
    told = r"1 of 2 rules are violated in .*/m of \[2024-05-06T10.*: range:temp \(1 points\); 1 values are in quar"
    with pytest.raises(error, match=told):
        make_operator(**buckets, on_failure=on_failure).execute(context)
    assert context["ti"].pushed["return_value"]["violated"] == ["range:temp"]


@pytest.mark.parametrize("change", [{"on_failure": "warn"}, {"rules": [{**RULES[1]}]}], ids=str)
def test_task_succeeds_when_violations_only_warn_or_there_are_none(
    buckets: dict[str, str], change: dict[str, Any]
) -> None:
    assert make_operator(**buckets, **change).execute(make_context())["points"] == 4


def test_rule_of_severity_warning_does_not_fail_when_it_is_violated(buckets: dict[str, str]) -> None:
    rules = [RangeRule(field="temp", high=85, severity="warning")]
    result = make_operator(**buckets, rules=rules).execute(make_context())
    assert (result["state"], result["violated"]) == ("ok", ["range:temp"])


@pytest.mark.parametrize(("limit", "followed"), [(85, "bad"), (500, "good")])
def test_branch_follows_the_verdict_when_both_ways_are_given(
    buckets: dict[str, str], mocker: MockerFixture, limit: float, followed: str
) -> None:
    branch = {"follow_task_ids_if_valid": "good", "follow_task_ids_if_invalid": "bad"}
    rules = [RangeRule(field="temp", high=limit)]
    operator = make_operator(**buckets, **branch, rules=rules, on_failure="branch")
    do_branch = mocker.patch.object(operator, "do_branch", autospec=True)
    context = make_context()
    operator.execute(context)
    do_branch.assert_called_once_with(context, followed)
    assert context["ti"].pushed["return_value"]["points"] == 4


def test_result_is_the_same_when_it_runs_in_the_triggerer(buckets: dict[str, str]) -> None:
    changes = [{"transform": "rename_field", "field": "temp", "to": "t"}]
    more = {"clean_bucket": f"{buckets['bucket']}_clean", "transformations": changes, "on_failure": "warn"}
    direct = make_operator(**buckets, **more).execute(make_context())
    operator = make_operator(**buckets, **more, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    event = fire(reborn(deferred.value.trigger))
    result = operator.execute_complete(make_context(), event)
    assert result | {"seconds": 0} == direct | {"seconds": 0}
    assert direct["clean"] == {"written": 3, "lost": 0, "merged": 0}


@pytest.mark.parametrize(
    ("settings", "error", "what"),
    [
        ({"on_failure": "explode"}, ConfigurationError, "on_failure"),
        ({"on_failure": "quarantine"}, ConfigurationError, "quarantine_bucket"),
        ({"on_failure": "branch"}, ConfigurationError, "follow"),
        ({"rules": [{"rule": "rangee"}]}, RuleInvalid, "rule number 1: there is no rule 'rangee'"),
        (
            {"rules": "- rule: future\n- rule: stuck\n"},
            RuleInvalid,
            "rules, line 2: rule 'stuck' lacks field",
        ),
        ({"rules": []}, RuleInvalid, "no rules"),
        ({"transformations": [{"transform": "turn"}]}, RuleInvalid, "transformation number 1"),
    ],
    ids=str,
)
def test_operator_is_refused_when_a_parameter_is_not_possible(
    settings: dict[str, Any], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        make_operator(**settings)


def test_rules_are_checked_in_the_run_when_a_template_makes_them(buckets: dict[str, str]) -> None:
    operator = make_operator(**buckets, rules="- rule: range\n  field: temp\n  high: {{ params.high }}\n")
    operator.rules = operator.rules.replace("{{ params.high }}", "hot")
    with pytest.raises(AirflowFailException, match="RuleInvalid: rules, line 3: rule 'range': high='hot'"):
        operator.execute(make_context())


DAG_FILE = """
from __future__ import annotations
from datetime import UTC, datetime
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator

with DAG("{name}", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
    FluxValidateOperator(task_id="validate", bucket="raw", measurement="m", rules="rules/{name}.yaml")
"""


def test_file_and_line_are_an_import_error_when_rules_of_a_file_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    files = {
        "good": "- rule: range\n  field: temp\n  high: 85\n",
        "wrong": "- rule: future\n\n- rule: range\n  field: temp\n  high: hot\n",
        "templated": "- rule: range\n  field: temp\n  high: {{ params.high }}\n",
    }
    for name, text in files.items():
        (tmp_path / f"rules/{name}.yaml").write_text(text)
    for name in (*files, "lacking"):
        (tmp_path / f"{name}.py").write_text(DAG_FILE.format(name=name))
    dags, errors = load_dags(str(tmp_path))
    assert set(dags) == {"good", "templated"}
    assert dags["good"].get_task("validate").rules == files["good"]
    told = {Path(path).stem: text for path, text in errors.items()}
    assert set(told) == {"wrong", "lacking"}
    assert "RuleInvalid: rules/wrong.yaml, line 5: rule 'range': high='hot' is not a number" in told["wrong"]
    assert "rules/lacking.yaml' cannot be read" in told["lacking"]
