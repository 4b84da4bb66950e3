from __future__ import annotations

import asyncio
import json
import os
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowNotFoundException
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxUnauthorized,
    InfluxUnavailable,
    OrgNotFound,
)
from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from dev.influx_http import InfluxAddress

pytestmark = [pytest.mark.live, pytest.mark.airflow]

CONN_ID = "tele"
ENV = "AIRFLOW_CONN_TELE"
ASK = "buckets() |> limit(n: 1)"


@pytest.fixture(autouse=True)
def no_clients_left() -> Iterator[None]:
    close_all_clients()
    yield
    close_all_clients()


@pytest.fixture
def connect(influx: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the connection in the environment; keywords replace its fields."""

    def set_connection(*, extra: dict[str, Any] | None = None, **fields: Any) -> None:
        connection = {
            "conn_type": "influx_rollup",
            "host": influx.url,
            "password": influx.token,
            "extra": {"org": influx.org, "deadline_seconds": 0.5, **(extra or {})},
            **fields,
        }
        monkeypatch.setenv(ENV, json.dumps(connection))

    set_connection()
    return set_connection


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_test_connection_names_server_and_org_when_all_is_right(connect: Any, influx: Any) -> None:
    is_good, message = InfluxRollupHook(CONN_ID).test_connection()
    assert is_good, message
    for part in ("InfluxDB v2.", influx.url, f"organisation {influx.org}", "token works"):
        assert part in message
    assert influx.token not in message


def test_test_connection_names_a_misspelt_extra_when_there_is_one_and_not_its_value(connect: Any) -> None:
    connect(extra={"read_timeout_second": "hunter2"})
    is_good, message = InfluxRollupHook(CONN_ID).test_connection()
    assert is_good
    assert 'the extra "read_timeout_second" is unknown and not used' in message
    assert "hunter2" not in message


def test_test_connection_says_why_when_the_token_is_wrong(connect: Any) -> None:
    connect(password="not-the-token-at-all")
    is_good, message = InfluxRollupHook(CONN_ID).test_connection()
    assert not is_good
    assert "token" in message
    assert "not-the-token-at-all" not in message


def test_test_connection_names_the_org_when_it_does_not_exist(connect: Any) -> None:
    connect(extra={"org": "nowhere"})
    is_good, message = InfluxRollupHook(CONN_ID).test_connection()
    assert not is_good
    assert "nowhere" in message


def test_test_connection_names_the_server_when_it_is_down(connect: Any) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    connect(host=url)
    is_good, message = InfluxRollupHook(CONN_ID).test_connection()
    assert not is_good
    assert url in message


@pytest.mark.parametrize("field", ["host", "password", "extra"])
def test_test_connection_names_the_field_when_it_is_missing(
    connect: Any, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    connection = json.loads(os.environ[ENV])
    del connection[field]
    monkeypatch.setenv(ENV, json.dumps(connection))
    is_good, message = InfluxRollupHook(CONN_ID).test_connection()
    name = {"password": "token", "extra": "org"}.get(field, field)
    assert not is_good
    assert f'connection "{CONN_ID}" has no {name}' in message


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"password": "not-the-token-at-all"}, InfluxUnauthorized),
        ({"extra": {"org": "nowhere"}}, OrgNotFound),
        ({"host": "http://127.0.0.1:1"}, InfluxUnavailable),
        ({"password": None}, ConfigurationError),
    ],
)
def test_client_raises_the_cause_when_the_connection_is_wrong(
    connect: Any, fields: dict[str, Any], error: type[Exception]
) -> None:
    connect(**fields)
    with pytest.raises(error):
        InfluxRollupHook(CONN_ID).client.query(ASK)


def test_airflows_own_error_comes_out_when_there_is_no_such_connection() -> None:
    with pytest.raises(AirflowNotFoundException, match="no_such_conn"):
        InfluxRollupHook("no_such_conn").get_conn()


def test_official_connection_works_when_token_and_org_are_in_its_extras(
    influx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, _, rest = influx.url.partition("://")
    host, _, port = rest.partition(":")
    connection = {
        "conn_type": "influxdb",
        "host": host,
        "port": int(port),
        "schema": scheme,
        "extra": {"token": influx.token, "org_name": influx.org},
    }
    monkeypatch.setenv(ENV, json.dumps(connection))
    assert InfluxRollupHook(CONN_ID).client.query(ASK)


def test_uri_connection_works_when_it_is_in_the_environment(
    influx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, _, rest = influx.url.partition("://")
    uri = f"influx-rollup://:{influx.token}@{rest}/{scheme}?org={influx.org}&gzip=false&pool_size=2"
    monkeypatch.setenv(ENV, uri)
    hook = InfluxRollupHook(CONN_ID)
    assert hook.client.query(ASK)
    assert (hook.settings.gzip, hook.settings.pool_size) == (False, 2)


def test_unknown_extra_is_named_in_a_warning_when_the_connection_has_one(
    connect: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    connect(extra={"retries": 5})
    InfluxRollupHook(CONN_ID).get_conn()
    # Airflow 3 prints what Airflow 2 gives to the standard library
    text = caplog.text + capfd.readouterr().out
    assert 'Connection "tele": extra "retries" is unknown and not used' in text


def test_client_is_shared_when_connection_and_settings_are_the_same(connect: Any) -> None:
    first = InfluxRollupHook(CONN_ID).get_conn()
    assert InfluxRollupHook(CONN_ID).get_conn() is first
    assert InfluxRollupHook(CONN_ID, org="other").get_conn() is not first
    connect(extra={"gzip": False})
    assert InfluxRollupHook(CONN_ID).get_conn() is not first


def test_client_is_made_anew_when_the_hook_was_closed(connect: Any) -> None:
    hook = InfluxRollupHook(CONN_ID)
    first = hook.get_conn()
    hook.close()
    assert hook.get_conn() is not first
    assert hook.client.query(ASK)


def test_child_makes_its_own_client_when_the_process_forks(connect: Any) -> None:
    hook = InfluxRollupHook(CONN_ID)
    parents = hook.get_conn()
    child = os.fork()
    if child == 0:
        os._exit(0 if hook.get_conn() is not parents and hook.client.query(ASK) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert hook.get_conn() is parents
    assert parents.query(ASK)


def test_query_works_when_the_token_was_rotated_since(connect: Any, influx: Any) -> None:
    connect(password="the-old-token-before-rotation")
    client = InfluxRollupHook(CONN_ID).get_conn()
    with pytest.raises(InfluxUnauthorized):
        client.query(ASK)
    connect(password=influx.token)
    assert client.query(ASK)


def test_shared_client_has_the_new_token_when_a_later_hook_read_it(connect: Any, influx: Any) -> None:
    connect(password="the-old-token-before-rotation")
    first = InfluxRollupHook(CONN_ID).get_conn()
    connect(password=influx.token)
    second = InfluxRollupHook(CONN_ID)
    assert second.get_conn() is first
    assert second.settings.token(False) == influx.token
    assert first.query(ASK)


def test_influxdb_client_asks_the_server_with_the_connections_token(connect: Any, influx: Any) -> None:
    connect(extra={"pool_size": 2})
    hook = InfluxRollupHook(CONN_ID)
    with hook.influxdb_client() as client:
        assert (client.url, client.org) == (influx.url, influx.org)
        assert [row["name"] for table in client.query_api().query(ASK) for row in table] != []
    # its end is not the end of the client that tasks share
    assert hook.client.query(ASK)


def test_influxdb_client_has_the_new_token_when_the_token_was_rotated_since(
    connect: Any, influx: Any
) -> None:
    connect(password="the-old-token-before-rotation")
    hook = InfluxRollupHook(CONN_ID)
    with hook.influxdb_client() as client:
        assert client.token == "the-old-token-before-rotation"
    connect(password=influx.token)
    with hook.influxdb_client() as client:
        assert client.token == influx.token


def test_organization_id_is_the_servers_when_a_bucket_can_be_read(connect: Any, client: Any) -> None:
    wanted = client.query(ASK)[0]["organizationID"]
    assert InfluxRollupHook(CONN_ID).organization_id() == wanted


def test_token_works_when_the_server_lists_none_of_its_buckets(connect: Any, influx: Any) -> None:
    operator = InfluxAddress(influx.url, influx.org, influx.token)
    address = operator.new_organisation(f"crowded-{uuid.uuid4().hex[:8]}")
    (org,) = address.request("GET", "/api/v2/orgs", org=address.org)["orgs"]
    token = address.new_token([("read", "tasks")])
    connect(password=token, extra={"org": address.org})
    hook = InfluxRollupHook(CONN_ID)
    assert hook.organization_id() == org["id"]
    assert hook.test_connection()[0]
    operator.request("DELETE", f"/api/v2/orgs/{org['id']}")


def test_client_of_an_event_loop_works_when_the_token_was_rotated_since(connect: Any, influx: Any) -> None:
    connect(password="the-old-token-before-rotation")

    async def rotate() -> list[dict[str, Any]]:
        client = await InfluxRollupHook(CONN_ID).aget_conn()
        connect(password=influx.token)
        return await asyncio.to_thread(client.query, ASK)

    assert asyncio.run(rotate())
