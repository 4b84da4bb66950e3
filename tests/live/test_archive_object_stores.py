"""Whole archives on servers that speak Google Cloud Storage and Azure Blob Storage."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, StoreForbidden
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.stores.check_certificates import check_archive, read_chain
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import (
    FOLDER,
    RUN,
    WINDOW,
    ArchiveScene,
    make_archive_scene,
    point,
    small_points,
)
from tests.servers.azure_server import ACCOUNT, KEY, WRONG_KEY, running_azure
from tests.servers.object_stores import Server, at_once, running_server, store_of
from tests.servers.s3_server import BUCKET

pytestmark = [pytest.mark.live, pytest.mark.stores]


@pytest.fixture(scope="module", params=["gcs", "azure"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(request.param, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    """Of this test alone."""
    return f"{BUCKET}/{request.node.originalname}"


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Any) -> ArchiveScene:
    made = make_archive_scene(influx, client, tmp_path)
    made.write(small_points())
    return made


def archive(scene: ArchiveScene, store: ArchiveStore) -> dict[str, Any]:
    return dict(drive(scene.steps(), scene.client, scene.tell, actions_with(store)).as_json())


def test_window_is_archived_purged_and_restored_when_the_store_is_remote(
    server: Server, folder: str, scene: ArchiveScene
) -> None:
    url = f"{server.scheme}://{folder}"
    spec = replace(scene.spec, shown_path=url)
    assert archive(scene, store_of(server, folder))["generation"] == 1
    assert archive(scene, store_of(server, folder))["new"] == 0
    scene.write([point(99, {"device": "c"}, "temp", 9.0)])
    assert archive(scene, store_of(server, folder))["generation"] == 2
    assert [rows_of(server, f"{folder}/{spec.folder}/{FOLDER}/gen={one}") for one in (1, 2)] == [6, 7]

    steps = purge(
        PurgeSpec(archive=spec, require_pipelines=(), min_age="0s", quiet_for="0s"), (WINDOW,), RUN, scene.now
    )
    purged = drive(steps, scene.client, scene.tell, actions_with(store_of(server, folder))).as_json()
    assert (purged["rows_in"], purged["rows_out"], scene.rows_in_bucket()) == (7, 0, 0)
    store = store_of(server, folder)
    [certificate] = read_chain(store, f"{spec.folder}/certificates")
    check_archive(store, certificate)

    back = RestoreSpec(
        org=spec.org,
        source_bucket=spec.bucket,
        measurement="m",
        target_bucket=spec.bucket,
        target_org=spec.org,
        shown_path=url,
        ledger_bucket=scene.ledger,
    )
    drive(restore(back, WINDOW, RUN, scene.now), scene.client, scene.tell, actions_with(store))
    assert scene.rows_in_bucket() == 7

    files = server.files()
    part = next(path for path in files.find(f"{folder}/{spec.folder}") if "gen=2/float" in path)
    data = bytearray(files.cat_file(part))
    data[len(data) // 2] ^= 1
    files.pipe_file(part, bytes(data))
    with pytest.raises(ArchiveMismatch, match=url):
        check_archive(store_of(server, folder), certificate)


def rows_of(server: Server, generation: str) -> int:
    """The rows of the files that a manifest names; there are no others."""
    files = server.files()
    parts = json.loads(files.cat_file(f"{generation}/manifest.json"))["parts"]
    names = {path.rpartition("/")[2] for path in files.ls(generation, detail=False)}
    assert names == {"manifest.json", *(part["name"] for part in parts)}
    tables = [pq.read_table(io.BytesIO(files.cat_file(f"{generation}/{part['name']}"))) for part in parts]
    return sum(table.num_rows for table in tables)


def test_one_generation_stands_when_two_runs_archive_at_once(
    server: Server, folder: str, scene: ArchiveScene
) -> None:
    results = at_once([lambda: archive(scene, store_of(server, folder))] * 2)
    assert [result["generation"] for result in results] == [1, 1]
    assert sorted(result["new"] for result in results) == [0, 1]


def test_archive_is_forbidden_when_there_is_no_bucket(server: Server, scene: ArchiveScene) -> None:
    with pytest.raises(StoreForbidden, match=r"://none-such/x.*make the bucket") as caught:
        archive(scene, store_of(server, "none-such/x"))
    assert caught.value.permanent


def test_archive_is_forbidden_when_the_key_of_azure_is_wrong(
    scene: ArchiveScene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_azure(tmp_path_factory.mktemp("server")) as azure:
        endpoint = f"BlobEndpoint={azure.url}/{ACCOUNT}"
        sas = f"{endpoint};SharedAccessSignature=sv=2021-08-06&sp=rw&sig=SiGnAtUrE%3D"
        for wrong in (azure.connection_string(WRONG_KEY), azure.connection_string("no base64"), sas):
            store = store_of(azure, f"{BUCKET}/x", connection_string=wrong)
            with pytest.raises(StoreForbidden, match=r"abfs://.*right to read and write") as caught:
                archive(scene, store)
            logged = "".join(traceback.format_exception(caught.value))
            assert not [secret for secret in (KEY, WRONG_KEY, "SiGnAtUrE") if secret in logged]
        assert archive(scene, store_of(azure, f"{BUCKET}/x"))["new"] == 1
