"""Flux templates as Airflow parses and renders them: refused in time, with the values of the run and of the environment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, load_dags, timezone
from airflow_provider_influx_rollup.exceptions import ConfigurationError, TemplateInvalid
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.templates.param import FluxParam
from tests.scenes.task_scene import make_context

pytestmark = pytest.mark.airflow

HEAD = """
from datetime import datetime, timezone
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
with DAG("templates", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
         params={"site": "b", "site_text": 'b" |> to(bucket: "x")'}):
"""
FILES = {
    "flux/main.flux": 'from(bucket: {{ env.raw | flux }})\n{% include "./part.flux" %}',
    "flux/part.flux": "  |> filter(fn: (r) => r.site == {{ params.site_text | flux }} and r.n == params.n)",
    "flux/bare.flux": 'from(bucket: "b")\n{{ ds }}',
    "flux/circle.flux": '{% include "./circle.flux" %}',
    "environments.yaml": "dev: {raw: r}\nprod: {raw: p}\n",
    "uneven.yaml": "dev: {raw: r}\nprod: {}\n",
}
MAIN = 'flux="flux/main.flux", environments="environments.yaml", environment="{{ \'prod\' }}"'
WANTED = r"""from(bucket: "p")
  |> filter(fn: (r) => r.site == "b\" |> to(bucket: \"x\")" and r.n == params.n)"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flux").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def parsed(folder: Path, task: str) -> tuple[dict[str, Any], str]:
    """DAGs of a file with one task, and what Airflow shows when it cannot be imported."""
    (folder / "dag.py").write_text(f"{HEAD}    {task}\n")
    dags, errors = load_dags(str(folder))
    return dags, "\n".join(errors.values())


def rendered(task: Any) -> Any:
    context = make_context(
        params={"site": "b", "site_text": 'b" |> to(bucket: "x")'}, ds="2025-01-01", task=task
    )
    task.render_template_fields(context)
    return task


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ('FluxQueryOperator(task_id="t", flux="flux/bare.flux")', "flux/bare.flux, line 2: {{ ds }} would be pasted"),
        ("FluxQueryOperator(task_id=\"t\", flux='x = \"{{ ds }}\"')", "flux of the task 't', line 1: {{ ds }}"),
        (
            'FluxRollupOperator(task_id="t", target_bucket="b", flux="flux/circle.flux")',
            "flux/circle.flux, line 1: the template includes itself: flux/circle.flux -> flux/circle.flux",
        ),
        ('FluxQueryOperator(task_id="t", flux="flux/gone.flux")', "the file 'flux/gone.flux' cannot be read"),
        ('FluxQueryOperator(task_id="t", flux="x", environments="uneven.yaml")', "uneven.yaml: prod lacks raw"),
        ('FluxQueryOperator(task_id="t", flux="x", environments="gone.yaml")', "environments 'gone.yaml' cannot be read"),
        ('FluxQueryOperator(task_id="t", flux="x", environments={"dev": 1})', "the environment 'dev' is not a name"),
    ],
)  # fmt: skip
def test_dag_is_an_import_error_when_its_template_is_wrong(folder: Path, task: str, says: str) -> None:
    dags, errors = parsed(folder, task)
    assert (dags, says in errors) == ({}, True), errors


@pytest.mark.parametrize("is_native", [False, True])
def test_script_is_rendered_with_the_values_of_the_run_and_of_its_environment(
    folder: Path, is_native: bool
) -> None:
    options = f'FluxRollupOperator(task_id="t", {MAIN}, target_bucket="{{{{ env.raw }}}}_hourly")'
    dags, errors = parsed(folder, options)
    assert errors == ""
    dag = dags["templates"]
    dag.render_template_as_native_obj = is_native
    task = rendered(dag.get_task("t"))
    assert (task.flux, task.target_bucket, task.environment) == (WANTED, "p_hourly", "prod")
    assert task.script_name == "main"
    assert len(task.template_hash) == 16
    assert task.script_spec().template_hash == task.template_hash


TIMES = """first = {{ data_interval_start | flux }}
last = {{ data_interval_end | flux_time }}
all = {{ [data_interval_start] | flux }}
long = {{ (data_interval_end - data_interval_start) | flux }}"""


def test_times_of_airflow_become_literals() -> None:
    """Airflow gives datetimes of a class of its own."""
    start, stop = (timezone.parse(f"2025-01-01T0{hour}:30:00+00:00") for hour in (4, 6))
    task = FluxQueryOperator(
        task_id="t", flux=TIMES, params_flux={"from": FluxParam("time", "{{ data_interval_start }}")}
    )
    task.render_template_fields(make_context(data_interval_start=start, data_interval_end=stop, task=task))
    assert task.flux.splitlines() == [
        "first = 2025-01-01T04:30:00Z",
        "last = 2025-01-01T06:30:00Z",
        "all = [2025-01-01T04:30:00Z]",
        "long = 2h",
    ]
    assert task.params_flux == {"from": datetime(2025, 1, 1, 4, 30, tzinfo=UTC)}


def test_mapped_task_is_rendered_by_the_same_rules(folder: Path) -> None:
    mapped = f'FluxQueryOperator.partial(task_id="t", {MAIN}).expand(params_flux=[{{"n": "{{{{ params.site }}}}"}}])'
    dags, errors = parsed(folder, mapped)
    assert errors == ""
    task = dags["templates"].get_task("t").unmap({"params_flux": {"n": "{{ params.site }}"}})
    assert (rendered(task).flux, task.params_flux) == (WANTED, {"n": "b"})


def test_parameters_have_their_types_after_a_template_made_text_of_them() -> None:
    task = FluxQueryOperator(
        task_id="t",
        flux="x",
        params_flux={
            "n": FluxParam("int", "{{ 5 }}"),
            "least": FluxParam("float", "{{ none }}", default=1.5),
            "text": "{{ ds }}",
        },
    )
    assert rendered(task).spec().params == {"n": 5, "least": 1.5, "text": "2025-01-01"}
    wrong = FluxQueryOperator(task_id="t", flux="x", params_flux={"n": FluxParam("int", "{{ ds }}")})
    with pytest.raises(AirflowFailException, match="the parameter n is '2025-01-01', not a whole number"):
        rendered(wrong)


def test_texts_stay_texts_in_a_dag_whose_templates_give_native_objects() -> None:
    values = {
        "text": "{{ params.digits }}",
        "typed": FluxParam("string", "{{ params.digits }}"),
        "list": ["{{ params.digits }}", 5],
        "number": "{{ params.number }}",
        "numbers": FluxParam("[int]", "{{ params.numbers }}"),
    }
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with DAG("native", schedule=None, start_date=start, render_template_as_native_obj=True):
        task = FluxQueryOperator(task_id="t", flux="x", params_flux=values)
    params = {"digits": "12", "number": 1.5, "numbers": [1, 2]}
    task.render_template_fields(make_context(params=params, task=task))
    wanted = {"text": "12", "typed": "12", "list": ["12", 5], "number": 1.5, "numbers": [1, 2]}
    assert task.params_flux == wanted


def test_task_fails_at_once_when_a_value_cannot_be_rendered() -> None:
    task = FluxQueryOperator(task_id="t", flux="x = \n{{ params.site.gone | flux }}")
    with pytest.raises(AirflowFailException, match=r"line 2: params.site.gone is undefined"):
        rendered(task)
    with pytest.raises(AirflowFailException, match="there is no environment 'x'"):
        rendered(FluxQueryOperator(task_id="t", flux="x", environments={"dev": {}}, environment="x"))
    with pytest.raises(AirflowFailException, match="none is chosen"):
        rendered(FluxQueryOperator(task_id="t", flux="x", environments={"dev": {}}))


def test_settings_choose_the_environment_and_let_words_in(monkeypatch: pytest.MonkeyPatch) -> None:
    flux = 'from(bucket: {{ env.raw | flux }}) |> range(start: {{ ds }}) |> limit(n: "{{ params.site }}")'
    task = FluxQueryOperator(task_id="t", flux=flux, environments={"dev": {"raw": "d"}, "prod": {"raw": "p"}})
    with pytest.raises(TemplateInvalid, match="would be pasted"):
        task.resolve_template_files()
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__ENVIRONMENT", "prod")
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__BARE_FLUX_VALUES", "words")
    task.resolve_template_files()
    assert rendered(task).flux == 'from(bucket: "p") |> range(start: 2025-01-01) |> limit(n: "b")'
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__BARE_FLUX_VALUES", "some")
    with pytest.raises(ConfigurationError, match="bare_flux_values = 'some' is not possible"):
        FluxQueryOperator(task_id="t", flux="x").resolve_template_files()
