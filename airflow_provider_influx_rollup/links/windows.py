"""The link of a task to its windows on the windows page, which is a page of Airflow itself."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from airflow_provider_influx_rollup.airflow_compat import BaseOperatorLink, XCom, conf
from airflow_provider_influx_rollup.windows.all_time import EVER

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import BaseOperator
    from airflow_provider_influx_rollup.windows.interval import Interval

#: a task's XCom with its URL: what the task has done is known only at its end
WINDOWS_XCOM_KEY = "influx_rollup_windows_link"
PREFIX = "/influx-rollup"
IS_THREE = find_spec("airflow.api_fastapi") is not None


class InfluxWindowsLink(BaseOperatorLink):
    """The windows of the stage's run, on the windows page."""

    name = "Windows"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The URL; empty where the task did not get that far.

        :param operator: not used, the URL is in the task's XCom
        :param ti_key: the task instance
        """
        link = XCom.get_value(key=WINDOWS_XCOM_KEY, ti_key=ti_key)
        return link if isinstance(link, str) else ""


def windows_url(conn_id: str, ledger_bucket: str, pipeline: str | None, interval: Interval | None) -> str:
    """URL of the windows page without a host: Airflow's own.

    :param conn_id: whose ledger it shows
    :param pipeline: its name, or a part of several names; None: all
    :param interval: the time that it shows; None and all time: the last days
    """
    span = {} if interval is None or interval == EVER else interval.as_json()
    view = {
        "conn": conn_id,
        "ledger": ledger_bucket,
        "q": pipeline or "",
        "from": span.get("start", ""),
        "to": span.get("stop", ""),
    }
    return f"{airflow_root()}{PREFIX}/?{urlencode({name: value for name, value in view.items() if value})}"


def airflow_root() -> str:
    """The path that Airflow is served under, such as ``/airflow``; empty for the root of its host."""
    base_url = conf.get("api" if IS_THREE else "webserver", "base_url", fallback="")
    return urlsplit(str(base_url or "")).path.rstrip("/")
