"""One InfluxDB client per process, connection and settings, so that tasks share its pool."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.settings import ClientSettings

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

Key = tuple[object, ...]


class ConnectionToken:
    """The token of a connection; reads the connection again when asked to, after a rotation.

    :param conn_id: the connection, for the repr
    :param token: as it is now
    :param read_token: reads the connection again
    """

    def __init__(self, conn_id: str, token: str, read_token: Callable[[], str]) -> None:
        self._conn_id = conn_id
        self._token = token
        self._read_token = read_token

    def __call__(self, read_again: bool) -> str:
        """The token.

        :param read_again: whether to read the connection first
        """
        if read_again:
            self._token = self._read_token()
        return self._token

    def __repr__(self) -> str:
        """Names the connection, never the token."""
        return f"<token of connection {self._conn_id}>"

    def replace_by(self, newer: ConnectionToken) -> None:
        """Take over what a later reading of the connection found.

        :param newer: that reading
        """
        self._token = newer._token
        self._read_token = newer._read_token


_lock = threading.Lock()
_clients: dict[Key, tuple[InfluxClient, ConnectionToken]] = {}


def shared_client(conn_id: str, settings: ClientSettings, token: ConnectionToken) -> InfluxClient:
    """The client of this process for a connection and settings, made at the first call.

    :param conn_id: the connection
    :param settings: what the client is made of
    :param token: this reading's token; an existing client takes it over
    """
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

    with _lock:
        key = _key(conn_id, settings)
        if key in _clients:
            client, held = _clients[key]
            held.replace_by(token)
            return client
        client = InfluxClient(settings)
        _clients[key] = (client, token)
        return client


def close_client(conn_id: str, settings: ClientSettings) -> None:
    """Close and forget a client, if there is one.

    :param conn_id: the connection
    :param settings: what it was made of
    """
    # no lock: on_kill may interrupt the very thread that holds it
    held = _clients.pop(_key(conn_id, settings), None)
    if held is not None:
        held[0].close()


def close_all_clients() -> None:
    """Close and forget every client of this process."""
    while _clients:
        _, (client, _) = _clients.popitem()
        client.close()


def _key(conn_id: str, settings: ClientSettings) -> Key:
    return (conn_id, *(getattr(settings, f.name) for f in fields(settings) if f.name != "token"))


def _forget_after_fork() -> None:
    global _lock  # noqa: PLW0603 - a lock held by another thread during the fork stays locked forever
    _lock = threading.Lock()
    # the sockets belong to the parent: forget them, never close them
    _clients.clear()


atexit.register(close_all_clients)
os.register_at_fork(after_in_child=_forget_after_fork)
