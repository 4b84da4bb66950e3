"""Settings: secrets stay hidden, wrong URLs are refused."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError

SECRET = "s3cret-token"


def test_repr_shows_no_secret_when_token_and_proxy_are_given() -> None:
    def give_token(_: bool) -> str:
        return SECRET

    settings = ClientSettings(
        url="http://influx:8086/", org="dev", token=give_token, proxy=f"http://me:{SECRET}@proxy:3128"
    )
    assert SECRET not in repr(settings)
    assert "give_token" not in repr(settings)
    assert settings.url == "http://influx:8086"


@pytest.mark.parametrize(
    "url", ["", "influx:8086", "ftp://influx", "http://", "http://[::1", "file:///etc/hosts"]
)
def test_url_is_refused_when_it_is_not_of_a_server(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not that of a server: "):
        ClientSettings(url=url, org="dev", token=lambda _: "t")


def test_url_is_refused_without_being_shown_when_it_holds_a_password() -> None:
    with pytest.raises(ConfigurationError, match="holds a user or password") as caught:
        ClientSettings(url=f"http://me:{SECRET}@influx:8086", org="dev", token=lambda _: "t")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "end", [f"/?token={SECRET}", f"#{SECRET}", f"/write?u=me&p={SECRET}", f";token={SECRET}"]
)
def test_url_is_refused_without_being_shown_when_it_goes_on_after_the_server(end: str) -> None:
    for begin in ("http://influx:8086", "ftp://influx", "influx:8086", "http://influx:port", "http://[::1"):
        with pytest.raises(ConfigurationError, match=r"goes on with \? or # or ;") as caught:
            ClientSettings(url=begin + end, org="dev", token=lambda _: "t")
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"me:{SECRET}@influx:8086",
        f"http:/me:{SECRET}@influx",
        f"//me:{SECRET}@influx",
        f"http//me:{SECRET}@influx:8086",
        f"https:me:{SECRET}@influx:8086",
        f"http://[me:{SECRET}@influx",
        f"http://influx:{SECRET}",
        f"http:{SECRET}",
        f"{SECRET}://influx",
    ],
)
def test_url_is_refused_without_being_shown_when_it_has_a_slip_and_a_secret(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the InfluxDB URL") as caught:
        ClientSettings(url=url, org="dev", token=lambda _: "t")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_org_is_demanded_when_it_is_empty() -> None:
    with pytest.raises(ConfigurationError, match="organisation is missing"):
        ClientSettings(url="http://influx:8086", org="", token=lambda _: "t")


@pytest.mark.parametrize("size", [0, -1, 1_001, 10**9])
def test_pool_is_refused_when_its_size_is_not_possible(size: int) -> None:
    with pytest.raises(ConfigurationError, match="pool_size"):
        ClientSettings(url="http://influx:8086", org="dev", token=lambda _: "t", pool_size=size)
