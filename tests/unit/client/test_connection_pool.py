"""Connections are made as the settings say, and as influxdb-client, which knows InfluxDB best, would make them."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture
from urllib3 import ProxyManager

from airflow_provider_influx_rollup.client.connection_pool import connection_pool
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.official_client import official_client
from airflow_provider_influx_rollup.client.open_connections import OpenConnections
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError

CHECKOUT = Path(__file__).parents[3]
PLAIN = ClientSettings(url="http://influx:8086", org="dev", token=lambda _: "t")
PROGRAM = """
import sys
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
for url, proxy in (("http://influx:8086", None), ("https://influx", "http://user:word@proxy:3128")):
    InfluxClient(ClientSettings(url=url, org="dev", token=lambda _: "t", proxy=proxy)).close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"influxdb_client", "urllib3"}))
"""


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"pool_size": 3},
        {"url": "https://influx"},
        {"url": "https://influx", "verify_ssl": False},
        {"url": "https://influx", "ssl_ca_cert": "/etc/authorities.pem"},
        {"ssl_ca_cert": ""},
        {"proxy": "http://proxy:3128"},
        {"proxy": "https://user:p%40ss@proxy", "url": "https://influx", "verify_ssl": False},
    ],
)
def test_pool_is_the_one_that_influxdb_client_makes(change: dict[str, Any], mocker: MockerFixture) -> None:
    mocker.patch("airflow_provider_influx_rollup.client.official_client.require_readable_authorities")
    settings = replace(PLAIN, **change)
    ours = connection_pool(settings, OpenConnections())
    with official_client(settings) as client:
        theirs = client.api_client.rest_client.pool_manager
        expected = {name: value for name, value in theirs.connection_pool_kw.items() if value is not None}
        assert type(ours) is type(theirs)
        if isinstance(theirs, ProxyManager):
            assert isinstance(ours, ProxyManager)
            assert (ours.proxy, ours.proxy_headers) == (theirs.proxy, theirs.proxy_headers)
    # each of our requests says that it is not tried again by the pool
    expected.pop("retries")
    for given in (expected, ours.connection_pool_kw):
        given.pop("_proxy_config", None)
    assert {name: value for name, value in ours.connection_pool_kw.items() if value is not None} == expected


def test_client_needs_no_influxdb_client() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "['urllib3']"


def test_urls_stay_out_of_logs_at_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("urllib3"), "level", logging.DEBUG)
    connection_pool(PLAIN, OpenConnections())
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG)


def test_official_client_has_what_the_settings_say() -> None:
    settings = replace(
        PLAIN,
        connect_timeout_seconds=2.5,
        read_timeout_seconds=40,
        gzip=True,
        pool_size=3,
        proxy="http://me:p%40ss@proxy:3128",
    )
    with official_client(settings) as client:
        conf = client.api_client.configuration
        assert (client.url, client.org, client.token) == ("http://influx:8086", "dev", "t")
        assert (conf.timeout, conf.enable_gzip, conf.connection_pool_maxsize) == ((2500, 40_000), True, 3)
        assert (conf.proxy, conf.proxy_headers) == (
            "http://proxy:3128",
            {"proxy-authorization": "Basic bWU6cEBzcw=="},
        )


def test_official_client_is_refused_when_the_authorities_cannot_be_read(tmp_path: Path) -> None:
    settings = replace(PLAIN, url="https://influx", ssl_ca_cert=str(tmp_path / "none.pem"))
    for make in (official_client, InfluxClient):
        with pytest.raises(ConfigurationError, match="ssl_ca_cert="):
            make(settings)
