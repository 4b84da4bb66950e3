"""Extra links of a task: its data and its receipts in the InfluxDB UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow_provider_influx_rollup.airflow_compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import BaseOperator
    from airflow_provider_influx_rollup.windows.interval import Interval

#: a task's XCom with the URLs of its links: workers know the connection, the web server may not
LINKS_XCOM_KEY = "influx_rollup_links"


class _InfluxLink(BaseOperatorLink):
    """A URL that the task itself pushed; no URL where the task did not get that far."""

    link_key = ""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The URL.

        :param operator: not used, the URL is in the task's XCom
        :param ti_key: the task instance
        """
        links = XCom.get_value(key=LINKS_XCOM_KEY, ti_key=ti_key)
        return str(links.get(self.link_key, "")) if isinstance(links, dict) else ""


class InfluxDataLink(_InfluxLink):
    """The stage's data in InfluxDB: on the connection's dashboard, with the time of the run, or in the data explorer."""

    name = "InfluxDB data"
    link_key = "data"


class InfluxReceiptsLink(_InfluxLink):
    """The receipts' bucket in InfluxDB's data explorer."""

    name = "InfluxDB receipts"
    link_key = "receipts"


def explorer_url(url: str, organization_id: str | None, bucket: str | None) -> str:
    """URL of InfluxDB's data explorer with a bucket chosen; without an organisation, the UI's first page.

    Its address takes no time: only dashboards do.

    :param url: the server, without a slash at its end
    :param organization_id: the organisation's id
    :param bucket: the bucket's name
    """
    if organization_id is None or not bucket:
        return url
    query = urlencode({"bucket": bucket})
    return f"{url}/orgs/{quote(organization_id, safe='')}/data-explorer?{query}"


def dashboard_url(
    url: str, organization_id: str | None, dashboard: str, bucket: str | None, interval: Interval
) -> str:
    """URL of a dashboard of InfluxDB that shows a time; without an organisation, the UI's first page.

    :param url: the server, without a slash at its end
    :param organization_id: the organisation's id
    :param dashboard: the dashboard's id
    :param bucket: the value of its variable ``bucket``, if it has one
    :param interval: the time that it shows
    """
    if organization_id is None:
        return url
    span = interval.as_json()
    view = {"lower": span["start"], "upper": span["stop"], **({"vars[bucket]": bucket} if bucket else {})}
    return f"{url}/orgs/{quote(organization_id, safe='')}/dashboards/{quote(dashboard, safe='')}?{urlencode(view)}"
