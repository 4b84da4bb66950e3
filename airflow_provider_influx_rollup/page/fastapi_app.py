"""The page on Airflow 3.x: a FastAPI application, each route of which asks Airflow's auth manager first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_connection
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from airflow_provider_influx_rollup.page import api
from airflow_provider_influx_rollup.page.access import RunKey
from airflow_provider_influx_rollup.page.static_files import HEADERS, HTML, MIME_TYPES, etag, file_bytes
from airflow_provider_influx_rollup.page.task_instances import connections_to_influx, failed_of

NOT_MODIFIED = 304


class UserOfThree:
    """The rights of a user of Airflow 3.x.

    :param user: as Airflow's own dependency gives it
    :param root: path of the site, such as ``/``
    """

    is_three = True

    def __init__(self, user: Any, root: str) -> None:
        self._user = user
        self._root = root.rstrip("/")

    def readable_connections(self, configured: Sequence[str]) -> list[str]:
        """Connections that the user may read; those of teams by the team's rules."""
        manager = get_auth_manager()
        in_database = manager.get_authorized_connections(user=self._user, method="GET")
        offered = configured or connections_to_influx()
        return [name for name in offered if name in in_database or self._may_read(name)]

    def _may_read(self, conn_id: str) -> bool:
        """Whether the user may read a connection that no team has."""
        from airflow.models.connection import Connection

        if Connection.get_team_name(conn_id) is not None:
            return False
        details = ConnectionDetails(conn_id=conn_id)
        return bool(
            get_auth_manager().is_authorized_connection(method="GET", details=details, user=self._user)
        )

    def failed_runs(self, keys: Collection[RunKey]) -> set[RunKey]:
        """Those that have failed, of DAGs whose task instances the user may read."""
        dag_ids = {dag_id for dag_id in {key.dag_id for key in keys} if self._may_read_runs(dag_id)}
        readable = [key for key in keys if key.dag_id in dag_ids]
        return failed_of(readable) if readable else set()

    def run_url(self, key: RunKey) -> str | None:
        """The page of a task instance."""
        if not self._may_read_runs(key.dag_id):
            return None
        names = (quote(name, safe="") for name in (key.dag_id, key.run_id, key.task_id))
        dag_id, run_id, task_id = names
        mapped = f"/mapped/{key.map_index}" if key.map_index >= 0 else ""
        return f"{self._root}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"

    def _may_read_runs(self, dag_id: str) -> bool:
        from airflow.models.dag import DagModel

        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return bool(
            get_auth_manager().is_authorized_dag(
                method="GET", access_entity=DagAccessEntity.TASK_INSTANCE, details=details, user=self._user
            )
        )


def make_app(root: str) -> FastAPI:
    """The application, to be mounted where the plugin says.

    :param root: path of the site, such as ``/``
    """
    # without /docs and /openapi.json, which would be routes without a check
    app = FastAPI(
        title="InfluxDB windows",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_connection("GET"))],
    )

    def page() -> Response:
        return Response(file_bytes("windows.html"), media_type=HTML, headers=HEADERS)

    def connections(user: GetUserDep) -> JSONResponse:
        return _json(api.connections(UserOfThree(user, root)))

    app.add_api_route("/", page, methods=["GET"])
    for name in MIME_TYPES:
        app.add_api_route(f"/static/{name}", _static(name), methods=["GET"])
    app.add_api_route("/api/connections", connections, methods=["GET"])
    for name in api.ANSWERS:
        path = f"/api/connections/{{connection_id}}/{name}"
        app.add_api_route(path, _answering(name, root), methods=["GET"])
    return app


def _static(name: str) -> Callable[[Request], Response]:
    def static(request: Request) -> Response:
        headers = {**HEADERS, "ETag": etag(name)}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status_code=NOT_MODIFIED, headers=headers)
        return Response(file_bytes(name), media_type=MIME_TYPES[name], headers=headers)

    return static


def _answering(name: str, root: str) -> Callable[..., JSONResponse]:
    def answering(request: Request, connection_id: str, user: GetUserDep) -> JSONResponse:
        values = {key: request.query_params.getlist(key) for key in request.query_params}
        asked = api.Request(conn_id=connection_id, values=values, access=UserOfThree(user, root))
        try:
            return _json(api.answer(name, asked))
        except api.PageError as error:
            return _json({"error": error.told}, error.status)

    return answering


def _json(values: dict[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse(values, status_code=status, headers={"Cache-Control": "no-store"})
