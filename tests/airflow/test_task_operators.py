"""Tasks of InfluxDB as Airflow tasks: deployed, run, waited for, killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSensorTimeout

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError, TemplateInvalid
from airflow_provider_influx_rollup.operators.task_deploy import InfluxTaskDeployOperator
from airflow_provider_influx_rollup.operators.task_run import InfluxTaskRunOperator
from airflow_provider_influx_rollup.sensors.task_run import InfluxTaskRunSensor
from airflow_provider_influx_rollup.steps.tasks import ListRuns
from airflow_provider_influx_rollup.templates.param import FluxParam
from tests.conftest import InfluxServer
from tests.scenes.native_scene import HOUR, SLOW, START, named_task, script
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

PLACE: dict[str, Any] = {"influx_conn_id": "tele", "start": START, "stop": START + HOUR}


@pytest.fixture
def name(client: InfluxClient) -> Iterator[str]:
    with named_task(client) as found:
        yield found


@pytest.fixture
def flux(client: InfluxClient, name: str, bucket_factory: Callable[[], str]) -> str:
    source, target = bucket_factory(), bucket_factory()
    client.write_lines(source, [f"m,s=a x=1.5 {int(START.timestamp()) * 10**9}"])
    return script(name, source, target)


def deploy(flux: str | None, **more: Any) -> dict[str, Any]:
    task = InfluxTaskDeployOperator(task_id="deploy", flux=flux, influx_conn_id="tele", **more)
    return task.execute(make_context())


def test_a_task_is_deployed_run_in_the_triggerer_and_waited_for(
    client: InfluxClient, name: str, flux: str
) -> None:
    deployed = deploy(flux, pipeline="p")
    assert json.loads(json.dumps(deployed)) == deployed
    assert deploy(flux, pipeline="p")["action"] == "unchanged"
    (task,) = client.tasks.find(name)
    assert f'"dag_id": "d", "every": "1h", "name": "{name}", "pipeline": "p"' in task.description
    sensor = InfluxTaskRunSensor(task_id="wait", name=name, **PLACE)
    assert sensor.poke(make_context()) is False
    operator = InfluxTaskRunOperator(task_id="run", name=name, deferrable=True, **PLACE)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    trigger = reborn(deferred.value.trigger)
    result = operator.execute_complete(make_context(), fire(trigger))
    assert (result["status"], result["windows"]) == ("success", 1)
    # another triggerer begins again
    assert fire(reborn(trigger))["result"] == result
    assert len(client.tasks.list_runs(ListRuns(task.id))) == 1
    found: Any = sensor.poke(make_context())
    assert found.xcom_value["last_run_id"] == result["last_run_id"]
    later = InfluxTaskRunSensor(
        task_id="later", name=name, deferrable=True, timeout=0.2, poke_interval=0.1,
        **{**PLACE, "start": START + HOUR, "stop": START + 2 * HOUR},
    )  # fmt: skip
    with pytest.raises(TaskDeferred) as waiting:
        later.execute(make_context())
    with pytest.raises(AirflowException, match="had no success"):
        later.execute_complete(make_context(), fire(reborn(waiting.value.trigger)))


@pytest.mark.parametrize(
    ("settings", "error"), [({}, AirflowSensorTimeout), ({"soft_fail": True}, AirflowSkipException)]
)
def test_the_end_of_a_wait_is_soft_when_it_may_be(
    name: str, flux: str, settings: dict[str, Any], error: type[Exception]
) -> None:
    deploy(flux)
    more: dict[str, Any] = {"timeout": 0.2, "poke_interval": 0.1, **settings, **PLACE}
    with pytest.raises(error):
        InfluxTaskRunSensor(task_id="poke", name=name, **more).execute(make_context())
    sensor = InfluxTaskRunSensor(task_id="defer", name=name, deferrable=True, **more)
    with pytest.raises(TaskDeferred) as waiting:
        sensor.execute(make_context())
    with pytest.raises(error):
        sensor.execute_complete(make_context(), fire(reborn(waiting.value.trigger)))
    with pytest.raises(error):
        sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, make_context())


def test_errors_decide_whether_airflow_tries_again(client: InfluxClient, name: str, flux: str) -> None:
    with pytest.raises(AirflowFailException, match="TaskNotFound"):
        InfluxTaskRunOperator(task_id="run", name=name, **PLACE).execute(make_context())
    with pytest.raises(AirflowFailException, match="TaskNotFound"):
        InfluxTaskRunSensor(task_id="wait", name=name, **PLACE).poke(make_context())
    with pytest.raises(AirflowFailException, match="undefined identifier filtre"):
        deploy(flux.replace("filter", "filtre"))
    with pytest.raises(AirflowFailException, match="state='on'"):
        deploy(flux, state="on")
    assert client.tasks.find(name) == []
    assert deploy(flux, dry_run=True)["action"] == "created"
    assert client.tasks.find(name) == []
    with pytest.raises(ConfigurationError, match="does not take window"):
        InfluxTaskDeployOperator(task_id="deploy", flux=flux, window="1h")


def test_a_kill_cancels_the_run_in_influxdb(client: InfluxClient, name: str) -> None:
    task = client.tasks.create(SLOW.format(name=name, count=5_000_000), "active", "")
    operator = InfluxTaskRunOperator(task_id="run", name=name, **PLACE)
    started = threading.Event()
    operator._report = lambda report: started.set() if "Started" in report.message else None  # type: ignore[method-assign]
    killed: list[BaseException] = []

    def kill() -> None:
        started.wait(60)
        try:
            operator.on_kill()
        except AirflowException as error:
            killed.append(error)

    # 2.11 executes operators in the main thread only
    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises((AirflowException, InfluxRollupError)):
        operator.execute(make_context())
    thread.join(60)
    assert "was killed" in str(killed[0])
    (run,) = client.tasks.list_runs(ListRuns(task.id))
    assert run.status == "canceled"
    assert run.scheduled_for == START + timedelta(hours=1)


def test_a_script_is_a_template_with_values(
    client: InfluxClient,
    influx: InfluxServer,
    name: str,
    flux: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command line renders the same script."""
    text = flux.replace(f'"{name}"', "{{ env.name | flux }}").replace('== "m"', "== params.m")
    (tmp_path / "task.flux").write_text(text)
    with DAG("d", schedule=None, start_date=START, template_searchpath=[str(tmp_path)]):
        task = InfluxTaskDeployOperator(
            task_id="deploy", influx_conn_id="tele", flux="task.flux", environments={"dev": {"name": name}},
            environment="dev", params_flux={"m": FluxParam("string", "{{ 'm' }}")},
        )  # fmt: skip
    task.resolve_template_files()
    task.render_template_fields(make_context())
    assert task.execute(make_context())["action"] == "created"
    (made,) = client.tasks.find(name)
    assert 'option params = {"m": "m"}' in made.flux
    for variable, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{variable}", value)
    (tmp_path / "environments.yaml").write_text(f"dev: {{name: {name}}}")
    values = ("--environments", str(tmp_path / "environments.yaml"), "--environment", "dev", "--param", "m=m")
    capsys.readouterr()
    assert main(["tasks", "diff", str(tmp_path / "task.flux"), *values, "--json"]) == 0
    (compared,) = json.loads(capsys.readouterr().out)["tasks"]
    # who has deployed it differs
    assert (compared["changes"], compared["diff"]) == (["description"], "")
    with DAG("e", schedule=None, start_date=START):
        bare = InfluxTaskDeployOperator(
            task_id="deploy", influx_conn_id="tele", flux=f"{flux}\n// {{{{ ds }}}}"
        )
    with pytest.raises(TemplateInvalid, match="flux"):
        bare.resolve_template_files()
