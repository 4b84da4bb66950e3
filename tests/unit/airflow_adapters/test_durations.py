"""Durations as a DAG gives them: texts, timedeltas and those of pendulum make the same tasks."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.serialization import serialized_objects

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, InvalidDuration
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.lateness import LatenessReportOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.query_batch import FluxQueryBatchOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor
from airflow_provider_influx_rollup.task_groups.lifecycle import Archive, Lifecycle, Tier
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.volume_rules import CadenceRule, FreshnessRule
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.airflow

DAY = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
SOURCE = {"bucket": "raw", "measurement": "m"}
ROLLUP = {"source_bucket": "raw", "target_bucket": "rolled", "measurement": "m", "aggregates": ["count"]}
ARCHIVE = {**SOURCE, "path": "/archive", "influx_conn_id": "tele"}
# Airflow 3 has two names for the two sides of a stored DAG
WRITER = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
# the same lengths, in each form
FORMS = {
    "timedelta": {
        "10m": timedelta(minutes=10),
        "1h": timedelta(hours=1),
        "6h": timedelta(hours=6),
        "1d": timedelta(days=1),
        "3d": timedelta(days=3),
    },
    "pendulum": {
        "10m": pendulum.duration(minutes=10),
        "1h": pendulum.duration(hours=1),
        "6h": pendulum.duration(hours=6),
        "1d": pendulum.duration(days=1),
        "3d": pendulum.datetime(2026, 1, 4) - pendulum.datetime(2026, 1, 1),
        "1mo": pendulum.duration(months=1),
        "1y": pendulum.duration(years=1),
    },
}
# an operator or sensor, its other parameters, its durations, and what it makes of them
STAGES: list[tuple[Any, dict[str, Any], dict[str, str], Any]] = [
    (
        FluxRollupOperator,
        ROLLUP,
        {"every": "1h", "period": "3d", "offset": "10m", "lateness": "10m", "heal": "3d"},
        lambda task: [task.specs()[0].as_json(), task.options().as_json()],
    ),
    (FluxRollupOperator, ROLLUP, {"every": "1mo", "offset": "6h"}, lambda task: task.specs()[0].as_json()),
    (
        FluxRollupOperator,
        {"target_bucket": "rolled", "flux": "from(bucket: 1)"},
        {"every": "1h", "lateness": "10m"},
        lambda task: task.script_spec().as_json(),
    ),
    (
        FluxReconcileOperator,
        ROLLUP,
        {"every": "1h", "period": "3d", "lateness": "10m", "lookback": "3d"},
        lambda task: task.reconcile_spec().as_json(),
    ),
    (
        FluxValidateOperator,
        {**SOURCE, "rules": [{"rule": "future"}]},
        {"lateness": "10m", "warm_up": "1h"},
        lambda task: task.spec(DAY).as_json(),
    ),
    (
        DeadmanCheckOperator,
        SOURCE,
        {"silence": "10m", "inventory_lookback": "3d", "retire_after": "1d"},
        lambda task: asdict(task.spec(DAY)),
    ),
    (DeadmanCheckOperator, SOURCE, {"every": "1h"}, lambda task: asdict(task.spec(DAY))),
    (
        LatenessReportOperator,
        {},
        {"watched_within": "1d", "lookback": "1mo"},
        lambda task: [asdict(task.spec()), task.lookback_interval(CONTEXT).as_json()],
    ),
    (FluxQueryOperator, {"flux": "x"}, {"every": "1h"}, lambda task: asdict(task.spec())),
    (
        FluxQueryBatchOperator,
        {"flux": "x"},
        {"every": "1h", "offset": "6h"},
        lambda task: asdict(task.spec()),
    ),
    (
        WindowCompleteSensor,
        {**SOURCE, "expected_series": "inventory", "pipeline": "p"},
        {
            "every": "1h",
            "offset": "10m",
            "lateness": "10m",
            "cadence": "10m",
            "watermark": "10m",
            "quiet_for": "10m",
            "accept_partial_after": "6h",
            "inventory_lookback": "3d",
            "retire_after": "1d",
        },
        lambda task: asdict(task.spec(DAY)),
    ),
    (
        CompactArchiveOperator,
        ARCHIVE,
        {"into": "1mo", "offset": "6h", "min_age": "1d", "delay": "1y"},
        lambda task: asdict(task.compact_specs()[0]),
    ),
    (
        ArchiveWindowOperator,
        ARCHIVE,
        {"every": "1h", "lateness": "10m"},
        lambda task: [
            [window.as_json() for window in task.windows_of(DAY)],
            task._declared(CONTEXT)[1][0].as_json(),
        ],
    ),
    (
        PurgeWindowOperator,
        {**ARCHIVE, "require_pipelines": "p"},
        {"every": "1d", "delay": "1mo", "quiet_for": "3d"},
        lambda task: [asdict(task.purge_specs()[0]), [window.as_json() for window in task.windows(DAY)]],
    ),
    (
        PurgeWindowOperator,
        {**ARCHIVE, "require_pipelines": "p"},
        {"min_age": "1y", "offset": "6h"},
        lambda task: [asdict(task.purge_specs()[0]), task.interval(CONTEXT).as_json()],
    ),
    (
        FluxQueryOperator,
        {"flux": "x"},
        {"window": "1mo", "offset": "6h"},
        lambda task: task.interval(
            {"data_interval_start": DAY.start, "data_interval_end": DAY.start}
        ).as_json(),
    ),
]
CONTEXT: Any = {"data_interval_start": DAY.start, "data_interval_end": DAY.stop}


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TELE", "influx-rollup://:token@localhost:8086/http?org=dev")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("stage", "others", "durations", "made_of"), STAGES, ids=lambda value: getattr(value, "__name__", "")
)
def test_task_is_the_same_in_each_form(
    form: str, stage: Any, others: dict[str, Any], durations: dict[str, str], made_of: Any
) -> None:
    task = stage(task_id="t", **others, **durations)
    expected = made_of(task)
    given = {name: FORMS[form].get(text, text) for name, text in durations.items()}
    other = stage(task_id="t", **others, **given)
    assert given != durations
    # Airflow stores what it has rendered, and a rendered value is what was given
    other.render_template_fields(CONTEXT)
    assert made_of(other) == expected
    # a trigger gets it as JSON
    json.dumps(made_of(other))


@pytest.mark.parametrize("form", FORMS)
def test_lifecycle_is_the_same_in_each_form(form: str) -> None:
    def lifecycle(forms: dict[str, Any]) -> Lifecycle:
        def of(text: str) -> Any:
            return forms.get(text, text)

        tiers = [
            Tier("hours", of("1h"), ["count"], lateness=of("10m"), retention=of("3d")),
            Tier("days", of("1d"), retention=of("1y")),
        ]
        archive = Archive("/archive", every=of("1d"), purge_after=of("1mo"), quiet_for=of("3d"))
        return Lifecycle(
            "raw", "m", tiers, retention=of("1y"), run_every=of("1h"), reconcile=of("3d"), archive=archive
        )

    assert lifecycle(FORMS[form]) == lifecycle({})


@pytest.mark.parametrize("form", FORMS)
def test_rule_is_the_same_in_each_form(form: str) -> None:
    of = FORMS[form]
    rules = [CadenceRule(every=of["10m"], field="a"), FreshnessRule(max_age=of["1h"], lookback=of["3d"])]
    texts = [CadenceRule(every="10m", field="a"), FreshnessRule(max_age="1h", lookback="3d")]
    assert rules == texts
    assert rules_of([json.loads(json.dumps(rule.as_json())) for rule in rules]) == tuple(texts)


@pytest.mark.parametrize("form", FORMS)
def test_dag_is_stored_with_flux_texts(form: str) -> None:
    with DAG("stored", schedule=None, start_date=DAY.start) as dag:
        for number, (stage, others, durations, _) in enumerate(STAGES):
            given = {name: FORMS[form].get(text, text) for name, text in durations.items()}
            stage(task_id=f"t{number}", **others, **given)
    stored = WRITER.from_dict(WRITER.to_dict(dag))
    for number, (stage, _, durations, _) in enumerate(STAGES):
        shown = {name for name in durations if name in stage.template_fields}
        task = stored.task_dict[f"t{number}"]
        assert {name: getattr(task, name) for name in shown} == {name: durations[name] for name in shown}


IMPOSSIBLE = {
    "text": "tomorrow",
    "negative": timedelta(hours=-1),
    "mixed": pendulum.duration(months=1, days=1),
    "negative years": pendulum.duration(years=-1),
    "number": 3600,
}


@pytest.mark.parametrize("value", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize(("stage", "others", "durations"), [stage[:3] for stage in STAGES])
def test_dag_is_refused_when_a_duration_is_not_possible(
    value: Any, stage: Any, others: dict[str, Any], durations: dict[str, str]
) -> None:
    for name in durations:
        with pytest.raises(InvalidDuration, match="the duration"):
            stage(task_id="t", **others, **{**durations, name: value})


@pytest.mark.parametrize(
    "make",
    [
        lambda: FluxRollupOperator(task_id="t", every="1h", lateness=pendulum.duration(months=1), **ROLLUP),
        lambda: Tier("hours", timedelta(hours=-1)),
        lambda: CadenceRule(every=pendulum.duration(months=1)),
        lambda: CadenceRule(every=timedelta(0)),
    ],
)
def test_dag_is_refused_when_a_duration_has_no_fixed_length(make: Any) -> None:
    with pytest.raises(InfluxRollupError):
        make()


@pytest.mark.parametrize("text", ["{{ params.every }}", "{% if params.every %}1h{% endif %}", None, ""])
def test_duration_that_comes_in_a_run_is_kept(text: str | None) -> None:
    for name in ("every", "lateness", "quiet_for", "window"):
        task = WindowCompleteSensor(task_id="t", **SOURCE, **{name: text})
        assert getattr(task, name) == text


def test_duration_of_another_task_is_kept() -> None:
    with DAG("waiting", schedule=None, start_date=DAY.start):
        query = FluxQueryOperator(task_id="q", flux="x")
        rollup = FluxRollupOperator(task_id="t", every=query.output, heal=query.output, **ROLLUP)
    assert query.task_id in rollup.upstream_task_ids


def test_timedelta_that_a_run_gives_is_taken() -> None:
    task = FluxQueryOperator(task_id="t", flux="x", every="{{ params.every }}", offset="{{ params.every }}")
    # what a native template, or another task's result, leaves in place
    task.every = task.offset = timedelta(minutes=10)
    assert task.spec().every == "10m"
    run = {"data_interval_start": DAY.start, "data_interval_end": DAY.stop}
    assert task.interval(run) == DAY


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-02"),
        (DAY.start, DAY.stop),
        (pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 1, 2, 1, tz="Europe/Berlin")),
        (date(2026, 1, 1), pendulum.date(2026, 1, 2)),
    ],
)
def test_interval_is_the_same_in_each_form(start: Any, stop: Any) -> None:
    task = FluxQueryOperator(task_id="t", flux="x", start=start, stop=stop)
    task.render_template_fields(CONTEXT)
    assert task.interval({}) == DAY
    sensor = WindowCompleteSensor(task_id="s", start=start, stop=stop, **SOURCE)
    assert sensor.interval({}) == DAY
