"""Labels of an organisation: several workers may make the same one, or set it, at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.requests import Request
from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.rejections import is_taken

Ask = Callable[[Request], dict[str, Any]]


def set_labels(
    ask: Ask, org_id: str, names: Iterable[str], request: Callable[[str, str], Request]
) -> dict[str, str]:
    """Set labels on something, and make those that the organisation lacks; again it is the same.

    :param ask: sends a request and returns its JSON
    :param request: sets the label of a name and an id
    :return: the ids of the organisation's labels, by name
    """
    ids = _ids(ask, org_id)
    for name in names:
        if name not in ids:
            ids |= _made(ask, org_id, name)
        try:
            ask(request(name, ids[name]))
        except InfluxRejected as error:
            # another worker was faster, or a try whose answer was lost
            if not is_taken(error):
                raise
    return ids


def _made(ask: Ask, org_id: str, name: str) -> dict[str, str]:
    try:
        return {name: str(ask(requests.make_label_request(org_id, name))["label"]["id"])}
    except InfluxRejected as error:
        ids = _ids(ask, org_id) if is_taken(error) else {}
        if name not in ids:
            raise
        return ids


def _ids(ask: Ask, org_id: str) -> dict[str, str]:
    known = ask(requests.list_labels_request(org_id))["labels"]
    return {label["name"]: label["id"] for label in known}
