"""Files that declare an adopted task are DAGs and lifecycles that Airflow and the package read."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.adopted_files import files_of
from airflow_provider_influx_rollup.flux.plain_task import plain_task
from airflow_provider_influx_rollup.flux.script import script_facts
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.task_adopt.forms import declaration_of
from airflow_provider_influx_rollup.lifecycle.task_adopt.proof import Proof
from airflow_provider_influx_rollup.lifecycle.task_adopt.schedule import run_windows
from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import AdoptSpec, ReadTask
from airflow_provider_influx_rollup.lifecycle.task_adopt.task_adopt import Adoption
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.steps.tasks import NativeTask

NOW = datetime(2025, 3, 31, 14, 7, tzinfo=UTC)
WINDOW = "|> aggregateWindow(every: {every}, fn: mean, createEmpty: false)"


def adoption(task: str, *, reach: str = "-task.every", calls: str = "", form: str | None = None) -> Adoption:
    text = f"""option task = {{name: "Hourly 'mean' \\\\ of \\"x\\"", {task}}}
from(bucket: "raw")
  |> range(start: {reach})
  |> filter(fn: (r) => r._measurement == "m" and r._field == "temp" and r.host == "it's")
  {calls or WINDOW.format(every="1h")}
  |> to(bucket: "hourly")
"""
    package = parse_flux(text)
    facts = script_facts(package)
    assert facts.task is not None
    plain, reasons = plain_task(package, facts.task)
    name = facts.task.name or ""
    found = ReadTask(
        task=NativeTask(id="1", name=name, flux=text, status="active"),
        script=text,
        package=package,
        facts=facts,
        option=facts.task,
        plain=plain,
        reasons=reasons,
        own_windows=(),
    )
    spec = AdoptSpec(name=name, org="o", windows=3, form=form)
    declaration = declaration_of(found, spec, run_windows(found.option, NOW, 3, None))
    return Adoption(found, declaration, Proof())


def made(files: dict[str, str], folder: Path) -> dict[str, Any]:
    """The DAG of the Python file, as Airflow would read it."""
    for name, text in files.items():
        (folder / name).write_text(text)
    (file,) = folder.glob("*.py")
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            node.items[0].optional_vars = ast.Name("dag_of_task", ast.Store())
    namespace: dict[str, Any] = {"__name__": "adopted", "__file__": str(file)}
    exec(compile(ast.fix_missing_locations(tree), str(file), "exec"), namespace)  # noqa: S102 - made by the package
    return namespace


@pytest.mark.airflow
def test_a_rollup_is_a_dag_and_a_lifecycle(tmp_path: Path) -> None:
    adopted = adoption("every: 1h, offset: 10m")
    files = files_of(adopted, NOW)
    assert sorted(files) == ["hourly_mean_of_x.py", "hourly_mean_of_x.yaml"]
    dag = made(files, tmp_path)["dag_of_task"]
    operator = dag.get_task("rollup")
    (spec,) = operator.specs()
    assert spec == adopted.declaration.rollup
    assert dag.timetable.summary == "0 * * * *"
    (tier,) = Lifecycle.from_yaml(tmp_path / "hourly_mean_of_x.yaml").specs()
    assert tier == spec


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("task", "schedule"),
    [
        ('cron: "0 * * * *"', "0 * * * *"),
        ("every: 1d", "0 0 * * *"),
        ("every: 2h", "0 */2 * * *"),
        ("every: 7h", "7:00:00"),
    ],
)
def test_the_dag_has_the_schedule_of_the_task(task: str, schedule: str, tmp_path: Path) -> None:
    reach = "-1h" if "cron" in task else "-task.every"
    dag = made(files_of(adoption(task, reach=reach), NOW), tmp_path)["dag_of_task"]
    assert dag.timetable.summary == schedule


@pytest.mark.parametrize(
    ("every", "cron"),
    [("1m", "* * * * *"), ("15m", "*/15 * * * *"), ("7m", None), ("90m", None), ("6h", "0 */6 * * *"), ("1w", "0 0 * * 1"),
     ("1mo", "0 0 1 * *"), ("3mo", "0 0 1 */3 *"), ("1y", "0 0 1 1 *"), ("30s", None)],
)  # fmt: skip
def test_crons_have_the_times_of_everies(every: str, cron: str | None) -> None:
    reach = f"-{every}"
    text = files_of(adoption(f"every: {every}", reach=reach, calls=WINDOW.format(every=every)), NOW)[
        "hourly_mean_of_x.py"
    ]
    assert (f'CronDataIntervalTimetable("{cron}"' in text) == (cron is not None)
    assert ("DeltaDataIntervalTimetable(timedelta(seconds=" in text) == (cron is None)


@pytest.mark.airflow
@pytest.mark.parametrize("form", ["script", "task"])
def test_a_script_stands_beside_its_dag(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = files_of(adoption("every: 1h", form=form), NOW)
    assert sorted(files) == ["hourly_mean_of_x.flux", "hourly_mean_of_x.py"]
    dag = made(files, tmp_path)["dag_of_task"]
    assert dag.task_ids == [{"script": "rollup", "task": "deploy"}[form]]
