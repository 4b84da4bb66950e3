"""Buckets that are renamed and swapped, by the API and without the product."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dev.influx_http import InfluxAddress

if TYPE_CHECKING:
    from tests.conftest import InfluxServer


def rename_bucket(server: InfluxServer, name: str, new_name: str) -> str:
    """Give a bucket another name; returns it."""
    address = InfluxAddress(server.url, server.org, server.token)
    bucket_id = id_of(server, name)
    address.request("PATCH", f"/api/v2/buckets/{bucket_id}", json.dumps({"name": new_name}).encode())
    return new_name


def delete_bucket(server: InfluxServer, name: str) -> None:
    """Delete a bucket and all that is in it."""
    InfluxAddress(server.url, server.org, server.token).request(
        "DELETE", f"/api/v2/buckets/{id_of(server, name)}"
    )


def id_of(server: InfluxServer, name: str) -> str:
    """The id of the bucket that has a name now."""
    address = InfluxAddress(server.url, server.org, server.token)
    (found,) = address.request("GET", "/api/v2/buckets", org=server.org, name=name)["buckets"]
    return str(found["id"])
