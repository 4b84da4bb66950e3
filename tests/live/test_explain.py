"""Explain: the Flux that it prints is what a server answers with the right numbers, and no server is needed for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from tests import oracle
from tests.conftest import InfluxServer
from tests.scenes.lifecycle_scene import NAMES, Ask, Scene, asker

pytestmark = pytest.mark.live


@pytest.fixture
def scene(
    influx: InfluxServer, client: InfluxClient, bucket_factory: Callable[[str], str], tmp_path: Path
) -> Scene:
    return Scene(influx, client, bucket_factory, tmp_path)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    return asker(capsys, influx, monkeypatch)


def test_printed_flux_gives_the_numbers_of_its_window(scene: Scene, ask: Ask) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    points = {hour + timedelta(minutes=at): float(abs(at) % 7) for at in range(-180, 0)}
    lines = [
        f'fresh,host=a usage={value},note="x" {int(at.timestamp())}000000000' for at, value in points.items()
    ]
    scene.client.write_lines(scene.raw, lines)
    tiers = [{"bucket": scene.hours, "every": "30m", "aggregates": ["count", "sum", "max"]}]
    path = scene.declare(measurement="fresh", tiers=tiers)
    code, told = ask("explain", path, "--ask")
    (rollup,) = told["measurements"][0]["rollups"]
    start, stop = (datetime.fromisoformat(rollup["window"][end]) for end in ("start", "stop"))
    inside = [value for at, value in points.items() if start <= at < stop]
    wanted = [float(len(inside)), float(len(inside)), sum(inside), max(inside)] if inside else []
    address = (scene.server.url, scene.server.org, scene.server.token)
    rows = [row for script in rollup["flux"] for row in oracle.query(*address, script)]
    assert code == 0
    assert rollup["columns"] == ["note_count", "usage_count", "usage_sum", "usage_max"]
    assert sorted(float(row["_value"]) for row in rows) == sorted(wanted)


def test_nothing_is_asked_when_it_is_not_wanted(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scene.declare(
        deadman={"silence": "1h"},
        reconcile="7d",
        archive={"path": "/lake", "every": "1d", "purge_after": "9d"},
    )
    for name in ("URL", "ORG", "TOKEN"):
        monkeypatch.delenv(f"INFLUX_{name}", raising=False)
    capsys.readouterr()
    assert main(["explain", path]) == 0
    told = capsys.readouterr().out
    assert [told.count(f"{name}->{scene.minutes}@30m: {scene.raw} to") for name in NAMES] == [1] * len(NAMES)
    assert "windows of 1d of" in told
    assert f"read bucket '{scene.raw}'" in told
    assert main(["explain", path, "--ask"]) == 2
