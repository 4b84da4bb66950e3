"""The few calls to InfluxDB that a start needs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from dev.influx_server.errors import ServerError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def call(
    url: str, path: str, *, token: str | None = None, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """Send one request and give the status and the decoded answer.

    :param url: the server's address
    :param path: path and query
    :param token: sent as the Authorization header
    :param body: when given, the request is a POST
    :raises OSError: when nothing answers
    """
    request = urllib.request.Request(url.rstrip("/") + path)
    if token is not None:
        request.add_header("Authorization", f"Token {token}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    # A proxy from the environment cannot reach this machine's own loopback.
    handlers = [urllib.request.ProxyHandler({})] if urllib.parse.urlsplit(url).hostname in LOOPBACK else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return answer.status, _decoded(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _decoded(error.read())


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(content or b"{}")
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def health(url: str) -> dict[str, Any] | None:
    """Give the answer of /health when it is InfluxDB's and says pass, else None."""
    try:
        status, answer = call(url, "/health")
    except (OSError, ValueError):
        return None
    return answer if status == 200 and answer.get("status") == "pass" else None


def wait_until_healthy(url: str, check_alive: Callable[[], None], seconds: float = 90) -> None:
    """Return when /health passes.

    :param check_alive: raises when the server has ended, which ends the wait
    :raises ServerError: after the given seconds
    """
    deadline = time.monotonic() + seconds
    while health(url) is None:
        check_alive()
        if time.monotonic() > deadline:
            raise ServerError(f"{url} was not healthy within {seconds:.0f} s")
        time.sleep(0.05)
    # Had it lost its port to another server, that one would have answered.
    check_alive()


def set_up(url: str, *, org: str, bucket: str, username: str, password: str, token: str) -> None:
    """Make the organisation, bucket, user and operator token of a new server; do nothing on one that has them."""
    if not call(url, "/api/v2/setup")[1].get("allowed"):
        return
    body = {"username": username, "password": password, "org": org, "bucket": bucket, "token": token}
    status, answer = call(url, "/api/v2/setup", body={**body, "retentionPeriodSeconds": 0})
    if status != 201:
        raise ServerError(f"{url} refused the set-up with {status}: {answer.get('message', answer)}")


def check_token(url: str, org: str, token: str) -> None:
    """Raise a message that names the cause unless the token sees the organisation."""
    query = urllib.parse.urlencode({"org": org})
    try:
        status, answer = call(url, f"/api/v2/orgs?{query}", token=token)
    except (OSError, ValueError) as error:
        raise ServerError(f"{url} does not answer: {error}") from error
    if status == 401:
        raise ServerError(f"{url} does not accept the token")
    if status != 200 or not answer.get("orgs"):
        raise ServerError(f"{url} knows no organisation {org!r} for this token ({status})")
