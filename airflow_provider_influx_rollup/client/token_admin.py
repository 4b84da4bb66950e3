"""Tokens with given permissions, made by a token that may make others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.requests import Request
from airflow_provider_influx_rollup.exceptions import InfluxForbidden

Ask = Callable[[Request], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TokenAdmin:
    """The tokens of one organisation.

    :param ask: sends a request and returns its JSON
    :param org_id: the organisation's id; takes what it is needed for
    """

    ask: Ask
    org_id: Callable[[str], str]

    def make(self, description: str, permissions: Sequence[Mapping[str, str]]) -> tuple[str, str]:
        """Make a token.

        :param permissions: each with ``action``, ``type``, and ``id`` where it is about one resource
        :return: its id, and the token itself, which no later request returns
        :raises InfluxForbidden: when the client's own token may not make others
        """
        try:
            org_id = self.org_id("")
        except InfluxForbidden as error:
            what = "the token may not read the organisation, in which it would make another one"
            fix = "use a token that may make others, such as the first one of the organisation"
            raise InfluxForbidden(what, written="nothing", fix=fix) from error
        body = {
            "orgID": org_id,
            "description": description,
            "permissions": [
                {"action": one["action"], "resource": _resource(one, org_id)} for one in permissions
            ],
        }
        made = self.ask(requests.make_token_request(body))
        return str(made["id"]), str(made["token"])


def _resource(permission: Mapping[str, str], org_id: str) -> dict[str, str]:
    if permission["type"] == "orgs":
        return {"type": "orgs", "id": org_id}
    return {"orgID": org_id, **{key: permission[key] for key in ("type", "id") if key in permission}}
