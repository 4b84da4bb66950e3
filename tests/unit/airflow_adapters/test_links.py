from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import BaseOperator, XCom
from airflow_provider_influx_rollup.links.influx import (
    LINKS_XCOM_KEY,
    InfluxDataLink,
    InfluxReceiptsLink,
    dashboard_url,
    explorer_url,
)
from airflow_provider_influx_rollup.links.windows import (
    IS_THREE,
    WINDOWS_XCOM_KEY,
    InfluxWindowsLink,
    windows_url,
)
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval

HOUR = Interval(datetime(2026, 3, 10, 9, tzinfo=UTC), datetime(2026, 3, 10, 10, tzinfo=UTC))
KEY = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)
LINKS = {"data": "http://influx:8086/data", "receipts": "http://influx:8086/receipts"}


def link_url(link: Any, stored: object, mocker: MockerFixture) -> str:
    get_value = mocker.patch.object(XCom, "get_value", return_value=stored)
    url: str = link.get_link(mocker.create_autospec(BaseOperator), ti_key=KEY)
    get_value.assert_called_once_with(key=LINKS_XCOM_KEY, ti_key=KEY)
    return url


def test_each_link_is_its_own_url_when_the_task_pushed_both(mocker: MockerFixture) -> None:
    assert link_url(InfluxDataLink(), LINKS, mocker) == LINKS["data"]
    assert link_url(InfluxReceiptsLink(), LINKS, mocker) == LINKS["receipts"]


@pytest.mark.parametrize("stored", [None, {}, "text", {"receipts": "x"}])
def test_link_is_empty_when_the_task_pushed_none(mocker: MockerFixture, stored: object) -> None:
    assert link_url(InfluxDataLink(), stored, mocker) == ""


def test_explorer_url_names_the_bucket_when_its_name_needs_quoting() -> None:
    url = explorer_url("http://influx:8086", "06ab", "a b&c/é")
    assert url == "http://influx:8086/orgs/06ab/data-explorer?bucket=a+b%26c%2F%C3%A9"


@pytest.mark.parametrize(("organization_id", "bucket"), [(None, "b"), ("06ab", None), ("06ab", "")])
def test_explorer_url_is_the_first_page_when_a_part_is_unknown(
    organization_id: str | None, bucket: str | None
) -> None:
    assert explorer_url("http://influx:8086", organization_id, bucket) == "http://influx:8086"


def test_dashboard_shows_the_time_of_the_run_and_the_bucket() -> None:
    parts = urlsplit(dashboard_url("http://influx:8086/ui", "06ab", "0a1b2c3d4e5f6071", "a b&c", HOUR))
    assert parts.path == "/ui/orgs/06ab/dashboards/0a1b2c3d4e5f6071"
    assert parse_qs(parts.query) == {
        "lower": ["2026-03-10T09:00:00Z"],
        "upper": ["2026-03-10T10:00:00Z"],
        "vars[bucket]": ["a b&c"],
    }
    without = urlsplit(dashboard_url("http://influx:8086", "06ab", "0a1b2c3d4e5f6071", None, HOUR))
    assert set(parse_qs(without.query)) == {"lower", "upper"}
    assert dashboard_url("http://influx:8086", None, "0a1b2c3d4e5f6071", "b", HOUR) == "http://influx:8086"


def test_windows_link_has_the_time_and_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    section = "API" if IS_THREE else "WEBSERVER"
    monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://data.example.com/airflow/")
    parts = urlsplit(windows_url("tele", "book", "raw/m->1h{a=b|c}", HOUR))
    assert (parts.netloc, parts.path) == ("", "/airflow/influx-rollup/")
    assert parse_qs(parts.query) == {
        "conn": ["tele"],
        "ledger": ["book"],
        "q": ["raw/m->1h{a=b|c}"],
        "from": ["2026-03-10T09:00:00Z"],
        "to": ["2026-03-10T10:00:00Z"],
    }


@pytest.mark.parametrize("interval", [None, EVER])
def test_windows_link_shows_the_last_days_when_a_task_is_about_no_time(interval: Interval | None) -> None:
    parts = urlsplit(windows_url("tele", "book", None, interval))
    assert parts.path == "/influx-rollup/"
    assert parse_qs(parts.query) == {"conn": ["tele"], "ledger": ["book"]}


@pytest.mark.parametrize("stored", ["/influx-rollup/?conn=tele", None, {"data": "x"}])
def test_windows_link_is_what_the_task_pushed(mocker: MockerFixture, stored: object) -> None:
    get_value = mocker.patch.object(XCom, "get_value", return_value=stored)
    url = InfluxWindowsLink().get_link(mocker.create_autospec(BaseOperator), ti_key=KEY)
    get_value.assert_called_once_with(key=WINDOWS_XCOM_KEY, ti_key=KEY)
    assert url == (stored if isinstance(stored, str) else "")
