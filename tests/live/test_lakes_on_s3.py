"""Compaction, erasure and export where the archive and the table are in an object store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import s3fs

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import StoreForbidden
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.export.export import export
from airflow_provider_influx_rollup.lifecycle.export.spec import ExportSpec
from airflow_provider_influx_rollup.steps.table import ReadTable, TableAt
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.live.test_export import table_points
from tests.scenes.archive_scene import RUN, VERSIONS, facts_of, read_facts
from tests.scenes.compact_scene import DAY, NO_CLIENT, CompactScene, hour
from tests.scenes.purge_scene import make_empty_scene
from tests.servers.s3_server import BUCKET, S3Server, running_s3

pytestmark = pytest.mark.live

DAY_FOLDER = "window=20250308T000000Z_20250309T000000Z"


@dataclass
class S3Scene(CompactScene):
    """The archive and the table are in an object store; ``base`` is a copy, for those who read files.

    :param s3: where they are
    """

    s3: S3Server = field(kw_only=True)

    @property
    def place(self) -> str:
        return f"{BUCKET}/{self.bucket}"

    @property
    def store(self) -> ArchiveStore:
        return ArchiveStore.of_url(f"s3://{self.place}/archive", **self.s3.options)

    @property
    def table(self) -> Path:
        return self.base / "table"

    def copy(self) -> None:
        """Make the copy again."""
        shutil.rmtree(self.base, ignore_errors=True)
        self.s3.files().get(f"{self.place}/archive/", str(self.base / "archive") + "/", recursive=True)
        self.s3.files().get(f"{self.place}/table/", str(self.table) + "/", recursive=True)

    def export(self, interval: Interval = DAY, table: str = "") -> dict[str, Any]:
        uri = table or f"s3://{self.place}/table"
        spec = ExportSpec(
            org=self.server.org, bucket=self.bucket, measurement="m", shown_path=self.store.shown, table=uri
        )
        steps = export(spec, interval, RUN, self.now)
        return dict(drive(steps, NO_CLIENT, self.tell, actions_with(self.store)).as_json())

    def erase_device(self, device: str) -> dict[str, Any]:
        spec = EraseSpec(archive=self.spec, tags={"device": device}, pipelines=())
        by = EraseRun(info=RUN, now=self.now, versions=VERSIONS, salt=b"0123456789abcdef", key=None)
        result = drive(erase(spec, by), self.client, self.tell, actions_with(self.store)).as_json()
        self.points = [one for one in self.points if dict(one.tags).get("device") != device]
        return dict(result)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path, server: S3Server) -> S3Scene:
    made = make_empty_scene(influx, client, tmp_path)
    scene = S3Scene(
        influx, client, made.base, made.bucket, made.ledger, rolled=made.rolled, s3=server, hours=[0, 1]
    )
    scene.fill()
    return scene


@pytest.fixture
def environment(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials as a shell has them."""
    values = {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.url,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.usefixtures("environment")
def test_series_are_in_no_file_and_no_table_when_a_compacted_archive_on_s3_is_erased(
    scene: S3Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.export(hour(0))
    scene.purge_hours(*scene.hours)
    made = scene.compact(remove_small=True)
    assert (made["new"], made["small_windows"], made["removed"]) == (1, 2, 2)
    made = scene.export()
    assert (made["commits"], made["replaced"], made["rows_out"]) == (1, 1, 14)
    scene.copy()
    files = sorted(scene.base.glob("archive/**/*.parquet"))
    assert {path.parent.parent.name for path in files} == {DAY_FOLDER}
    assert table_points(scene.table) == facts_of(scene.points)
    assert scene.erase_device("b")["certificate"]["number"] == 3
    scene.copy()
    files = sorted(scene.base.glob("archive/**/*.parquet"))
    assert sorted((facts for path in files for facts in read_facts(path)), key=repr) == facts_of(scene.points)
    assert not any(one.problem for one in scene.checked())
    assert scene.export()["replaced"] == 1
    scene.copy()
    assert table_points(scene.table) == facts_of(scene.points)
    # by the command line, with nothing but what the shell has
    archive = f"s3://{scene.place}/archive"
    checks = ["certificate", "verify", f"{archive}/{scene.spec.folder}", "--archive", archive]
    assert main([*checks, "--erased", "device=b"]) == 0
    assert main([*checks, "--erased", "device=a"]) == 1
    place = ["--org", scene.server.org, "--bucket", scene.bucket, "--measurement", "m"]
    times = ["--from", "2025-03-08", "--to", "2025-03-09"]
    capsys.readouterr()
    table = ["--table", f"s3://{scene.place}/table"]
    assert main(["export", archive, *place, *times, *table, "--json"]) == 0
    assert '"commits": 0' in capsys.readouterr().out


def test_points_are_there_once_when_exports_make_a_table_on_s3_at_once(scene: S3Scene) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda number: scene.export(hour(number)), (0, 0, 1)))
    assert sum(one["commits"] for one in made) == 2
    scene.copy()
    assert table_points(scene.table) == facts_of(
        one for one in scene.points if one.time_ns < hour(2).start_ns
    )
    with pytest.raises(StoreForbidden, match="make the bucket"):
        scene.export(table="s3://none-such/table")
    look = ReadTable(TableAt(f"s3://{scene.place}/table", "anybody's"))
    with scene.s3.refusing(), pytest.raises(StoreForbidden, match="right to read and write") as caught:
        act(look, NO_CLIENT, actions_with(scene.store))
    assert "anything" not in str(caught.value)
