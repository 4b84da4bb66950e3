from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.hooks.connection_settings import ConnectionReading, client_settings
from airflow_provider_influx_rollup.settings import RollupSettings


@dataclass
class Fields:
    """A connection as Airflow gives it, without Airflow."""

    conn_type: str | None = "influx_rollup"
    host: str | None = "influx"
    port: int | None = None
    schema: str | None = None
    password: str | None = "secret-token"
    extra_dejson: dict[str, Any] = field(default_factory=lambda: {"org": "acme"})
    stored: str | None = None

    @property
    def extra(self) -> str:
        return json.dumps(self.extra_dejson) if self.stored is None else self.stored


def read(**fields: Any) -> ConnectionReading:
    return ConnectionReading.of("tele", Fields(**fields))


def settings_of(extras: dict[str, Any], *, org: str | None = None) -> ClientSettings:
    reading = read(extra_dejson=extras)
    return client_settings(reading, org=org, token=lambda _: "secret-token", defaults=RollupSettings())


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "influx"}, "http://influx:8086"),
        ({"host": "influx", "port": 9999, "schema": "https"}, "https://influx:9999"),
        ({"host": "https://influx.example.com"}, "https://influx.example.com"),
        ({"host": "https://influx.example.com/db/", "port": 8443}, "https://influx.example.com:8443/db"),
        ({"host": "http://influx:1234", "port": 8086}, "http://influx:1234"),
        ({"host": "::1"}, "http://[::1]:8086"),
        ({"conn_type": "influxdb"}, "https://influx:443"),
        ({"conn_type": "influxdb", "schema": "http"}, "http://influx:8086"),
        ({"conn_type": "influxdb", "port": 8086, "schema": "http"}, "http://influx:8086"),
    ],
)
def test_url_is_made_of_scheme_host_and_port_when_they_are_given(fields: dict[str, Any], url: str) -> None:
    assert read(**fields).url() == url


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": None}, ['connection "tele" has no host']),
        ({"host": "  "}, ['connection "tele" has no host']),
        ({"schema": "ftp"}, ["schema", "'ftp'", "http or https"]),
        ({"host": "ftp://influx"}, ["host", "ftp", "http or https"]),
        ({"host": "https://me:hunter2@influx"}, ["user or password", "tele"]),
    ],
)
def test_url_is_refused_and_the_field_named_when_it_cannot_be_used(
    fields: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**fields).url()
    assert all(word in str(caught.value) for word in words)
    assert "hunter2" not in str(caught.value)


def test_token_is_the_password_when_both_it_and_the_extra_are_there() -> None:
    assert read(extra_dejson={"token": "other"}).token() == "secret-token"


def test_token_and_org_come_from_the_extras_when_the_connection_is_of_the_official_type() -> None:
    reading = read(conn_type="influxdb", password=None, extra_dejson={"token": "t0ken", "org_name": "acme"})
    assert (reading.token(), reading.org()) == ("t0ken", "acme")
    assert reading.unknown_extras() == []


@pytest.mark.parametrize("password", [None, ""])
def test_missing_token_is_refused_by_name_when_the_password_is_empty(password: str | None) -> None:
    with pytest.raises(ConfigurationError, match='connection "tele" has no token'):
        read(password=password).token()


def test_a_uri_with_an_underscore_is_told_to_have_a_hyphen() -> None:
    # what Airflow reads of influx_rollup://:hunter2@influx:8086/?org=acme
    reading = read(conn_type="", host="", schema="nflux_rollup//:hunter2@influx:8086/", password=None)
    for asked in (reading.token, reading.url):
        with pytest.raises(
            ConfigurationError, match=r"and no type.*influx-rollup://, and where it"
        ) as caught:
            asked()
        assert "hunter2" not in str(caught.value)


def test_missing_org_is_refused_by_name_when_nothing_gives_it() -> None:
    with pytest.raises(ConfigurationError, match='connection "tele" has no org'):
        read(extra_dejson={}).org()


def test_org_of_the_operator_wins_when_the_connection_has_one_too() -> None:
    assert settings_of({"org": "acme"}, org="other").org == "other"


def test_unknown_extras_are_named_and_not_passed_on_when_there_are_some() -> None:
    reading = read(extra_dejson={"org": "acme", "retries": 9, "debug": True})
    assert reading.unknown_extras() == ["debug", "retries"]


@pytest.mark.parametrize("stored", ['{"org": "acme", "proxy": hunter2}', '["hunter2"]', '"hunter2"', "5"])
def test_extras_are_refused_and_not_repeated_when_they_are_no_json_object(stored: str) -> None:
    # Airflow says that there are none
    with pytest.raises(
        ConfigurationError, match='the extras of connection "tele" are no JSON object'
    ) as caught:
        read(extra_dejson={}, stored=stored)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_there_are_no_extras_when_none_are_stored() -> None:
    assert read(extra_dejson={}, stored="").extras == {}


def test_extras_of_old_forms_are_read_when_they_have_a_prefix_or_are_empty() -> None:
    settings = settings_of({"extra__influx_rollup__org": "acme", "proxy": "", "pool_size": None})
    assert (settings.org, settings.proxy, settings.pool_size) == ("acme", None, 8)


def test_extras_win_over_the_config_section_when_both_are_there() -> None:
    extras = {
        "org": "acme",
        "verify_ssl": "false",
        "gzip": False,
        "ssl_ca_cert": "/etc/ca.pem",
        "connect_timeout_seconds": "2.5",
        "read_timeout_seconds": 7,
        "pool_size": "3",
        "deadline_seconds": 1,
        "max_query_seconds": "90",
        "max_query_rows": 0,
    }
    settings = settings_of(extras)
    assert (settings.verify_ssl, settings.gzip, settings.ssl_ca_cert) == (False, False, "/etc/ca.pem")
    assert (settings.connect_timeout_seconds, settings.read_timeout_seconds) == (2.5, 7)
    assert (settings.pool_size, settings.deadline_seconds) == (3, 1)
    assert (settings.max_query_seconds, settings.max_query_rows) == (90, None)


def test_config_section_is_used_when_the_extras_are_silent() -> None:
    defaults = RollupSettings(connect_timeout_seconds=1.5, read_timeout_seconds=9, pool_size=2)
    settings = client_settings(read(), org=None, token=lambda _: "x", defaults=defaults)
    assert (settings.connect_timeout_seconds, settings.read_timeout_seconds) == (1.5, 9)
    assert settings.pool_size == 2
    assert (settings.max_query_seconds, settings.max_query_rows) == (None, 1_000_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verify_ssl", "perhaps"),
        ("gzip", "2"),
        ("pool_size", "many"),
        ("deadline_seconds", -1),
        ("max_query_seconds", -1),
        ("max_query_rows", "many"),
        ("read_timeout_seconds", "nan"),
        ("connect_timeout_seconds", "inf"),
    ],
)
def test_extra_is_refused_by_name_when_its_value_is_wrong(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f'{name} of connection "tele"'):
        settings_of({"org": "acme", name: value})


def test_dashboard_is_an_id_or_none() -> None:
    assert read(extra_dejson={"org": "acme"}).dashboard() is None
    assert read(extra_dejson={"dashboard": " 0a1b2c3d4e5f6071 "}).dashboard() == "0a1b2c3d4e5f6071"


@pytest.mark.parametrize("name", ["Telemetry", "0A1B2C3D4E5F6071", "0a1b2c3d4e5f6071?x=1", 12])
def test_dashboard_is_refused_when_it_is_no_id(name: object) -> None:
    with pytest.raises(ConfigurationError, match=r'dashboard of connection "tele".*16 hexadecimal digits'):
        read(extra_dejson={"dashboard": name}).dashboard()


def test_reading_shows_no_secret_when_it_is_printed() -> None:
    assert "secret-token" not in repr(read())
