"""The page on Airflow 2.11: a view of its web server, each route of which asks the auth manager first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.auth.managers.models.resource_details import (  # type: ignore[import-not-found, unused-ignore]
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.www.extensions.init_auth_manager import (  # type: ignore[import-not-found, unused-ignore]
    get_auth_manager,
)
from flask import Response, jsonify, make_response, request
from flask_appbuilder import BaseView, expose  # type: ignore[import-not-found, unused-ignore]

from airflow_provider_influx_rollup.airflow_compat import conf
from airflow_provider_influx_rollup.page import api
from airflow_provider_influx_rollup.page.access import RunKey
from airflow_provider_influx_rollup.page.static_files import HEADERS, HTML, MIME_TYPES, etag, file_bytes
from airflow_provider_influx_rollup.page.task_instances import connections_to_influx, failed_of

NOT_MODIFIED, UNAUTHORIZED, FORBIDDEN = 304, 401, 403
SIGN_IN = '<!doctype html><html lang="en"><title>Sign in</title><p>Not signed in. <a href="{url}">Sign in</a></p></html>'
Route = Callable[..., Response]


class UserOfTwo:
    """The rights of the user of this request."""

    is_three = False

    def readable_connections(self, configured: Sequence[str]) -> list[str]:
        """Connections that the user may read."""
        return [name for name in configured or connections_to_influx() if may_read(name)]

    def failed_runs(self, keys: Collection[RunKey]) -> set[RunKey]:
        """Those that have failed, of DAGs whose task instances the user may read."""
        dag_ids = {dag_id for dag_id in {key.dag_id for key in keys} if _may_read_runs(dag_id)}
        readable = [key for key in keys if key.dag_id in dag_ids]
        return failed_of(readable) if readable else set()

    def run_url(self, key: RunKey) -> str | None:
        """The task instance in the grid of its DAG."""
        if not _may_read_runs(key.dag_id):
            return None
        chosen = {"dag_run_id": key.run_id, "task_id": key.task_id, "tab": "logs"}
        if key.map_index >= 0:
            chosen["map_index"] = str(key.map_index)
        return f"{site_root()}/dags/{quote(key.dag_id, safe='')}/grid?{urlencode(chosen)}"


def site_root() -> str:
    """Path of the site, without a slash at its end."""
    return urlsplit(str(conf.get("webserver", "base_url", fallback=""))).path.rstrip("/")


def may_read(conn_id: str | None) -> bool:
    """Whether the user may read a connection; None: connections at all."""
    details = ConnectionDetails(conn_id=conn_id)
    return bool(get_auth_manager().is_authorized_connection(method="GET", details=details))


def _may_read_runs(dag_id: str) -> bool:
    return bool(
        get_auth_manager().is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.TASK_INSTANCE, details=DagDetails(id=dag_id)
        )
    )


def guarded(route: Route) -> Route:
    """A route that answers only those who may read its connection; a page without one, whoever may read connections."""

    @wraps(route)
    def checked(*args: Any, **kwargs: Any) -> Response:
        if may_read(kwargs.get("connection_id")):
            return route(*args, **kwargs)
        if not get_auth_manager().is_logged_in():
            return _refused(UNAUTHORIZED)
        return _refused(FORBIDDEN)

    return checked


def _refused(status: int) -> Response:
    if status == UNAUTHORIZED and request.accept_mimetypes.best == "text/html":
        url = get_auth_manager().get_url_login(next_url=request.url)
        return make_response(SIGN_IN.format(url=url), status, {**HEADERS, "Content-Type": HTML})
    told = "Not signed in." if status == UNAUTHORIZED else "Forbidden."
    return _json({"error": told}, status)


class WindowsView(BaseView):  # type: ignore[misc, unused-ignore]
    """The page and its API."""

    route_base = "/influx-rollup"
    default_view = "page"
    base_permissions: list[str] = []  # noqa: RUF012 - Flask-AppBuilder reads a list of the class

    @expose("/")  # type: ignore[untyped-decorator, unused-ignore]
    @guarded
    def page(self) -> Response:
        """The shell of the page."""
        return make_response(file_bytes("windows.html"), 200, {**HEADERS, "Content-Type": HTML})

    @expose("/static/<any(" + ", ".join(f'"{name}"' for name in MIME_TYPES) + "):name>")  # type: ignore[untyped-decorator, unused-ignore]
    @guarded
    def static(self, name: str) -> Response:
        """A built file."""
        headers = {**HEADERS, "ETag": etag(name), "Content-Type": MIME_TYPES[name]}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return make_response(b"", NOT_MODIFIED, headers)
        return make_response(file_bytes(name), 200, headers)

    @expose("/api/connections")  # type: ignore[untyped-decorator, unused-ignore]
    @guarded
    def connections(self) -> Response:
        """The connections that the user may read."""
        return _json(api.connections(UserOfTwo()))

    @expose("/api/connections/<connection_id>/<any(" + ", ".join(api.ANSWERS) + "):name>")  # type: ignore[untyped-decorator, unused-ignore]
    @guarded
    def answer(self, connection_id: str, name: str) -> Response:
        """An answer about the windows of a connection."""
        asked = api.Request(
            conn_id=connection_id, values=request.args.to_dict(flat=False), access=UserOfTwo()
        )
        try:
            return _json(api.answer(name, asked))
        except api.PageError as error:
            return _json({"error": error.told}, error.status)


def _json(values: dict[str, Any], status: int = 200) -> Response:
    answered = make_response(jsonify(values), status)
    answered.headers["Cache-Control"] = "no-store"
    return answered
