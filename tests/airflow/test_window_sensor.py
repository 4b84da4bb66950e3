"""The window sensor as a task sees it, on a real InfluxDB; its trigger runs under asyncio."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    PokeReturnValue,
    TaskDeferred,
)
from airflow_provider_influx_rollup.client import server_clock
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor
from airflow_provider_influx_rollup.triggers.window_ready import WindowReadyTrigger
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
STOP = START + timedelta(hours=1)
MakeSensor = Callable[..., WindowCompleteSensor]


@pytest.fixture
def bucket(bucket_factory: Callable[[], str]) -> str:
    return bucket_factory()


@pytest.fixture
def make_sensor(bucket: str) -> MakeSensor:
    def make(**kwargs: Any) -> WindowCompleteSensor:
        settings = {
            "bucket": bucket,
            "measurement": "fleet",
            "start": START,
            "stop": STOP,
            "influx_conn_id": "tele",
        }
        settings |= {"poke_interval": 0.1, "timeout": 60, "deferrable": False}
        return WindowCompleteSensor(task_id="wait", **(settings | kwargs))

    return make


@pytest.fixture
def put(client: InfluxClient, bucket: str) -> Callable[[], None]:
    """Makes the window complete."""
    line = f"fleet,device=d1 temp=1 {int(START.timestamp()) * 10**9}"
    return lambda: client.write_lines(bucket, [line])


def defer(sensor: WindowCompleteSensor) -> WindowReadyTrigger:
    """The trigger that the sensor defers to, after a trip through Airflow's database."""
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(make_context())
    assert deferred.value.method_name == "execute_complete"
    trigger = reborn(deferred.value.trigger)
    assert isinstance(trigger, WindowReadyTrigger)
    return trigger


def test_event_is_returned_when_the_window_is_complete(
    make_sensor: MakeSensor, put: Callable[[], None]
) -> None:
    put()
    event = make_sensor().execute(make_context())
    assert event["state"] == "complete"
    assert (event["rows"], event["series"], event["watermark"]) == (1, 1, "2024-05-06T10:00:00Z")
    assert json.loads(json.dumps(event)) == event


def test_window_is_not_due_when_only_the_worker_s_clock_is_ahead(
    make_sensor: MakeSensor, client: InfluxClient, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, half = datetime.now(UTC), timedelta(minutes=30)
    client.write_lines(bucket, [f"fleet,device=d1 temp=1 {int((now - half).timestamp()) * 10**9}"])
    monkeypatch.setattr(server_clock, "machine_now", lambda: datetime.now(UTC) + timedelta(hours=2))
    close_all_clients()  # the one of this process knows no other clock
    assert make_sensor(start=now - 2 * half, stop=now - timedelta(seconds=1)).poke(make_context())
    assert make_sensor(start=now - 2 * half, stop=now + half).poke(make_context()) is False
    close_all_clients()


def test_each_poke_says_what_is_missing(make_sensor: MakeSensor, mocker: MockerFixture) -> None:
    sensor = make_sensor(expected_series=[{"device": "d1"}])
    report = mocker.patch.object(sensor, "_report", autospec=True)
    assert sensor.poke(make_context()) is False
    report.assert_called_once()
    missing = "1 of 1 windows are incomplete; [2024-05-06T10:00:00Z, 2024-05-06T11:00:00Z): no point yet"
    assert report.call_args.args[0].message == missing


def told_unknown(report: MagicMock) -> list[bool]:
    """For each look, whether it said that the ledger does not know the pipeline."""
    return ["ledger knows no pipeline" in call.args[0].message for call in report.call_args_list]


def test_ledger_is_asked_for_the_upstream_once_in_a_wait(
    make_sensor: MakeSensor, mocker: MockerFixture, bucket: str
) -> None:
    settings = {"upstream": "nobody", "ledger_bucket": bucket}
    sensor = make_sensor(**settings)
    report = mocker.patch.object(sensor, "_report", autospec=True)
    for _ in range(3):
        assert sensor.poke(make_context()) is False
    assert told_unknown(report) == [True, False, False]
    # each poll of a task that Airflow 3 reschedules has a sensor of its own
    rescheduled = make_sensor(mode="reschedule", **settings)
    report = mocker.patch.object(rescheduled, "_report", autospec=True)
    assert rescheduled.poke(make_context(task_reschedule_count=1)) is False
    assert told_unknown(report) == [False]


def test_trigger_asks_the_ledger_for_the_upstream_once(
    make_sensor: MakeSensor, mocker: MockerFixture, bucket: str
) -> None:
    trigger = defer(make_sensor(deferrable=True, upstream="nobody", ledger_bucket=bucket, timeout=2))
    report = mocker.patch.object(trigger, "_report", autospec=True)
    assert fire(trigger)["status"] == "timeout"
    first, *later = told_unknown(report)
    assert first
    assert later
    assert not any(later)


def test_poke_mode_goes_on_until_the_data_is_there(make_sensor: MakeSensor, put: Callable[[], None]) -> None:
    sensor = make_sensor()
    pokes: list[Any] = []
    look = sensor.poke

    def poke(context: Any) -> bool | PokeReturnValue:
        if len(pokes) == 2:
            put()
        pokes.append(look(context))
        return pokes[-1]

    sensor.poke = poke  # type: ignore[method-assign]
    assert sensor.execute(make_context())["rows"] == 1
    assert [bool(found) for found in pokes] == [False, False, True]


@pytest.mark.parametrize(
    ("soft_fail", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)]
)
def test_poke_mode_times_out(make_sensor: MakeSensor, soft_fail: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        make_sensor(timeout=0.2, soft_fail=soft_fail).execute(make_context())


def test_task_is_not_deferred_when_the_window_is_complete_already(
    make_sensor: MakeSensor, put: Callable[[], None]
) -> None:
    put()
    assert make_sensor(deferrable=True).execute(make_context())["state"] == "complete"


def test_trigger_fires_once_the_data_is_there(make_sensor: MakeSensor, put: Callable[[], None]) -> None:
    sensor = make_sensor(deferrable=True)
    trigger = defer(sensor)
    looks: list[Any] = []
    look = trigger._look

    async def looking(*args: Any) -> Any:
        if len(looks) == 2:
            put()
        looks.append(await look(*args))
        return looks[-1]

    trigger._look = looking  # type: ignore[method-assign]
    event = sensor.execute_complete(make_context(), fire(trigger))
    assert (event["state"], event["rows"]) == ("complete", 1)
    assert looks[:2] == [None, None]


def test_trigger_asks_nothing_before_the_window_is_due(make_sensor: MakeSensor) -> None:
    now = datetime.now(UTC)
    # a server that is down: any request would be logged as an error and tried again
    sensor = make_sensor(
        deferrable=True,
        influx_conn_id="down",
        start=now - timedelta(hours=1),
        stop=now,
        lateness="1h",
        timeout=1,
    )
    looked: list[Any] = []
    trigger = defer(sensor)
    look = trigger._look

    async def looking(*args: Any) -> Any:
        looked.append(datetime.now(UTC))
        return await look(*args)

    trigger._look = looking  # type: ignore[method-assign]
    event = fire(trigger)
    assert event["status"] == "timeout"
    assert len(looked) == 1
    assert looked[0] >= datetime.fromisoformat(trigger.deadline)


def test_trigger_looks_first_when_the_window_becomes_due(
    make_sensor: MakeSensor, client: InfluxClient, bucket: str
) -> None:
    now = datetime.now(UTC)
    client.write_lines(bucket, [f"fleet,device=d1 temp=1 {int(now.timestamp() - 60) * 10**9}"])
    sensor = make_sensor(deferrable=True, start=now - timedelta(hours=1), stop=now, lateness="3s")
    event = fire(defer(sensor))
    assert event["status"] == "success"
    assert datetime.now(UTC) >= now + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, AirflowSensorTimeout),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSkipException),
    ],
)
def test_deferred_task_times_out(
    make_sensor: MakeSensor, settings: dict[str, Any], error: type[Exception]
) -> None:
    sensor = make_sensor(deferrable=True, timeout=0.5, **settings)
    event = fire(defer(sensor))
    assert event["status"] == "timeout"
    with pytest.raises(error):
        sensor.resume_execution("execute_complete", {"event": event}, make_context())


@pytest.mark.parametrize("reason", ["Trigger timeout", "Trigger/execution timeout"])
@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, AirflowSensorTimeout),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSkipException),
    ],
)
def test_end_of_a_wait_without_a_triggerer_is_a_timeout(
    make_sensor: MakeSensor, settings: dict[str, Any], error: type[Exception], reason: str
) -> None:
    sensor = make_sensor(deferrable=True, **settings)
    with pytest.raises(error):
        sensor.resume_execution("__fail__", {"error": reason}, make_context())


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, AirflowFailException),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSkipException),
    ],
)
def test_permanent_error_ends_the_wait(
    make_sensor: MakeSensor, deferrable: bool, settings: dict[str, Any], error: type[Exception]
) -> None:
    sensor = make_sensor(deferrable=deferrable, influx_conn_id="wrong", **settings)
    with pytest.raises(error) as caught:
        sensor.execute(make_context())
    assert "wrong-token" not in str(caught.value)


def test_unknown_bucket_ends_the_wait(make_sensor: MakeSensor) -> None:
    with pytest.raises(AirflowFailException, match=r"BucketNotFound.*no_such_bucket"):
        make_sensor(bucket="no_such_bucket").execute(make_context())


def test_permanent_error_in_the_triggerer_fails_the_task_for_good(make_sensor: MakeSensor) -> None:
    sensor = make_sensor(deferrable=True)
    trigger = defer(sensor)
    trigger.influx_conn_id = "wrong"
    event = fire(trigger)
    assert (event["status"], event["permanent"]) == ("error", True)
    with pytest.raises(AirflowFailException, match="InfluxUnauthorized"):
        sensor.execute_complete(make_context(), event)


def test_transient_error_keeps_the_sensor_waiting(make_sensor: MakeSensor) -> None:
    assert make_sensor(influx_conn_id="down").poke(make_context()) is False


def test_transient_error_keeps_the_trigger_waiting(make_sensor: MakeSensor, put: Callable[[], None]) -> None:
    sensor = make_sensor(deferrable=True)
    trigger = defer(sensor)
    put()
    trigger.influx_conn_id = "down"
    looks: list[Any] = []
    look = trigger._look

    async def looking(*args: Any) -> Any:
        looks.append(await look(*args))
        trigger.influx_conn_id = "tele"
        return looks[-1]

    trigger._look = looking  # type: ignore[method-assign]
    assert fire(trigger)["status"] == "success"
    assert looks[0] is None


def test_bounds_come_from_the_data_interval_when_none_are_given(
    make_sensor: MakeSensor, put: Callable[[], None]
) -> None:
    put()
    sensor = make_sensor(start=None, stop=None)
    event = sensor.execute({"data_interval_start": START, "data_interval_end": STOP})
    assert event["window"] == {"start": "2024-05-06T10:00:00Z", "stop": "2024-05-06T11:00:00Z"}


def test_task_fails_for_good_when_a_parameter_is_impossible(make_sensor: MakeSensor) -> None:
    with pytest.raises(AirflowFailException, match="min_completeness"):
        make_sensor(min_completeness=2).execute(make_context())


def test_part_is_accepted_in_the_triggerer_and_the_ledger_remembers_looks(
    make_sensor: MakeSensor, put: Callable[[], None], bucket_factory: Callable[[], str], client: InfluxClient
) -> None:
    """The first look is the task's, the others are the trigger's: a source is quiet when both found the same."""
    put()
    asked: list[tuple[datetime, datetime]] = []

    def registry(start: datetime, stop: datetime) -> list[dict[str, str]]:
        asked.append((start, stop))
        return [{"device": "d1"}, {"device": "d2"}, {"device": "d3"}]

    sensor = make_sensor(
        deferrable=True,
        expected_series=registry,
        retired=[{"device": "d3"}],
        quiet_for="1s",
        accept_partial_after="0s",
        pipeline="hourly",
        ledger_bucket=bucket_factory(),
    )
    partial = sensor.execute(make_context())
    assert (partial["state"], partial["missing_series"]) == ("partial", [{"device": "d2"}])
    assert asked[0] == (START, STOP)
    patient = make_sensor(deferrable=True, quiet_for="1s", ledger_bucket=bucket_factory())
    event = patient.execute_complete(make_context(), fire(defer(patient)))
    assert event["state"] == "complete"
