"""Workers whose clocks are hours off, and a server that drops what is too old every second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client import server_clock
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive.expiring import archive_expiring
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, VERSIONS, client_of
from tests.servers.own_server import own_server

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
HOURS = 5
MINUTES = range(0, 60, 10)
Clock = Callable[[], datetime]


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    base = tmp_path_factory.mktemp("eager")
    with own_server(base, "storage-retention-check-interval: 1s\n") as server:
        yield server


@dataclass
class Forgetful:
    """Five hours of points, rolled up and archived, of which the server then drops all but the last two or three."""

    server: InfluxServer
    base: Path
    name: str
    start: datetime

    @property
    def spec(self) -> RollupSpec:
        return RollupSpec(
            source_bucket=self.name,
            target_bucket=f"{self.name}_rolled",
            measurement="m",
            grid=GridSpec("1h"),
            aggregates=("count", "sum"),
            pipeline="hourly",
            ledger_bucket=f"{self.name}_ledger",
        )

    @property
    def archive_spec(self) -> ArchiveSpec:
        return ArchiveSpec(
            org=self.server.org,
            bucket=self.name,
            measurement="m",
            shown_path=str(self.base),
            ledger_bucket=f"{self.name}_ledger",
        )

    @property
    def windows(self) -> list[Interval]:
        return [Interval(self.start + n * HOUR, self.start + (n + 1) * HOUR) for n in range(HOURS)]

    @property
    def span(self) -> Interval:
        return Interval(self.windows[0].start, self.windows[-1].stop)

    def drive(self, steps: Any, client: InfluxClient) -> Any:
        return drive(steps, client, lambda _report: None, actions_with(ArchiveStore.of_url(str(self.base))))

    def target(self, client: InfluxClient) -> dict[tuple[int, str], float]:
        rows = client.query(f'from(bucket: "{self.name}_rolled") |> range(start: 0)')
        return {((row["_time"] - self.start) // HOUR, row["_field"]): row["_value"] for row in rows}

    def archived(self) -> list[float]:
        table = read_archive(str(self.base), org=self.server.org, bucket=self.name, measurement="m")
        return sorted(table["_value"].to_pylist())

    def left(self, client: InfluxClient) -> int:
        return len(client.query(f'from(bucket: "{self.name}") |> range(start: 0)'))


VALUES = [float(10 * hour + minute // 10) for hour in range(HOURS) for minute in MINUTES]
ROLLED = {
    (hour, name): value
    for hour in range(HOURS)
    for name, value in (("v_count", 6), ("v_sum", sum(VALUES[6 * hour : 6 * hour + 6])))
}


@pytest.fixture
def forgetful(eager: InfluxServer, tmp_path: Path, request: pytest.FixtureRequest) -> Forgetful:
    now = datetime.now(UTC)
    name = f"raw{abs(hash(request.node.name))}"
    made = Forgetful(
        eager, tmp_path, name, now.replace(minute=0, second=0, microsecond=0) - (HOURS + 1) * HOUR
    )
    address = InfluxAddress(eager.url, eager.org, eager.token)
    with client_of(eager) as client:
        bucket = make_bucket(address, name, 24)
        client.ensure_bucket(f"{name}_rolled")
        times = [made.start + hour * HOUR + timedelta(minutes=m) for hour in range(HOURS) for m in MINUTES]
        client.write_lines(
            name,
            [
                f"m,device=a v={value} {int(at.timestamp())}000000000"
                for at, value in zip(times, VALUES, strict=True)
            ],
        )
        made.drive(roll_up(made.spec, made.span, RUN, client.now), client)
        made.drive(archive(made.archive_spec, made.windows, RUN, client.now, VERSIONS), client)
        assert (made.target(client), made.archived()) == (ROLLED, VALUES)
        address.request("PATCH", f"/api/v2/buckets/{bucket}", json.dumps(rules(3)).encode())
        deadline = time.monotonic() + 100
        while made.left(client) > 6 * 3:
            assert time.monotonic() < deadline, "retention took nothing"
            time.sleep(0.2)
    return made


def rules(hours: int) -> dict[str, Any]:
    return {
        "retentionRules": [
            {"type": "expire", "everySeconds": hours * 3600, "shardGroupDurationSeconds": 3600}
        ]
    }


def make_bucket(address: InfluxAddress, name: str, hours: int) -> str:
    (org,) = address.request("GET", "/api/v2/orgs", org=address.org)["orgs"]
    body = json.dumps({"orgID": org["id"], "name": name, **rules(hours)}).encode()
    return str(address.request("POST", "/api/v2/buckets", body)["id"])


def skewed_client(server: InfluxServer, hours: int, monkeypatch: pytest.MonkeyPatch) -> InfluxClient:
    """A client on a machine whose clock is off."""
    monkeypatch.setattr(server_clock, "machine_now", lambda: datetime.now(UTC) + hours * HOUR)
    return client_of(server)


def attempt(action: Callable[[], Any]) -> Any:
    """What a verb gives; a refusal is an answer too."""
    try:
        return action()
    except InfluxRollupError as error:
        return error


@pytest.mark.parametrize(
    ("hours", "is_corrected"),
    [(-2, True), (-2, False), (2, True), pytest.param(2, False, marks=pytest.mark.slow)],
)
def test_nothing_becomes_poorer_when_the_worker_s_clock_is_off(
    forgetful: Forgetful, hours: int, is_corrected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = forgetful
    with skewed_client(scene.server, hours, monkeypatch) as client:
        now: Clock = client.now if is_corrected else server_clock.machine_now
        expiring = Grid.of("1h"), Duration.parse("24h"), 10
        verbs: dict[str, Callable[[], Any]] = {
            "rollup": lambda: roll_up(scene.spec, scene.span, RUN, now),
            "reconcile": lambda: reconcile(scene.spec, scene.span, RUN, now),
            "archive": lambda: archive(scene.archive_spec, scene.windows, RUN, now, VERSIONS),
            "expiring": lambda: archive_expiring(scene.archive_spec, *expiring, RUN, now, VERSIONS),
            "purge": lambda: purge(
                PurgeSpec(
                    archive=scene.archive_spec, require_pipelines=("hourly",), min_age="0s", quiet_for="0s"
                ),
                scene.windows,
                RUN,
                now,
            ),
            "rollup after the purge": lambda: roll_up(scene.spec, scene.span, RUN, now),
            "reconcile after the purge": lambda: reconcile(scene.spec, scene.span, RUN, now),
            "archive after the purge": lambda: archive(scene.archive_spec, scene.windows, RUN, now, VERSIONS),
        }
        for name, make in verbs.items():
            attempt(lambda make=make: scene.drive(make(), client))  # type: ignore[misc]
            assert (scene.target(client), scene.archived()) == (ROLLED, VALUES), name


@pytest.mark.parametrize("hours", [-2, pytest.param(0, marks=pytest.mark.slow), 2])
def test_windows_are_frozen_alike_when_the_worker_s_clock_is_off(
    forgetful: Forgetful, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = forgetful
    with skewed_client(scene.server, hours, monkeypatch) as client:
        gone = HOURS - scene.left(client) // 6
        found = scene.drive(reconcile(scene.spec, scene.span, RUN, client.now), client).as_json()
        assert (found["frozen_total"], found["repaired"]["windows"]) == (gone, 0)


@pytest.mark.parametrize("hours", [-2, 2])
def test_windows_are_due_by_the_server_s_clock(
    eager: InfluxServer, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with skewed_client(eager, hours, monkeypatch) as client:
        bucket = f"due{hours + 2}"
        client.ensure_bucket(bucket)
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        over, open_ = Interval(hour - HOUR, hour), Interval(hour, hour + HOUR)
        lines = [f"m,device=a v=1 {int(one.start.timestamp())}000000000" for one in (over, open_)]
        client.write_lines(bucket, lines)
        spec = CompletenessSpec(bucket=bucket, measurement="m", expected=1)
        assert drive(check_windows(spec, over, client.now), client, lambda _report: None) is not None
        assert drive(check_windows(spec, open_, client.now), client, lambda _report: None) is None
        check = DeadmanSpec(bucket=bucket, measurement="m", group_by=("device",), status_bucket=bucket)
        assert drive(check_deadman(check, open_), client, lambda _report: None).as_json()["state"] == "ok"


@pytest.mark.parametrize("is_corrected", [True, False], ids=["server's clock", "worker's clock"])
def test_of_overlapping_archives_the_later_one_wins_when_the_first_worker_s_clock_is_ahead(
    eager: InfluxServer, tmp_path: Path, is_corrected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"overlap{is_corrected}".lower()
    start = datetime(2025, 3, 8, tzinfo=UTC)
    spec = ArchiveSpec(
        org=eager.org,
        bucket=bucket,
        measurement="m",
        shown_path=str(tmp_path),
        ledger_bucket=f"{bucket}_ledger",
    )
    actions = actions_with(ArchiveStore.of_url(str(tmp_path)))
    with skewed_client(eager, 2, monkeypatch) as ahead, client_of(eager) as right:
        right.ensure_bucket(bucket)
        for hours, client, value in ((1, ahead, 1.0), (3, right, 2.0), (2, right, 3.0)):
            right.write_lines(bucket, [f"m v={value} {int(start.timestamp())}000000000"])
            now = (
                client.now
                if is_corrected
                else lambda client=client: datetime.now(UTC) + (2 * HOUR if client is ahead else timedelta())
            )
            window = Interval(start, start + hours * HOUR)
            drive(archive(spec, [window], RUN, now, VERSIONS), client, lambda _report: None, actions)
            table = read_archive(str(tmp_path), org=eager.org, bucket=bucket, measurement="m")
            assert table["_value"].to_pylist() == [value]
