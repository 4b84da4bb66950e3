from __future__ import annotations

import json
import logging
import traceback
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger

pytestmark = [pytest.mark.live, pytest.mark.airflow]

CONN_ID = "secretive"
WRONG = "wr0ng-t0ken-8f3a"
PROXY_PASSWORD = "pr0xy-pa55w0rd"


@pytest.fixture(autouse=True)
def no_clients_left() -> Iterator[None]:
    close_all_clients()
    yield
    close_all_clients()


@pytest.fixture
def connect(influx: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., InfluxRollupHook]:
    def make_hook(token: str, host: str | None = None, **extra: Any) -> InfluxRollupHook:
        connection = {
            "conn_type": "influx_rollup",
            "host": host or influx.url,
            "password": token,
            "extra": {"org": influx.org, "deadline_seconds": 0.3, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SECRETIVE", json.dumps(connection))
        return InfluxRollupHook(CONN_ID)

    return make_hook


@pytest.fixture
def logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """All that was logged, whichever way: Airflow 3 prints what Airflow 2 gives to the standard library."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool"):
        # Airflow's set-up switches off loggers that it does not know
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        caplog.set_level(logging.DEBUG, logger=name)

    def text() -> str:
        captured = capfd.readouterr()
        return caplog.text + captured.out + captured.err

    return text


def all_words(error: BaseException) -> str:
    return f"{error} {error!r} {error.args} {''.join(traceback.format_exception(error))}"


def test_token_is_in_no_log_when_requests_work(
    connect: Callable[..., InfluxRollupHook], influx: Any, logged: Callable[[], str]
) -> None:
    hook = connect(influx.token, retries=1)
    hook.client.query('buckets() |> filter(fn: (r) => r.name == "dev")')
    assert hook.test_connection()[0]
    text = logged()
    assert 'extra "retries" is unknown' in text
    assert "/api/v2/query" in text
    assert influx.token not in text


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"org": "nowhere"},
        {"host": "http://127.0.0.1:1"},
        {"ssl_ca_cert": "/no/such/file.pem", "host": "https://127.0.0.1:1"},
    ],
)
def test_token_is_in_no_log_or_error_when_requests_fail(
    connect: Callable[..., InfluxRollupHook], logged: Callable[[], str], wrong: dict[str, Any]
) -> None:
    hook = connect(WRONG, **wrong)
    with pytest.raises(InfluxRollupError) as caught:
        hook.client.query("buckets()")
    assert WRONG not in all_words(caught.value)
    assert WRONG not in hook.test_connection()[1]
    assert WRONG not in logged()


@pytest.mark.parametrize("bad", ["t0ken with\nnewline-8f3a", "t0kén-8f3a"])
def test_token_is_in_no_error_when_a_header_cannot_carry_it(
    connect: Callable[..., InfluxRollupHook], bad: str
) -> None:
    with pytest.raises(InfluxRollupError) as caught:
        connect(bad).client.query("buckets()")
    assert "8f3a" not in all_words(caught.value)


def test_token_is_in_no_repr_when_objects_are_printed(connect: Callable[..., InfluxRollupHook]) -> None:
    hook = connect(WRONG, proxy=f"http://me:{PROXY_PASSWORD}@127.0.0.1:1")
    client = hook.get_conn()
    printed = " ".join(map(repr, (hook, client, hook.settings, hook.settings.token, vars(hook))))
    assert CONN_ID in printed
    assert WRONG not in printed
    assert PROXY_PASSWORD not in printed


def test_airflow_masks_token_and_proxy_password_when_a_client_was_made(
    connect: Callable[..., InfluxRollupHook],
) -> None:
    token, password = uuid.uuid4().hex, uuid.uuid4().hex
    text = f"a line with {token} and {password}"
    assert redact(text) == text
    connect(token, proxy=f"http://me:{password}@127.0.0.1:1").get_conn()
    assert redact(text) == "a line with *** and ***"


def test_token_is_not_in_what_airflow_stores_when_a_task_is_rendered_or_deferred(
    connect: Callable[..., InfluxRollupHook], influx: Any
) -> None:
    connect(influx.token).get_conn()
    operator = InfluxStageOperator(task_id="stage", influx_conn_id=CONN_ID)
    rendered = {name: getattr(operator, name) for name in operator.template_fields}
    trigger = LifecycleJobTrigger("rollup", {}, [], {}, influx_conn_id=CONN_ID)
    assert influx.token not in f"{rendered} {operator!r} {trigger.serialize()} {trigger!r}"
