"""Parameters of the wrong type are refused when the DAG is parsed, or when their templates are rendered; no server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.buckets import EnsureBucketsOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from airflow_provider_influx_rollup.operators.lateness import LatenessReportOperator
from airflow_provider_influx_rollup.operators.measurements import DiscoverMeasurementsOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.task_run import InfluxTaskRunOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.sensors.task_run import InfluxTaskRunSensor
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor
from tests.scenes.task_scene import make_context

pytestmark = pytest.mark.airflow

ARCHIVED = {"bucket": "raw", "measurement": "m", "path": "/a"}
WATCHED = {"bucket": "raw", "measurement": "m"}
ROLLED_UP = {
    "source_bucket": "raw",
    "target_bucket": "tier",
    "measurement": "m",
    "every": "1h",
    "aggregates": ["max"],
}
GIVEN: dict[type, dict[str, Any]] = {
    ArchiveWindowOperator: ARCHIVED,
    DeadmanCheckOperator: WATCHED,
    DiscoverMeasurementsOperator: {"bucket": "raw"},
    EnsureBucketsOperator: {},
    EraseSeriesOperator: {**ARCHIVED, "tags": {"customer": "42"}},
    FluxQueryOperator: {"flux": "buckets()"},
    FluxReconcileOperator: ROLLED_UP,
    FluxRollupOperator: ROLLED_UP,
    FluxValidateOperator: {**WATCHED, "rules": [{"rule": "range", "field": "v", "high": 50}]},
    LatenessReportOperator: {},
    InfluxTaskRunOperator: {},
    InfluxTaskRunSensor: {},
    PurgeWindowOperator: {**ARCHIVED, "require_pipelines": ["p"]},
    WindowCompleteSensor: WATCHED,
}


def made(operator: type, **parameters: Any) -> Any:
    return operator(task_id="t", **{**GIVEN[operator], **parameters})


@pytest.mark.parametrize(
    ("operator", "name", "value", "what"),
    [
        (FluxRollupOperator, "measurement", 5, "measurement is of the type int"),
        (FluxRollupOperator, "pipeline", b"x", "pipeline is of the type bytes"),
        (FluxRollupOperator, "pipeline", ["a", None], "pipeline is of the type list"),
        (FluxRollupOperator, "source_tier", [], "source_tier is of the type list"),
        (FluxRollupOperator, "timezone", [], "timezone is of the type list"),
        (FluxRollupOperator, "tags", "site=a", "tags is of the type str"),
        (FluxReconcileOperator, "tags", 5, "tags is of the type int"),
        (FluxValidateOperator, "tags", {"a": 5}, "tags['a'] is of the type int"),
        (FluxValidateOperator, "tags", {5: "a"}, "a key of tags is of the type int"),
        (FluxValidateOperator, "fields", ["a", None], "a part of fields is of the type NoneType"),
        (FluxValidateOperator, "transformations", 5, "transformations is of the type int"),
        (DeadmanCheckOperator, "group_by", 5, "group_by is of the type int"),
        (DeadmanCheckOperator, "measurement", None, "measurement is of the type NoneType"),
        (DeadmanCheckOperator, "retired", 5, "retired is of the type int"),
        (DeadmanCheckOperator, "retired", ["a"], "a part of retired is of the type str"),
        (DeadmanCheckOperator, "check_name", 5, "check_name is of the type int"),
        (WindowCompleteSensor, "min_completeness", "0.95", "min_completeness is of the type str"),
        (WindowCompleteSensor, "min_series", "{{ params.share }}", "min_series is of the type str"),
        (WindowCompleteSensor, "min_series", None, "min_series is of the type NoneType"),
        (WindowCompleteSensor, "min_series", True, "min_series is of the type bool"),
        (WindowCompleteSensor, "upstream", 5, "upstream is of the type int"),
        (WindowCompleteSensor, "measurement", None, "measurement is of the type NoneType"),
        (ArchiveWindowOperator, "measurement", None, "measurement is of the type NoneType"),
        (ArchiveWindowOperator, "ledger_bucket", 5, "ledger_bucket is of the type int"),
        (LatenessReportOperator, "path", 5, "path is of the type int"),
        (LatenessReportOperator, "timezone", None, "timezone is of the type NoneType"),
        (WindowCompleteSensor, "timezone", None, "timezone is of the type NoneType"),
        (PurgeWindowOperator, "require_pipelines", None, "require_pipelines is of the type NoneType"),
        (PurgeWindowOperator, "signing_key", 5, "signing_key is of the type int"),
        (PurgeWindowOperator, "ledger_bucket", ["a"], "ledger_bucket is of the type list"),
        (InfluxTaskRunOperator, "name", 5, "name is of the type int"),
        (InfluxTaskRunSensor, "name", [], "name is of the type list"),
        (FluxQueryOperator, "params_flux", 5, "params_flux is of the type int"),
        (FluxQueryOperator, "partition_key_format", 5, "partition_key_format=5 does not give a date"),
        (EnsureBucketsOperator, "buckets", 5, "buckets is of the type int"),
        (DiscoverMeasurementsOperator, "bucket", None, "bucket is of the type NoneType"),
        (EraseSeriesOperator, "tags", 5, "tags is of the type int"),
        (EraseSeriesOperator, "signing_key", 5, "signing_key is of the type int"),
        (PurgeWindowOperator, "signing_key", ["a"], "signing_key is of the type list"),
        (EraseSeriesOperator, "status_bucket", [5], "a part of status_bucket is of the type int"),
    ],
)
def test_a_dag_is_refused_when_a_parameter_is_of_the_wrong_type(
    operator: type, name: str, value: object, what: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(operator, **{name: value})
    assert what in refused.value.what
    assert refused.value.fix


@pytest.mark.parametrize(
    ("operator", "parameters"),
    [
        (EraseSeriesOperator, {"tags": '{"customer": "42"}', "status_bucket": ["a", "b"]}),
        (FluxRollupOperator, {"tags": {"site": ["a", "b"], "floor": "1"}, "fields": "temp"}),
        (FluxRollupOperator, {"measurement": ["a", "b"], "pipeline": None}),
        (LatenessReportOperator, {"path": Path("/reports")}),
        (WindowCompleteSensor, {"min_completeness": 1, "retired": ({"site": "a"},)}),
        (FluxValidateOperator, {"tags": "{{ params.tags }}", "fields": "{{ params.fields }}"}),
    ],
)
def test_a_dag_is_parsed_when_parameters_are_right_or_templates(
    operator: type, parameters: dict[str, Any]
) -> None:
    task = made(operator, **parameters)
    assert {name: getattr(task, name) for name in parameters} == parameters


@pytest.mark.parametrize("operator", [FluxRollupOperator, WindowCompleteSensor])
def test_a_task_fails_for_good_when_a_template_renders_to_the_wrong_type(operator: type) -> None:
    task = made(operator, tags="{{ 'site=a and a secret' }}")
    with pytest.raises(AirflowFailException, match="tags is of the type str, in ") as failed:
        task.render_template_fields(make_context())
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("operator", "name", "written", "wanted"),
    [
        (FluxRollupOperator, "tags", {"site": "{{ params.digits }}"}, {"site": "12"}),
        (FluxRollupOperator, "tags", {"site": "{{ params.exponent }}"}, {"site": "1e3"}),
        (FluxRollupOperator, "tags", {"site": ["{{ params.digits }}", "0.5"]}, {"site": ["12", "0.5"]}),
        (FluxRollupOperator, "tags", {"site": "{{ params.names }}"}, {"site": ["a", "b"]}),
        (
            FluxRollupOperator,
            "tags",
            {"on": "True", "off": "{{ params.off }}"},
            {"on": "True", "off": "False"},
        ),
        (
            FluxRollupOperator,
            "tags",
            {"a": "{{ params.number }}", "b": "v{{ params.number }}"},
            {"a": "1.5", "b": "v1.5"},
        ),
        (FluxRollupOperator, "fields", ["{{ params.digits }}", "007"], ["12", "007"]),
        (FluxRollupOperator, "group_by", "{{ params.names }}", ["a", "b"]),
        (WindowCompleteSensor, "measurement", "{{ params.digits }}", "12"),
        (DeadmanCheckOperator, "retired", [{"site": "{{ params.digits }}"}], [{"site": "12"}]),
        (DeadmanCheckOperator, "expected_series", [{"site": "{{ params.digits }}"}], [{"site": "12"}]),
        (
            DeadmanCheckOperator,
            "expected_series",
            {"flux": "x", "params": {"least": "{{ params.number }}"}},
            {"flux": "x", "params": {"least": 1.5}},
        ),
        (EraseSeriesOperator, "tags", {"customer": "{{ params.digits }}"}, {"customer": "12"}),
        (EraseSeriesOperator, "confirm", "{{ params.digits }}", "12"),
        (FluxReconcileOperator, "max_windows", "{{ params.digits }}", 12),
    ],
)
def test_texts_stay_texts_in_a_dag_whose_templates_give_native_objects(
    operator: type, name: str, written: object, wanted: object
) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with DAG("native", schedule=None, start_date=start, render_template_as_native_obj=True):
        task = made(operator, **{name: written})
    params = {"digits": "12", "exponent": "1e3", "names": ["a", "b"], "off": False, "number": 1.5}
    task.render_template_fields(make_context(params=params, task=task))
    assert getattr(task, name) == wanted


@pytest.mark.parametrize(
    ("operator", "name", "value", "what"),
    [
        (FluxRollupOperator, "tags", "site=a", "tags is of the type str, in FluxRollupOperator"),
        (FluxRollupOperator, "every", "soon", "the duration 'soon' is not a Flux duration"),
        (FluxRollupOperator, "aggregates", ["maxx"], "UnknownAggregate"),
        (FluxValidateOperator, "tags", {"a": 5}, "a'] is of the type int"),
        (WindowCompleteSensor, "min_series", "0.95", "min_series is of the type str"),
        (WindowCompleteSensor, "timezone", None, "timezone is of the type NoneType"),
    ],
)
def test_a_mapped_task_fails_for_good_when_it_was_given_the_wrong_type(
    operator: Any, name: str, value: object, what: str
) -> None:
    known = {key: given for key, given in GIVEN[operator].items() if key != name}
    with DAG("mapped", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        mapped = operator.partial(task_id="t", **known).expand(**{name: [value]})
    with pytest.raises(AirflowFailException, match=re.escape(what)):
        mapped.unmap({name: value})


class Mapped(Sequence[str]):
    """What mapped tasks return, as Airflow hands it on: a sequence of a type of its own, each part of which is fetched."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        pytest.fail("a part was fetched before the run asked for it")


def test_what_mapped_tasks_return_is_a_list() -> None:
    task = made(ArchiveWindowOperator, measurement=Mapped())
    assert isinstance(task.measurement, Mapped)
    for lazy in lazy_lists():
        assert made(ArchiveWindowOperator, measurement=lazy).measurement is lazy


def lazy_lists() -> list[Any]:
    """Airflow's own."""
    try:
        from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence as Lazy
    except ImportError:
        from airflow.models.xcom import LazyXComSelectSequence as Lazy
    return [Lazy.__new__(Lazy)]
