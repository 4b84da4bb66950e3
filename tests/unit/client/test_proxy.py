"""Proxies: their passwords are sent, and shown to nobody."""

from __future__ import annotations

import traceback
from base64 import b64encode
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.proxy import Proxy, password_of
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError

SECRET = "geheim"
IMPOSSIBLE = [
    "user:geheim@proxy:3128",
    "geheim",
    "http://",
    "http://user:geheim@",
    "http://user:geheim@proxy host:3128",
    "http://user:ge heim@127.0.0.1:1",
    "http://user:geheim\n@127.0.0.1:1",
    "socks5://user:geheim@127.0.0.1:1",
    "http://user:geheim@[::1:1",
    "http://user:geheim@[1]",
    "http://user:geheim@127.0.0.1:99999",
    "http://user:geheim@127.0.0.1:0",
    "http://user:geh/eim@127.0.0.1:1",
    "http://user:geheim@127.0.0.1:port",
    "http://user:geheim#1@127.0.0.1:1",
    "http://user:geheim?1@127.0.0.1:1",
    "http://user:geheim@127.0.0.1:1/path",
    "http://user%3Ageheim%40127.0.0.1:1",
    "http://user:geheim\ud800@127.0.0.1:1",
]


def settings_of(proxy: str | None) -> ClientSettings:
    return ClientSettings(url="http://influx:8086", org="dev", token=lambda _: "t", proxy=proxy)


@pytest.mark.parametrize(
    ("proxy", "bare", "credentials"),
    [
        ("http://proxy:3128", "http://proxy:3128", None),
        ("http://proxy", "http://proxy", None),
        ("https://[::1]:3128/", "https://[::1]:3128", None),
        ("http://me:p%40ss@proxy:3128", "http://proxy:3128", "me:p@ss"),
        ("http://me@proxy:3128", "http://proxy:3128", "me:"),
        ("http://me:gr%C3%BCn@proxy:3128", "http://proxy:3128", "me:grün"),
    ],
)
def test_credentials_go_into_a_header_when_they_are_in_the_url(
    proxy: str, bare: str, credentials: str | None
) -> None:
    read = Proxy.of(proxy)
    assert read == Proxy(bare, credentials)
    expected = credentials and {"proxy-authorization": f"Basic {b64encode(credentials.encode()).decode()}"}
    assert read.headers == expected


@pytest.mark.parametrize("proxy", IMPOSSIBLE)
def test_impossible_proxy_is_refused_without_being_shown(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="the URL of the proxy cannot be used") as caught:
        InfluxClient(settings_of(proxy))
    assert "geh" not in "".join(traceback.format_exception(caught.value))


@given(st.text(min_size=1), st.text(min_size=1).map(lambda text: f"pass{text}word"))
def test_any_password_is_sent_when_it_is_percent_encoded(user: str, password: str) -> None:
    try:
        encoded = f"{quote(user, safe='')}:{quote(password, safe='')}"
    except UnicodeEncodeError:
        return
    proxy = Proxy.of(f"http://{encoded}@proxy:3128")
    assert proxy == Proxy("http://proxy:3128", f"{user}:{password}")
    assert password not in repr(proxy)


@given(st.text())
def test_no_other_error_is_raised_whatever_the_text_is(text: str) -> None:
    for proxy in (text, f"http://{text}", f"http://user:{text}@proxy:1", f"http://proxy:{text}"):
        with suppress(ConfigurationError):
            Proxy.of(proxy)


@pytest.mark.parametrize(
    ("proxy", "password"),
    [
        (None, None),
        ("http://proxy:3128", None),
        ("http://user:geh%65im@proxy:3128", SECRET),
        ("http://user:geh/eim@proxy", "geh/eim"),
        ("http://user:geheim#1@proxy", "geheim#1"),
        ("user:geheim@proxy", SECRET),
        ("http://user@proxy", None),
    ],
)
def test_password_to_hide_is_found_when_the_url_is_not_possible_too(
    proxy: str | None, password: str | None
) -> None:
    assert password_of(proxy) == password
