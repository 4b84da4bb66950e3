"""Asks the windows page of this Airflow, in a process of its own, as several users; and finds all of its routes.

``python -m tests.scenes.windows_page`` reads JSON requests (user, method, path) and prints the answers and the routes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PREFIX = "/influx-rollup"
#: nobody, a user without the right to read connections, and one with it
ANONYMOUS, VIEWER, OPERATOR = USERS = ("anonymous", "viewer", "op")
PASSWORD = "page-test"
CONNECTION = "connection_id"
FOREIGN, OWN_PAGE = "another origin", "own page"
#: what a form of any page may send
FORM_TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
BACKFILL = {"dag_id": "none-such", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one request."""

    user: str
    method: str
    path: str
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a process has found.

    :param routes: method and path of each route of the page; the name of the connection is ``{connection_id}``
    """

    routes: Sequence[tuple[str, str]]
    answers: Sequence[Answer]

    def of(self, user: str, path: str, method: str = "GET") -> Answer:
        """The answer to a request."""
        return next(a for a in self.answers if (a.user, a.method, a.path) == (user, method, path))


def ask_page(home: Path, connections: Mapping[str, Mapping[str, Any]], paths: Sequence[str] = ()) -> Asked:
    """Ask every route as every user, and some paths as the operator.

    :param home: the AIRFLOW_HOME of the process
    :param connections: of the metadata database, by id; the first one stands for all in the routes
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")])),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer,op:op",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "of a server that lives for seconds, and is long enough to sign",
        "AIRFLOW__API__SECRET_KEY": "likewise",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "likewise",
    }
    home.mkdir(parents=True, exist_ok=True)
    (home / "passwords.json").write_text(json.dumps({VIEWER: PASSWORD, OPERATOR: PASSWORD}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenes.windows_page"],
        input=json.dumps({"connections": connections, "paths": list(paths)}),
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return Asked([tuple(route) for route in found["routes"]], [Answer(**one) for one in found["answers"]])


def _main() -> None:
    asked = json.load(sys.stdin)
    _fill(asked["connections"])
    site = _Three() if _is_three() else _Two()
    first = next(iter(asked["connections"]))
    requests = [
        (user, method, path.replace(f"{{{CONNECTION}}}", first))
        for user in USERS
        for method, path in site.routes
    ]
    requests += [
        (OPERATOR, method, path.replace(f"{{{CONNECTION}}}", first))
        for _, path in site.routes
        for method in ("POST", "PUT", "PATCH", "DELETE")
    ]
    requests += [(OPERATOR, "GET", path) for path in asked["paths"]]
    answers = [site.ask(*request) for request in requests]
    answers += site.ask_from_elsewhere()
    sys.stdout.write(json.dumps({"routes": site.routes, "answers": answers}) + "\n")


def _is_three() -> bool:
    import airflow

    return int(airflow.__version__.split(".")[0]) >= 3


def _fill(connections: Mapping[str, Mapping[str, Any]]) -> None:
    from airflow.models.connection import Connection
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        for conn_id, fields in connections.items():
            session.add(
                Connection(conn_id=conn_id, **{**fields, "extra": json.dumps(fields.get("extra", {}))})
            )


class _Three:
    """Airflow 3.x, by the test client of its web framework."""

    def __init__(self) -> None:
        from airflow.api_fastapi.app import create_app
        from fastapi.testclient import TestClient

        self.app = create_app(apps="core")
        self.client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        self.routes = sorted(_routes(self.app.routes, ""))
        self.tokens = {user: self._token(user) for user in (VIEWER, OPERATOR)}

    def _token(self, user: str) -> str:
        answered = self.client.post("/auth/token", json={"username": user, "password": PASSWORD})
        return str(answered.json()["access_token"])

    def ask(self, user: str, method: str, path: str) -> dict[str, Any]:
        # as a browser does, which has a cookie and no header
        cookies = {} if user == ANONYMOUS else {"_token": self.tokens[user]}
        self.client.cookies.clear()
        self.client.cookies.update(cookies)
        return self._answer(user, method, path)

    def ask_from_elsewhere(self) -> list[dict[str, Any]]:
        """What a page of another origin can have a browser send to the API that the button of the page uses."""
        path, body = "/api/v2/backfills", json.dumps(BACKFILL)
        origin = {"Origin": "https://elsewhere.example"}
        asks_first = {
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        self.client.cookies.clear()
        answers = [
            self._answer(FOREIGN, "OPTIONS", path, headers=asks_first),
            # the cookie stays away from a POST of another site
            self._answer(FOREIGN, "POST", path, json=BACKFILL, headers=origin),
        ]
        self.client.cookies.update({"_token": self.tokens[OPERATOR]})
        # even if it came along: a form needs nobody's leave, and sends no JSON
        answers += [
            self._answer(
                f"{FOREIGN} {kind}", "POST", path, content=body, headers={**origin, "Content-Type": kind}
            )
            for kind in FORM_TYPES
        ]
        # the same body, from Airflow's own page
        answers.append(self._answer(OWN_PAGE, "POST", path, json=BACKFILL))
        return answers

    def _answer(self, user: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        answered = self.client.request(method, path, **request)
        return {
            "user": user,
            "method": method,
            "path": path,
            "status": answered.status_code,
            "text": answered.text,
            "headers": dict(answered.headers),
        }


def _routes(routes: Sequence[Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Every route below the page's prefix, in whatever is mounted there."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "routes", None)
        if not path.startswith(PREFIX):
            continue
        if inner is not None:
            yield from _routes(inner, path)
        for method in getattr(route, "methods", None) or ():
            yield method, path


class _Two:
    """Airflow 2.11, by the test client of its web framework."""

    def __init__(self) -> None:
        from airflow.www.app import create_app

        self.app = create_app(testing=True)
        self.routes = sorted(
            (method, path)
            for rule in self.app.url_map.iter_rules()
            if rule.rule.startswith(PREFIX)
            for method in rule.methods or ()
            if method not in ("HEAD", "OPTIONS")
            for path in _filled(rule.rule)
        )
        self.clients = {user: self._client(user) for user in USERS}

    def _client(self, user: str) -> Any:
        client = self.app.test_client()
        if user == ANONYMOUS:
            return client
        manager = self.app.appbuilder.sm
        role = manager.find_role({VIEWER: "Viewer", OPERATOR: "Op"}[user])
        manager.add_user(user, "A", "B", f"{user}@example.com", role, password=PASSWORD)
        # the form's own token is not what is tried here
        self.app.config["WTF_CSRF_ENABLED"] = False
        answered = client.post("/login/", data={"username": user, "password": PASSWORD})
        self.app.config["WTF_CSRF_ENABLED"] = True
        assert answered.status_code == 302, answered.text
        return client

    def ask_from_elsewhere(self) -> list[dict[str, Any]]:
        """Nothing: the page has no button on 2.11."""
        return []

    def ask(self, user: str, method: str, path: str) -> dict[str, Any]:
        answered = self.clients[user].open(path, method=method)
        return {
            "user": user,
            "method": method,
            "path": path,
            "status": answered.status_code,
            "text": answered.get_data(as_text=True),
            "headers": dict(answered.headers),
        }


def _filled(rule: str) -> list[str]:
    """A rule as paths: each of ``any(...)``, and the connection as its name."""
    head, converter, rest = rule.partition("<any(")
    if not converter:
        return [rule.replace(f"<{CONNECTION}>", f"{{{CONNECTION}}}")]
    names, _, tail = rest.partition("):name>")
    return [path for name in names.split(",") for path in _filled(head + name.strip(' "') + tail)]


if __name__ == "__main__":
    _main()
