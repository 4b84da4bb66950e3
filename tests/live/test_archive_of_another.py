"""A manifest of another measurement, bucket or window in the folder that was asked for is refused by every reader."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.documents import encode_sealed
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, InvalidName, PurgeRefused
from airflow_provider_influx_rollup.lifecycle.archive.verify import verify_archive
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import plan_restore, restore
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.validation.value_rules import RangeRule
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import (
    RUN,
    VERSIONS,
    WINDOW,
    ArchiveScene,
    make_archive_scene,
    nothing_published,
    point,
    small_points,
)
from tests.scenes.hostile_scene import ToPoint, write_by_to

pytestmark = pytest.mark.live

DAY = Interval(WINDOW.start, WINDOW.start + timedelta(days=1))
OTHERS: dict[str, dict[str, Any]] = {
    "another measurement": {"measurement": "other"},
    "another bucket": {"bucket": "other"},
    "another organisation": {"org": "other"},
    "another case": {"measurement": "M"},
    "another window": {"window": {"start": "2025-03-08T01:00:00Z", "stop": "2025-03-08T02:00:00Z"}},
    "another generation": {"generation": 7},
    "a run that is a list": {"run": [1]},
    "windows that are none": {"run": {"compacted": [{"window": 1}]}},
    "a measurement that is a number": {"measurement": 5},
    "a time without a zone": {"created_at": "2025-01-01T00:00:00"},
    "a window that goes back": {"window": {"start": "2025-03-08T01:00:00Z", "stop": "2025-03-08T00:00:00Z"}},
}


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    made = make_archive_scene(influx, client, tmp_path)
    made.write(small_points())
    return made


def manifest_path(scene: ArchiveScene) -> Path:
    return next(scene.folder.glob("window=*/gen=1/manifest.json"))


def seal_with(path: Path, changes: dict[str, Any]) -> None:
    values = json.loads(path.read_bytes())
    values.pop("sha256")
    path.write_bytes(encode_sealed({**values, **changes}))


def run(scene: ArchiveScene, steps: Any) -> Any:
    return drive(steps, scene.client, scene.tell, actions_with(scene.store))


def readers(scene: ArchiveScene) -> dict[str, Callable[[], Any]]:
    """Each verb that reads manifests."""
    org, place = scene.server.org, str(scene.base)
    compacting = CompactSpec(
        org=org, bucket=scene.bucket, measurement=scene.measurement, shown_path=place, into="1d"
    )
    purging = PurgeSpec(archive=scene.spec, require_pipelines=(), min_age="0s", quiet_for="0s")
    return {
        "archive": scene.archive,
        "restore": lambda: run(scene, restore(scene.restore_spec(), WINDOW, RUN, scene.now)),
        "plan_restore": lambda: run(scene, plan_restore(scene.restore_spec(), WINDOW, scene.now)).as_json(),
        "purge": lambda: run(scene, purge(purging, [WINDOW], RUN, scene.now)),
        "compact": lambda: run(scene, compact(compacting, DAY, RUN, scene.now, VERSIONS)),
        "read_archive": lambda: read_archive(
            place, org=org, bucket=scene.bucket, measurement=scene.measurement
        ),
    }


@pytest.mark.parametrize("what", OTHERS)
def test_every_reader_refuses_when_the_manifest_is_of_another(scene: ArchiveScene, what: str) -> None:
    scene.archive()
    seal_with(manifest_path(scene), OTHERS[what])
    rows, files = scene.rows_in_bucket(), scene.files()
    for name, read in readers(scene).items():
        with pytest.raises((ArchiveMismatch, PurgeRefused), match=r"manifest\.json") as caught:
            read()
        assert type(caught.value) is (PurgeRefused if name == "purge" else ArchiveMismatch)
    checked = run(scene, verify_archive(scene.spec.folder))
    assert [bool(one.problem) for one in checked] == [True]
    assert (scene.rows_in_bucket(), scene.files()) == (rows, files)


def test_manifest_of_many_brackets_is_damaged(scene: ArchiveScene) -> None:
    scene.archive()
    manifest_path(scene).write_bytes(b"[" * 200_000)
    for read in readers(scene).values():
        with pytest.raises((ArchiveMismatch, PurgeRefused), match="is damaged"):
            read()
    assert main(["catalog", str(scene.base), "--org", scene.server.org, "--bucket", scene.bucket]) != 0


def test_pipes_and_devices_are_refused_when_they_stand_for_files(scene: ArchiveScene) -> None:
    scene.archive()
    first, second = sorted(scene.folder.rglob("*.parquet"))
    first.unlink()
    os.mkfifo(first)
    second.unlink()
    second.symlink_to("/dev/zero")
    (one,) = run(scene, verify_archive(scene.spec.folder))
    assert "is no file, but a pipe or a device" in one.problem
    with pytest.raises(ArchiveMismatch, match="pipe or a device"):
        readers(scene)["restore"]()


def test_folder_that_was_copied_is_refused_when_only_its_index_is_read(scene: ArchiveScene) -> None:
    scene.archive()
    org = scene.server.org
    main(
        [
            "catalog",
            str(scene.base),
            "--rebuild",
            "--bucket",
            scene.bucket,
            "--measurement",
            "m",
            "--org",
            org,
        ]
    )
    assert list(scene.folder.glob("catalog/*.json"))
    shutil.copytree(scene.folder, scene.folder.with_name("copy"))
    with pytest.raises(ArchiveMismatch, match="is not what was asked for"):
        read_archive(str(scene.base), org=org, bucket=scene.bucket, measurement="copy")


class CaselessStore(ArchiveStore):
    """A folder that does not tell upper from lower case, as on a Mac."""

    def path(self, relative: str) -> str:
        found = Path(self._base)
        for part in filter(None, relative.split("/")):
            names = [one.name for one in found.iterdir()] if found.is_dir() else []
            found /= next((name for name in names if name.lower() == part.lower()), part)
        return str(found)


@contextmanager
def without_case(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveStore, "path", CaselessStore.path)
        yield


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "made by an earlier version"])
def test_twin_is_refused_before_anything_is_written_when_the_store_knows_no_case(
    influx: InfluxServer,
    client: InfluxClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_old: bool,
) -> None:
    scene = make_archive_scene(influx, client, tmp_path, measurement="Temp")
    scene.write(small_points())
    twin = ArchiveScene(influx, client, scene.base, scene.bucket, scene.ledger, measurement="temp")
    twin.write([point(5, {"device": "a"}, "temp", 100.0)])
    with without_case(monkeypatch):
        scene.archive()
        assert run(
            scene,
            purge(
                PurgeSpec(archive=scene.spec, require_pipelines=(), min_age="0s", quiet_for="0s"),
                [WINDOW],
                RUN,
                scene.now,
            ),
        ).as_json()["new"]
        if is_old:
            (scene.folder / "measurement.json").unlink()
        with nothing_published(scene), pytest.raises(ArchiveMismatch, match="Temp"):
            twin.archive()
        for name, read in readers(twin).items():
            with pytest.raises((ArchiveMismatch, PurgeRefused)):
                read()
            assert name
        restored = run(scene, restore(scene.restore_spec(), WINDOW, RUN, scene.now)).as_json()
    assert restored["rows_out"] == len(small_points())
    assert twin.rows_in_bucket() == len(small_points()) + 1


def test_other_window_of_the_folder_is_refused_too_when_the_store_knows_no_case(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_archive_scene(influx, client, tmp_path, measurement="Temp")
    scene.write(small_points())
    twin = ArchiveScene(influx, client, scene.base, scene.bucket, scene.ledger, measurement="temp")
    hour = WINDOW.duration
    after = type(WINDOW)(WINDOW.start + hour, WINDOW.stop + hour)
    twin.write([point(5 + int(hour.total_seconds()) * 10**9, {"device": "a"}, "temp", 100.0)])
    with without_case(monkeypatch):
        scene.archive()
        with nothing_published(scene), pytest.raises(ArchiveMismatch, match="is the folder of"):
            twin.archive(after)


def test_archive_goes_on_when_an_earlier_version_made_it_and_one_window_is_damaged(
    scene: ArchiveScene,
) -> None:
    scene.archive()
    (scene.folder / "measurement.json").unlink()
    assert scene.archive()["new"] == 0
    assert json.loads((scene.folder / "measurement.json").read_bytes())["measurement"] == "m"


@pytest.mark.parametrize("name", ['a\\"b', "a\\ b", "a\\,b", "a\\=b"])
def test_measurement_is_refused_in_words_when_the_server_itself_does_not_find_its_points(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, name: str
) -> None:
    scene = make_archive_scene(influx, client, tmp_path)
    write_by_to(influx, scene.bucket, name, [ToPoint((), 1.0, WINDOW.start_ns)])
    found = client.query(f'from(bucket: "{scene.bucket}") |> range(start: 2025-03-08T00:00:00Z)')
    assert [row for row in found if row["_measurement"] == name] == []
    with pytest.raises(InvalidName, match="no query finds them"):
        make_archive_scene(influx, client, tmp_path, measurement=name).archive()
    with pytest.raises(InvalidName, match="no query finds them"):
        ValidateSpec(bucket=scene.bucket, measurement=name, rules=(RangeRule(field="v", low=0.0),))


@pytest.mark.parametrize("name", ["気" * 37, "ж" * 2000, "~" * 90, "x" * 255, "x" * 256])
def test_any_name_is_archived_and_read_back(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, name: str
) -> None:
    scene = make_archive_scene(influx, client, tmp_path, measurement=name)
    scene.write(small_points())
    assert scene.archive()["rows_out"] == len(small_points())
    table = read_archive(str(scene.base), org=influx.org, bucket=scene.bucket, measurement=name)
    assert table.num_rows == len(small_points())
    assert json.loads(manifest_path(scene).read_bytes())["measurement"] == name
