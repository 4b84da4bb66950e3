"""Archives in an object store, on a server that speaks S3."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, StoreForbidden, StoreUnavailable
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
from tests.servers.s3_server import BUCKET, S3Server, running_s3

pytestmark = pytest.mark.live

BASE = f"{BUCKET}/telemetry"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture
def open_store(server: S3Server) -> Callable[..., ArchiveStore]:
    return lambda url=f"s3://{BASE}", **more: ArchiveStore.of_url(url, **{**server.options, **more})


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Any) -> ArchiveScene:
    made = make_archive_scene(influx, client, tmp_path)
    made.write(small_points())
    return made


def archive(scene: ArchiveScene, store: ArchiveStore) -> dict[str, Any]:
    return dict(drive(scene.steps(), scene.client, scene.tell, actions_with(store)).as_json())


def test_window_is_archived_again_and_kept_when_the_store_is_s3(
    scene: ArchiveScene, server: S3Server, open_store: Callable[..., ArchiveStore]
) -> None:
    assert archive(scene, open_store())["generation"] == 1
    assert archive(scene, open_store())["new"] == 0
    scene.write([point(99, {"device": "c"}, "temp", 9.0)])
    assert archive(scene, open_store())["generation"] == 2
    files = server.files()
    folder = f"{BASE}/{scene.spec.folder}/{FOLDER}"
    for generation, rows in ((1, 6), (2, 7)):
        manifest = json.loads(files.cat_file(f"{folder}/gen={generation}/manifest.json"))
        tables = [
            pq.read_table(io.BytesIO(files.cat_file(f"{folder}/gen={generation}/{part['name']}")))
            for part in manifest["parts"]
        ]
        assert sum(table.num_rows for table in tables) == rows
        names = {path.rpartition("/")[2] for path in files.ls(f"{folder}/gen={generation}")}
        assert names == {"manifest.json", *(part["name"] for part in manifest["parts"])}


def test_window_is_purged_certified_and_restored_when_the_store_is_s3(
    scene: ArchiveScene, server: S3Server, open_store: Callable[..., ArchiveStore]
) -> None:
    spec = replace(scene.spec, shown_path=f"s3://{BASE}")
    archive(scene, open_store())
    steps = purge(
        PurgeSpec(archive=spec, require_pipelines=(), min_age="0s", quiet_for="0s"), (WINDOW,), RUN, scene.now
    )
    purged = drive(steps, scene.client, scene.tell, actions_with(open_store())).as_json()
    assert (purged["rows_in"], purged["rows_out"], scene.rows_in_bucket()) == (6, 0, 0)
    certificate = f"{BASE}/{spec.folder}/certificates/00000001.json"
    assert json.loads(server.files().cat_file(certificate))["deleted"]["rows"] == 6
    store = open_store()
    [written] = read_chain(store, f"{spec.folder}/certificates")
    check_archive(store, written)
    # back into the bucket that they were purged from
    back = RestoreSpec(
        org=spec.org,
        source_bucket=spec.bucket,
        measurement="m",
        target_bucket=spec.bucket,
        target_org=spec.org,
        shown_path=f"s3://{BASE}",
        ledger_bucket=scene.ledger,
    )
    drive(restore(back, WINDOW, RUN, scene.now), scene.client, scene.tell, actions_with(open_store()))
    assert scene.rows_in_bucket() == 6
    parts = [path for path in server.files().find(f"{BASE}/{spec.folder}") if path.endswith(".parquet")]
    data = bytearray(server.files().cat_file(parts[0]))
    data[len(data) // 2] ^= 1
    server.files().pipe_file(parts[0], bytes(data))
    with pytest.raises(ArchiveMismatch, match="s3://"):
        check_archive(open_store(), written)


def test_one_generation_stands_when_two_runs_write_into_s3_at_once(
    scene: ArchiveScene, open_store: Callable[..., ArchiveStore]
) -> None:
    results: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: results.append(archive(scene, open_store()))) for _ in range(2)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [result["generation"] for result in results] == [1, 1]
    assert sorted(result["new"] for result in results) == [0, 1]


def test_first_writer_wins_when_a_file_is_put_twice(
    server: S3Server, open_store: Callable[..., ArchiveStore]
) -> None:
    first, second = open_store(), open_store()
    assert second.read("new/manifest.json") is None
    assert second.names("new") == []
    assert first.put_new("new/manifest.json", b"first")
    assert not second.put_new("new/manifest.json", b"second")
    assert second.read("new/manifest.json") == b"first"
    assert second.names("new") == ["manifest.json"]
    second.put_over("new/manifest.json", b"third")
    assert first.read("new/manifest.json") == b"third"
    first.remove(["new/manifest.json", "new/none"])
    assert second.names("new") == []


def test_large_file_comes_in_parts_when_it_is_written(
    server: S3Server, open_store: Callable[..., ArchiveStore]
) -> None:
    store = open_store(default_block_size=5 << 20)
    data = bytes(range(256)) * (12 << 12)
    with store.writing("large.parquet") as file:
        for start in range(0, len(data), 1 << 20):
            file.write(data[start : start + (1 << 20)])
    # S3 names the number of parts in the tag of an object that came in parts
    assert server.files().info(f"{BASE}/large.parquet")["ETag"].strip('"').endswith("-3")
    with store.reading("large.parquet") as file:
        assert file.read() == data


def test_file_of_another_run_is_read_when_the_folder_was_listed_before(
    open_store: Callable[..., ArchiveStore],
) -> None:
    reader, writer = open_store(), open_store()
    writer.put_new("listed/one", b"1")
    assert reader.names("listed") == ["one"]
    with writer.writing("listed/two") as file:
        file.write(b"22")
    with reader.reading("listed/two") as file:
        assert file.read() == b"22"


def test_archive_is_forbidden_when_there_is_no_such_bucket(
    scene: ArchiveScene, open_store: Callable[..., ArchiveStore]
) -> None:
    with pytest.raises(StoreForbidden, match=r"s3://none-such/x.*make the bucket"):
        archive(scene, open_store("s3://none-such/x"))


def test_store_is_unavailable_when_nothing_answers(open_store: Callable[..., ArchiveStore]) -> None:
    away = {"endpoint_url": "http://127.0.0.1:1", "region_name": "us-east-1"}
    quick = {"connect_timeout": 1, "retries": {"max_attempts": 0}}
    with pytest.raises(StoreUnavailable, match=f"s3://{BASE}"):
        open_store(client_kwargs=away, config_kwargs=quick).read("x")


def test_store_is_forbidden_when_there_are_no_credentials(
    open_store: Callable[..., ArchiveStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreForbidden, match="redential"):
        open_store(key=None, secret=None).put_new("x", b"1")


def test_archive_is_forbidden_when_the_key_is_unknown(
    scene: ArchiveScene, server: S3Server, open_store: Callable[..., ArchiveStore]
) -> None:
    with (
        server.refusing(),
        pytest.raises(StoreForbidden, match="right to read and write") as caught,
    ):
        archive(scene, open_store())
    assert caught.value.permanent
    assert "anything" not in str(caught.value)
    assert archive(scene, open_store())["new"] == 1
