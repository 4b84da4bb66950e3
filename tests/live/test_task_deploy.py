"""Tasks that InfluxDB runs itself: deployed once however often, never broken, never over somebody's change."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxError,
    InfluxRollupError,
    ScriptError,
    ScriptInvalid,
    TaskDrifted,
)
from airflow_provider_influx_rollup.flux.literals import string
from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import TaskSpec
from airflow_provider_influx_rollup.lifecycle.task_deploy.task_deploy import deploy_task
from airflow_provider_influx_rollup.steps.tasks import LabelTask, UpdateTask
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.native_rollup_scene import watched
from tests.scenes.native_scene import HOUR, START, clock, deploy, named_task, run_to_its_end, script, told

pytestmark = pytest.mark.live


@pytest.fixture
def name(client: InfluxClient) -> Iterator[str]:
    with named_task(client) as found:
        yield found


@pytest.fixture
def flux(name: str, bucket_factory: Callable[[], str]) -> str:
    return script(name, bucket_factory(), bucket_factory())


def kept(client: InfluxClient, name: str) -> Any:
    (task,) = client.tasks.find(name)
    return task


@pytest.mark.recorded
def test_deploying_twice_changes_nothing_and_an_edit_updates_the_same_task(
    client: InfluxClient, name: str, flux: str
) -> None:
    first = deploy(client, flux, dag_id="d", pipeline="p")
    task = kept(client, name)
    assert (first["action"], first["task_id"], first["status"]) == ("created", task.id, "active")
    assert deploy(client, flux, dag_id="d", pipeline="p") | {"script": ""} == {
        "task": name, "task_id": task.id, "action": "unchanged", "changes": [], "lines_added": 0, "lines_removed": 0,
        "status": "active", "script": "", "dry_run": False,
    }  # fmt: skip
    assert kept(client, name) == task
    assert '"dag_id": "d"' in task.description
    assert '"pipeline": "p"' in task.description
    assert first["script"] in task.description
    edited = deploy(client, flux.replace("mean", "max").replace("1h,", "2h,"), dag_id="d", pipeline="p")
    assert (edited["action"], edited["task_id"]) == ("updated", task.id)
    assert (kept(client, name).every, "fn: max" in kept(client, name).flux) == ("2h", True)


@pytest.mark.recorded
def test_a_dry_run_shows_the_difference_and_changes_nothing(
    client: InfluxClient, name: str, flux: str
) -> None:
    assert deploy(client, flux, dry_run=True)["action"] == "created"
    assert client.tasks.find(name) == []
    deploy(client, flux)
    before = kept(client, name)
    spec = TaskSpec(flux=flux.replace("fn: mean", "fn: max"), state="inactive")
    said = told(client, lambda: deploy_task(spec, clock, dry_run=True))
    assert "would be updated" in said[-1]
    assert "\n-    |> aggregateWindow(every: 10m, fn: mean, createEmpty: false)\n" in said[-1]
    assert "\n+// status: inactive\n" in said[-1]
    assert kept(client, name) == before


@pytest.mark.recorded
def test_a_task_is_paused_and_resumed_and_deleted(client: InfluxClient, name: str, flux: str) -> None:
    deploy(client, flux)
    for state in ("inactive", "active"):
        assert deploy(client, flux, state=state)["changes"] == ["status", "description"]
        assert kept(client, name).status == state
    assert deploy(client, None, name=name, state="absent")["action"] == "deleted"
    assert client.tasks.find(name) == []
    assert deploy(client, flux, state="absent")["action"] == "unchanged"


BROKEN = [
    ("|> filter", "|> filtre", ScriptInvalid, "undefined identifier"),
    ("|> filter(fn: (r) =>", "|> filter(fn: (r =>", ScriptInvalid, "InfluxDB refuses"),
    ("    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n", "", ScriptError, "without range"),
    ('r._measurement == "m"', "r._value == missing", ScriptInvalid, "undefined identifier missing"),
    ("    |> to(", '    |> keep(columns: ["_time", "_value"])\n    |> to(', ScriptInvalid, "dropped _measurement"),
    ('from(bucket: "', 'from(bucket: "no such ', ScriptInvalid, "no such"),
    ("option task", "option tasks", InfluxRollupError, "no option task"),
    ("every: 1h, ", "", InfluxRollupError, "neither every nor cron"),
]  # fmt: skip


@pytest.mark.recorded
@pytest.mark.parametrize(("text", "instead", "error", "says"), BROKEN)
def test_a_broken_script_is_never_deployed(
    client: InfluxClient, name: str, flux: str, text: str, instead: str, error: type[Exception], says: str
) -> None:
    assert text in flux
    broken = flux.replace(text, instead)
    with pytest.raises(error, match=says):
        deploy(client, broken)
    assert client.tasks.find(name) == []
    deploy(client, flux)
    before = kept(client, name)
    with pytest.raises(error, match=says):
        deploy(client, broken)
    assert kept(client, name) == before


@pytest.mark.recorded
def test_a_change_by_hand_is_drift_and_stays_unless_it_may_be_lost(
    client: InfluxClient, name: str, flux: str
) -> None:
    deploy(client, flux)
    task = kept(client, name)
    by_hand = task.flux.replace("fn: mean", "fn: min")
    client.tasks.update(UpdateTask(task.id, by_hand, "active", task.description))
    for wanted in (flux, flux.replace("fn: mean", "fn: max")):
        with pytest.raises(TaskDrifted, match="flux"):
            deploy(client, wanted)
        assert deploy(client, wanted, dry_run=True)["action"] == "drifted"
    with pytest.raises(TaskDrifted):
        deploy(client, None, name=name, state="absent")
    assert kept(client, name).flux == by_hand
    assert deploy(client, flux, overwrite=True)["action"] == "updated"
    assert kept(client, name).flux == task.flux
    client.tasks.update(UpdateTask(task.id, task.flux, "inactive", task.description))
    with pytest.raises(TaskDrifted, match="status"):
        deploy(client, flux)
    # what somebody did by hand and what is asked for are the same: nothing is lost
    assert deploy(client, flux, state="inactive")["changes"] == ["description"]


@pytest.mark.recorded
def test_a_task_renamed_by_hand_is_drift_and_no_second_one_is_made(
    client: InfluxClient, name: str, flux: str
) -> None:
    deploy(client, flux)
    task = kept(client, name)
    other = f"{name} of mine"
    client.tasks.update(UpdateTask(task.id, task.flux.replace(name, other), "active", task.description))
    for wanted in (flux, flux.replace("fn: mean", "fn: max")):
        with pytest.raises(TaskDrifted, match="flux"):
            deploy(client, wanted)
    with pytest.raises(TaskDrifted):
        deploy(client, None, name=name, state="absent")
    assert (client.tasks.find(name), kept(client, other).id) == ([], task.id)
    assert deploy(client, flux, overwrite=True)["action"] == "updated"
    assert (kept(client, name), client.tasks.find(other)) == (task, [])


@pytest.mark.recorded
def test_a_task_of_another_is_adopted_only_when_nothing_is_lost(
    client: InfluxClient, name: str, flux: str
) -> None:
    deploy(client, flux)
    ours = kept(client, name)
    client.tasks.update(UpdateTask(ours.id, ours.flux, "active", "my own words"))
    assert (deploy(client, flux)["action"], kept(client, name)) == ("adopted", ours)
    client.tasks.update(UpdateTask(ours.id, ours.flux, "active", "my own words"))
    with pytest.raises(TaskDrifted):
        deploy(client, flux.replace("mean", "max"))
    adopted = deploy(client, flux.replace("mean", "max"), overwrite=True)
    assert (adopted["action"], adopted["task_id"]) == ("adopted", ours.id)


@pytest.mark.recorded
def test_a_task_by_hand_of_the_same_script_is_adopted_and_gets_what_it_lacks(
    client: InfluxClient, name: str, flux: str
) -> None:
    text, values = flux.replace('== "m"', "== params.m"), {"m": "m"}
    made = client.tasks.create(text.rstrip(), "active", "my own words")
    with pytest.raises(TaskDrifted, match="was made by no deploy: flux"):
        deploy(client, text.replace("mean", "max"), params=values)
    with pytest.raises(TaskDrifted, match="status"):
        deploy(client, text, params=values, state="inactive")
    assert kept(client, name) == made
    adopted = deploy(client, text, params=values)
    assert (adopted["action"], adopted["task_id"], adopted["lines_removed"]) == ("adopted", made.id, 0)
    assert run_to_its_end(client, made.id, START + HOUR).status == "success"
    # it is ours now: a change by hand is one
    client.tasks.update(UpdateTask(made.id, made.flux, "active", kept(client, name).description))
    with pytest.raises(TaskDrifted, match="is not as it was deployed: flux"):
        deploy(client, text, params=values)


@pytest.mark.parametrize("text", ["", 'it\'s "q" \\ ${x}', "ünï 😀/?&#%+", "line\nfeed\ttab"])
def test_ten_deploys_at_the_same_time_end_with_one_task(influx: InfluxServer, text: str) -> None:
    operator = InfluxAddress(influx.url, influx.org, influx.token)
    # no label of it is there yet
    place = operator.new_organisation(f"org {uuid.uuid4().hex[:8]}")
    settings = ClientSettings(url=place.url, org=place.org, token=lambda _: place.token)
    name = f"{text}{uuid.uuid4().hex[:8]}"
    plain = f"option task = {{name: {string(name)}, every: 1h}}\n\nbuckets() |> limit(n: 1)\n"
    errors: list[BaseException] = []
    barrier = threading.Barrier(10)

    def run() -> None:
        try:
            with InfluxClient(settings) as own:
                barrier.wait(20)
                deploy(own, plain, dag_id=f"d{text}")
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with InfluxClient(settings) as client:
        task = kept(client, name)
        assert (task.status, set(task.labels)) == ("active", {"influx-rollup", f"dag:d{text}"})
        assert deploy(client, plain, dag_id=f"d{text}")["action"] == "unchanged"
        client.tasks.delete(task.id)


@pytest.mark.recorded
def test_a_task_that_another_deletes_during_an_update_is_made_again(
    client: InfluxClient, name: str, flux: str
) -> None:
    deploy(client, flux)
    first = kept(client, name)
    edited = flux.replace("fn: mean", "fn: max")

    def delete(step: Any) -> None:
        if isinstance(step, UpdateTask):
            client.tasks.delete(first.id)

    steps = watched(deploy_task(TaskSpec(flux=edited), clock), delete)
    assert drive(steps, client, lambda _: None).task_id == kept(client, name).id != first.id
    assert deploy(client, edited)["action"] == "unchanged"


@pytest.mark.recorded
def test_the_oldest_stays_when_a_deploy_died_between_its_two_requests(
    client: InfluxClient, name: str, flux: str
) -> None:
    deploy(client, flux)
    first = kept(client, name)
    client.tasks.create(first.flux, first.status, first.description)
    assert deploy(client, flux, dry_run=True)["task_id"] == first.id
    assert len(client.tasks.find(name)) == 2
    assert deploy(client, flux)["task_id"] == first.id
    assert kept(client, name) == first
    client.tasks.create(first.flux.replace("mean", "min"), "active", "by hand")
    with pytest.raises(ConfigurationError, match="2 tasks of InfluxDB are called"):
        deploy(client, flux)
    assert len(client.tasks.find(name)) == 2


def test_the_same_name_in_another_organisation_is_not_touched(
    influx: InfluxServer, client: InfluxClient, name: str
) -> None:
    other = InfluxAddress(influx.url, influx.org, influx.token).new_organisation(
        f"org {uuid.uuid4().hex[:8]}"
    )
    settings = ClientSettings(url=other.url, org=other.org, token=lambda _: influx.token)
    plain = f'option task = {{name: "{name}", every: 1h}}\n\nbuckets() |> limit(n: 1)\n'
    with InfluxClient(settings) as theirs:
        made = theirs.tasks.create(plain, "active", "theirs")
        assert deploy(client, plain)["action"] == "created"
        assert deploy(client, None, name=name, state="absent")["action"] == "deleted"
        assert theirs.tasks.find(name) == [made]
        theirs.tasks.delete(made.id)


@pytest.mark.recorded
def test_a_token_that_may_not_deploy_gets_a_clear_error(influx: InfluxServer, name: str, flux: str) -> None:
    settings = ClientSettings(url=influx.url, org=influx.org, token=lambda _: "wrong")
    with InfluxClient(settings) as stranger, pytest.raises(InfluxError, match="unauthorized"):
        deploy(stranger, flux)


@pytest.mark.recorded
def test_labels_tell_the_dag_and_the_pipeline(client: InfluxClient, name: str, flux: str) -> None:
    deploy(client, flux, dag_id="d", pipeline="p")
    assert set(kept(client, name).labels) == {"influx-rollup", "dag:d", "pipeline:p"}
    task = kept(client, name)
    client.tasks.label(LabelTask(task, ("of a user",)))
    deploy(client, flux, dag_id="e", pipeline="p")
    assert set(kept(client, name).labels) == {"influx-rollup", "dag:e", "pipeline:p", "of a user"}
    # again it is the same, also where two deploys label at once
    client.tasks.label(LabelTask(task, ("influx-rollup", "dag:e"), ("dag:d",)))
    assert set(kept(client, name).labels) == {"influx-rollup", "dag:e", "pipeline:p", "of a user"}
    deploy(client, flux, dag_id="", state="absent", overwrite=True)
    assert client.tasks.find(name) == []


@pytest.mark.recorded
def test_a_token_that_may_not_label_deploys_all_the_same(
    influx: InfluxServer, client: InfluxClient, name: str, flux: str
) -> None:
    rights = [(action, kind) for action in ("read", "write") for kind in ("buckets", "tasks")]
    token = InfluxAddress(influx.url, influx.org, influx.token).new_token(rights)
    settings = ClientSettings(url=influx.url, org=influx.org, token=lambda _: token)
    with InfluxClient(settings) as limited:
        said = told(limited, lambda: deploy_task(TaskSpec(flux=flux, dag_id="d"), clock))
    assert any("does not get its labels" in line for line in said)
    assert kept(client, name).labels == ()
    assert '"dag_id": "d"' in kept(client, name).description


@pytest.mark.recorded
def test_values_of_params_become_a_part_of_the_task(client: InfluxClient, name: str, flux: str) -> None:
    text = flux.replace(
        'r._measurement == "m"', 'r._measurement == params.m and r.site == params["it\'s \\"q\\""]'
    )
    values = {"m": "m", 'it\'s "q"': 'a"${x}\n', "n": -1.5, "every": timedelta(minutes=90)}
    assert deploy(client, text, params=values)["action"] == "created"
    task = kept(client, name)
    assert deploy(client, text, params=values)["action"] == "unchanged"
    assert "// the values of the deploy" in task.flux
    # the value stays a text, whatever it holds
    found = run_to_its_end(client, task.id, START + HOUR)
    assert found.status == "success", found.log
    other = deploy(client, text, params=values | {"n": 2})
    assert (other["action"], other["lines_added"], other["lines_removed"]) == ("updated", 1, 1)
    with pytest.raises(ScriptError, match="params"):
        deploy(client, text)
    with pytest.raises(ScriptInvalid, match="sets params itself"):
        deploy(client, f"option params = {{m: 1}}\n{text}", params=values)
    with pytest.raises(ConfigurationError, match="the parameter params"):
        deploy(client, text, params={"m": object()})
