"""Explain: the Flux that it prints is what a server answers with the right numbers, and no server is needed for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.lifecycle.reconcile.block_size import BlockSizer
from tests import oracle
from tests.scenes.lifecycle_scene import NAMES, Ask, Scene

pytestmark = pytest.mark.live


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


def test_what_is_printed_of_each_stage_is_what_a_run_sends(
    scene: Scene, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    half = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    scene.client.write_lines(
        scene.raw,
        [
            f"fresh,host=a usage={at % 7},temp={at % 5} {int((half - timedelta(minutes=at)).timestamp())}000000000"
            for at in range(1, 91)
        ],
    )
    rules = [
        {"rule": "range", "field": "usage", "low": 0, "high": 100},
        {"rule": "spike", "field": "temp", "max_change": 50, "per": "1m"},
        {"rule": "future", "max_ahead": "5m"},
    ]
    path = scene.declare(
        measurement="fresh",
        tiers=[
            {"bucket": scene.minutes, "every": "30m", "aggregates": ["count", "sum"]},
            {"bucket": scene.hours, "every": "1h", "aggregates": ["count", "mean"]},
        ],
        validation={"rules": rules, "on_failure": "warn"},
        deadman={"silence": "10m", "group_by": ["host"], "inventory_lookback": "2h"},
        reconcile="2h",
        archive={"path": str(tmp_path / "lake"), "every": "30m", "purge_after": "1h", "quiet_for": "0s"},
        buckets=[{"name": f"{scene.raw}_new", "retention": "7d", "description": "x"}],
    )
    code, told = ask("explain", path, "--ask")
    assert code == 0, told
    explained = told["measurements"][0]
    window = explained["rollups"][0]["window"]
    start = datetime.fromisoformat(window["start"])
    sent = _watched(monkeypatch)
    # as of many windows
    monkeypatch.setattr(BlockSizer, "size", lambda _: 1)
    # the archive of the window that the next run purges
    code, told = ask("run", path, "--from", _text(start - timedelta(hours=1)), "--to", window["start"])
    assert code == 0, told
    code, told = ask("run", path, "--from", window["start"], "--to", window["stop"], "--yes")
    assert code == 0, told
    asked = [one for one in explained["sent"] if not one["text"].startswith("POST")]
    assert {one["stage"] for one in asked} == {"validate", "deadman", "reconcile", "archive", "purge"}
    # the look at the future begins at the clock
    assert [one for one in asked if not any(_shape(one["text"]) in text for text in map(_shape, sent))] == []
    bodies = [one["text"].partition("\n")[2] for one in explained["sent"] if one["text"].startswith("POST")]
    made, deleted = map(json.loads, bodies)
    changes = [json.loads(text) for text in sent if text.startswith("{")]
    assert [one for one in changes if one.items() >= made.items()]
    assert [one for one in changes if one.get("predicate") == deleted["predicate"]]
    times = (start - timedelta(hours=1), start - timedelta(minutes=30), timedelta(microseconds=1))
    begin, end = (datetime.fromisoformat(deleted[key]) for key in ("start", "stop"))
    assert (begin, end) == (times[0], times[1] - times[2])


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _shape(flux: str) -> str:
    """Flux without its times."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", flux)


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flux and bodies of all queries, deletes and new buckets from now on."""
    sent: list[str] = []
    query = requests.query_request

    def asked(org: str, flux: str, **options: Any) -> requests.Request:
        sent.append(flux)
        return query(org, flux, **options)

    def body_of(make: Callable[..., requests.Request]) -> Callable[..., requests.Request]:
        def made(*values: Any) -> requests.Request:
            request = make(*values)
            sent.append((request.body or b"").decode())
            return request

        return made

    monkeypatch.setattr(requests, "query_request", asked)
    for name in ("delete_request", "make_bucket_request"):
        monkeypatch.setattr(requests, name, body_of(getattr(requests, name)))
    return sent


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
    assert "windows of 1d that end in the run" in told
    assert f"read bucket '{scene.raw}'" in told
    assert main(["explain", path, "--ask"]) == 2


def test_a_measurement_that_a_pattern_means_is_explained_without_a_server(scene: Scene, ask: Ask) -> None:
    path = scene.declare(measurement=["net*", "!net_down"])
    code, told = ask("explain", path, "--measurement", "net_up")
    (one,) = told["measurements"]
    assert (code, one["measurement"]) == (0, "net_up")
    assert '"_measurement"] == "net_up")' in one["rollups"][0]["flux"][0]
    for name in ("net_down", "cpu"):
        code, told = ask("explain", path, "--measurement", name)
        assert (code, told["error"]["message"].count(f"has no measurement {name!r}")) == (2, 1)
