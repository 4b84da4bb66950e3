"""Lint as a task: it fails before a bad script is deployed, warns of what is only slow, and returns a small answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, timezone
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, TemplateInvalid
from airflow_provider_influx_rollup.operators.lint import FluxLintOperator
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR: dict[str, Any] = {"start": START, "stop": START + timedelta(hours=1)}
SLOW = """from(bucket: {{ params.bucket | flux }})
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r.site == params.site)
  |> aggregateWindow(every: 1h, fn: median, createEmpty: false)
"""
WRONG = """from(bucket: {{ params.bucket | flux }})
  |> rang(start: v.timeRangeStart)
"""


@pytest.fixture
def bucket(client: InfluxClient, bucket_factory: Callable[[], str]) -> str:
    """Four points in the hour."""
    name, first = bucket_factory(), int(START.timestamp()) * 10**9
    client.write_lines(name, [f"fleet,site=a temp={n}.5 {first + n * 60 * 10**9}" for n in range(4)])
    return name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.flux").write_text(SLOW)
    (tmp_path / "wrong.flux").write_text(WRONG)
    return tmp_path


def run(folder: Path, bucket: str, *, told: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """Render the templates as Airflow does, then execute.

    :param told: gets what the log says
    """
    with DAG("lint", schedule=None, start_date=START, template_searchpath=[str(folder)]) as dag:
        task = FluxLintOperator(
            task_id="lint", influx_conn_id="tele", params_flux={"site": "a"}, **(HOUR | options)
        )
    if told is not None:
        task._report = lambda report: told.append(report.message)  # type: ignore[method-assign]
    # Airflow's times are of a class of its own
    start, stop = (timezone.parse(HOUR[name].isoformat()) for name in ("start", "stop"))
    context = make_context(data_interval_start=start, data_interval_end=stop)
    context["params"] = {"bucket": bucket}
    task.resolve_template_files()
    task.render_template_fields(context, dag.get_template_env())
    result = task.execute(context)
    assert json.loads(json.dumps(result)) == result
    return result


def test_a_slow_script_is_told_of_when_it_is_only_slow(folder: Path, bucket: str) -> None:
    told: list[str] = []
    result = run(folder, bucket, told=told, flux="slow.flux")
    (finding,) = result.pop("findings")
    place = (finding["script"], finding["name"], finding["line"], finding["column"])
    assert place == ("slow.flux", "raw-read", 4, 6)
    assert result == {"scripts": 1, "errors": 0, "warnings": 1, "notes": 0, "silenced": 0, "unchecked": {}}
    assert [line.partition(": raw")[0] for line in told] == ["slow.flux:4:6: warning raw-read"]


def test_the_task_fails_for_good_when_a_script_of_several_is_wrong(folder: Path, bucket: str) -> None:
    with pytest.raises(AirflowFailException) as failed:
        run(folder, bucket, flux=["slow.flux", "wrong.flux", "from("])
    message = str(failed.value)
    assert "ScriptInvalid: 2 findings are error or worse: wrong.flux:2:6 semantics: " in message
    assert "undefined identifier rang; script 3:1:5 syntax:" in message


def test_the_times_of_the_run_in_a_template_are_its_window(folder: Path, bucket: str) -> None:
    templated = SLOW.replace("v.timeRangeStart", "{{ data_interval_start | flux }}").replace(
        "v.timeRangeStop", "{{ data_interval_end | flux }}"
    )
    task = 'option task = {name: "a", every: 1h}\n'
    (folder / "templated.flux").write_text(task + templated)
    (folder / "fixed.flux").write_text(task + SLOW.replace("v.timeRangeStart", "2024-05-05T10:00:00Z"))
    result = run(folder, bucket, flux=["templated.flux", "fixed.flux"], fail_on="never")
    found = [(one["script"], one["name"], one["line"]) for one in result["findings"]]
    assert found == [("templated.flux", "raw-read", 5), ("fixed.flux", "fixed-range", 3)]
    assert list(result["unchecked"]) == ["fixed.flux"]


@pytest.mark.parametrize("listed", [list, tuple])
def test_files_of_a_list_include_those_next_to_them_and_are_named(
    folder: Path, bucket: str, listed: type[list[str] | tuple[str, ...]]
) -> None:
    (folder / "flux").mkdir()
    (folder / "flux/site.flux").write_text("r.site == params.site")
    included = SLOW.replace("r.site == params.site", '{% include "./site.flux" %}')
    (folder / "flux/slow.flux").write_text(included)
    result = run(folder, bucket, flux=listed(("flux/slow.flux", "slow.flux")))
    assert [one["script"] for one in result["findings"]] == ["flux/slow.flux", "slow.flux"]
    (folder / "flux/slow.flux").write_text(included.replace("./site", "./gone"))
    gone = r"flux/slow\.flux, line 3: there is no template 'flux/gone\.flux'"
    with pytest.raises(TemplateInvalid, match=gone):
        run(folder, bucket, flux=listed(("slow.flux", "flux/slow.flux")))
    (folder / "flux/slow.flux").write_text(SLOW.replace("params.bucket", "params.gone"))
    with pytest.raises(AirflowFailException, match=r"flux/slow\.flux, line 1: params\.gone is undefined"):
        run(folder, bucket, flux=listed(("slow.flux", "flux/slow.flux")))


@pytest.mark.parametrize(("fail_on", "fails"), [("warning", True), ("note", True), ("never", False)])
def test_the_choice_decides_when_a_script_is_slow(
    folder: Path, bucket: str, fail_on: str, fails: bool
) -> None:
    if fails:
        with pytest.raises(AirflowFailException, match=f"1 finding is {fail_on} or worse"):
            run(folder, bucket, flux="slow.flux", fail_on=fail_on)
    else:
        assert run(folder, bucket, flux=["slow.flux", "wrong.flux"], fail_on=fail_on)["errors"] == 1


def test_points_of_the_interval_are_counted_when_there_is_a_limit(folder: Path, bucket: str) -> None:
    flux = SLOW.replace("params.site)", '"a")')
    with pytest.raises(AirflowFailException, match=r"a raw read of 4 points in .*, where 3 are allowed"):
        run(folder, bucket, flux=flux, max_points=3)
    assert run(folder, bucket, flux=flux, max_points=4)["errors"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flux": []}, "flux is no script"),
        ({"flux": ["x", 1]}, "flux is no script"),
        ({"flux": "x", "max_points": -1}, "max_points=-1"),
    ],
)
def test_the_task_fails_before_it_asks_when_a_parameter_is_not_possible(
    folder: Path, bucket: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words):
        run(folder, bucket, **options)


def test_the_dag_is_refused_when_fail_on_is_unknown() -> None:
    with pytest.raises(ConfigurationError, match="fail_on='always'"):
        FluxLintOperator(task_id="lint", flux="x", fail_on="always")
