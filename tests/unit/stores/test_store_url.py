"""Addresses of archives: what may be a secret is refused without being shown."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.stores.store_url import shown_url

SECRET = "s3cret-key"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/data/archive/", "/data/archive"),
        ("/data/what?#", "/data/what?#"),
        ("s3://lake/telemetry", "s3://lake/telemetry"),
        ("s3://aws_default@lake/telemetry/", "s3://lake/telemetry"),
        ("file:///data/archive", "file:///data/archive"),
    ],
)
def test_address_is_shown_without_its_connection_when_it_is_one(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"s3://me:{SECRET}@lake/x", "holds a key or password"),
        (f"s3://lake/x?secret={SECRET}", r"goes on with \? or #"),
        (f"s3://lake#{SECRET}", r"goes on with \? or #"),
        (f"s3:/me:{SECRET}@lake/x", "is neither absolute nor"),
        (f"s3//me:{SECRET}@lake/x", "is neither absolute nor"),
        (f"me:{SECRET}@lake/x", "is neither absolute nor"),
        (f"s3:lake/x;secret={SECRET}", "is neither absolute nor"),
        (f"s3://[lake/x?secret={SECRET}", "is no URL"),
        (f"s3://[me:{SECRET}@lake/x", "is no URL"),
    ],
)
def test_address_is_refused_without_being_shown_when_it_may_hold_a_secret(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the path of the archive {why}") as caught:
        shown_url(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_relative_path_is_named_when_it_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'data/my lake' is neither absolute"):
        shown_url("data/my lake")
