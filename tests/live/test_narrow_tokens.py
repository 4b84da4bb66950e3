"""Tokens that may read some buckets of an organisation with many, of which the server lists not even those."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_pipelines
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import point
from tests.scenes.purge_scene import WINDOW, PurgeScene
from tests.scenes.rename_scene import delete_bucket, id_of, rename_bucket

pytestmark = pytest.mark.live
# the server lists twenty at a time, by name
OTHERS = 25


@pytest.fixture
def crowded(influx: InfluxServer) -> Iterator[InfluxServer]:
    """An organisation whose first buckets by name are those of other people."""
    operator = InfluxAddress(influx.url, influx.org, influx.token)
    address = operator.new_organisation(f"crowded-{uuid.uuid4().hex[:8]}")
    (made,) = address.request("GET", "/api/v2/orgs", org=address.org)["orgs"]
    server = InfluxServer(address.url, address.org, address.token)
    make(server, *(f"m_others_{number:02}" for number in range(OTHERS)))
    yield server
    operator.request("DELETE", f"/api/v2/orgs/{made['id']}")


def make(server: InfluxServer, *names: str) -> None:
    address = InfluxAddress(server.url, server.org, server.token)
    (org,) = address.request("GET", "/api/v2/orgs", org=server.org)["orgs"]
    for name in names:
        body = json.dumps({"name": name, "orgID": org["id"]}).encode()
        address.request("POST", "/api/v2/buckets", body)


def narrow_client(server: InfluxServer, **rights: tuple[str, ...]) -> InfluxClient:
    """A client of a token with rights on some buckets and no others, as the guide to install names them."""
    address = InfluxAddress(server.url, server.org, server.token)
    (org,) = address.request("GET", "/api/v2/orgs", org=server.org)["orgs"]
    permissions = [
        {"action": action, "resource": {"type": "buckets", "orgID": org["id"], "id": id_of(server, name)}}
        for name, actions in rights.items()
        for action in actions
    ]
    body = json.dumps({"orgID": org["id"], "permissions": permissions}).encode()
    token = str(address.request("POST", "/api/v2/authorizations", body)["token"])
    return InfluxClient(ClientSettings(url=server.url, org=server.org, token=lambda _: token))


def purged_scene(server: InfluxServer, folder: Path, rolled: str, ledger: str) -> PurgeScene:
    """A purged window of the bucket ``z_raw``, by one who may do all."""
    make(server, "z_raw", rolled, ledger)
    with InfluxClient(ClientSettings(url=server.url, org=server.org, token=lambda _: server.token)) as client:
        scene = PurgeScene(server, client, folder, "z_raw", ledger, rolled=rolled)
        scene.prepare()
        scene.purge()
        rename_bucket(server, "z_raw", "z_renamed")
        scene.bucket = "z_renamed"
        scene.points = []
        for number in range(4):
            scene.add(
                point(5 + number, {"device": "a"}, "temp", 5.0),
                point(5 + number, {"device": "b"}, "temp", 5.0),
            )
    return scene


@pytest.mark.parametrize(
    ("rolled", "ledger"),
    [("z_hourly", "z_ledger"), ("a_hourly", "a_ledger")],
    ids=["lists none", "lists some"],
)
def test_purged_window_stays_frozen_when_its_renamed_bucket_is_not_listed(
    crowded: InfluxServer, tmp_path: Path, rolled: str, ledger: str
) -> None:
    scene = purged_scene(crowded, tmp_path, rolled, ledger)
    both = ("read", "write")
    before = scene.tiers()
    with narrow_client(crowded, z_renamed=("read",), **{rolled: both, ledger: both}) as client:
        scene.client = client
        with pytest.raises(WindowFrozen):
            scene.roll(scene.hourly, WINDOW)
    assert scene.tiers().equals(before)


def test_rollup_works_when_the_server_lists_no_bucket_of_the_token(
    crowded: InfluxServer, tmp_path: Path
) -> None:
    make(crowded, "z_raw", "z_hourly", "z_ledger")
    both = ("read", "write")
    with narrow_client(crowded, z_raw=both, z_hourly=both, z_ledger=both) as client:
        scene = PurgeScene(crowded, client, tmp_path, "z_raw", "z_ledger", rolled="z_hourly")
        scene.add(point(5, {"device": "a"}, "temp", 5.0))
        assert scene.roll(scene.hourly, WINDOW)["state"] == "COMMITTED"
        assert scene.roll(scene.hourly, WINDOW)["state"] == "COMMITTED"


def test_new_bucket_of_the_old_name_is_another_one_when_it_is_not_listed(
    crowded: InfluxServer, tmp_path: Path
) -> None:
    scene = purged_scene(crowded, tmp_path, "z_hourly", "z_ledger")
    delete_bucket(crowded, "z_hourly")
    make(crowded, "z_hourly")
    both = ("read", "write")
    found: dict[str, Any] = {}
    with narrow_client(crowded, z_renamed=("read",), z_hourly=both, z_ledger=both) as client:
        found = drive(load_pipelines(scene.ledger), client, scene.tell)
    assert found["hourly"].source_bucket == "z_renamed"
    assert found["hourly"].target_bucket.startswith("z_hourly (bucket ")
