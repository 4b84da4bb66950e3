"""The plugin that brings the windows page into Airflow's UI. Every Airflow process imports it, so that it loads little."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_influx_rollup.links.windows import IS_THREE, PREFIX, airflow_root

NAME = "InfluxDB windows"


class _WhenServed:
    """A list of a plugin that only web servers ask for, and that is made when one asks.

    :param make: makes it, with what it has to import
    """

    def __init__(self, make: Callable[[], list[dict[str, Any]]]) -> None:
        self._make = cache(make)

    def __get__(self, _instance: object, _owner: type) -> list[dict[str, Any]]:
        return self._make()


def _apps_of_three() -> list[dict[str, Any]]:
    if not IS_THREE:
        return []
    from airflow_provider_influx_rollup.page.fastapi_app import make_app

    return [{"app": make_app(f"{airflow_root()}/"), "url_prefix": PREFIX, "name": NAME}]


def _links_of_three() -> list[dict[str, Any]]:
    if not IS_THREE:
        return []
    return [
        {
            "name": NAME,
            "href": f"{airflow_root()}{PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "influx-rollup-windows",
        }
    ]


def _views_of_two() -> list[dict[str, Any]]:
    if IS_THREE:
        return []
    from airflow_provider_influx_rollup.page.flask_view import WindowsView

    return [{"name": NAME, "category": "Browse", "view": WindowsView()}]


class WindowsPagePlugin(AirflowPlugin):
    """Registered in the provider's metadata."""

    name = "influx_rollup_windows"
    fastapi_apps = _WhenServed(_apps_of_three)
    external_views = _WhenServed(_links_of_three)
    appbuilder_views = _WhenServed(_views_of_two)
