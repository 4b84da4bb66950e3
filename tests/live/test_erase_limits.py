"""An erasure on a server that has little memory for a query: all that was asked for goes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.cli.main import main
from tests.scenes.archive_scene import Point, client_of, facts_of, point
from tests.scenes.erase_scene import HOURS, EraseScene, Row, make_erase_scene, without
from tests.scenes.purge_scene import ARCHIVED_AT, DAY, HOUR
from tests.servers.own_server import own_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

MEMORY = 500_000
SERIES = 800
CUSTOMER = {"customer": "42"}


def crowd(customer: str, series: int, base: float) -> list[Point]:
    """Points of so many devices in each of two hours, all of an hour at one time."""
    return [
        made
        for hour in range(2)
        for number in range(series)
        for tags in [{"customer": customer, "device": f"d{number}", "site": f"s{number % 7}"}]
        for made in (
            point(hour * HOUR + 5, tags, "temp", base + number / 3 + hour),
            *([point(hour * HOUR + 5, tags, "state", f"ok {number}")] if number % 5 == 0 else []),
        )
    ]


@contextmanager
def served(base: Path, scene: EraseScene | None = None, memory: int = 0) -> Iterator[EraseScene]:
    """The scene on a server of its own data, which may give each query only so much memory."""
    config = f"query-memory-bytes: {memory}\n" if memory else ""
    with own_server(base, config) as server, client_of(server, deadline_seconds=20) as client:
        if scene is None:
            (base / "lake").mkdir()
            yield make_erase_scene(server, client, base / "lake")
        else:
            yield replace(scene, server=server, client=client, told=[])


def merged_of(rows: Iterable[Row]) -> dict[tuple[int, str], list[float]]:
    """Count and sum of each hour and site, as the target has them."""
    found: dict[tuple[int, str], list[float]] = {}
    for time_ns, tags, _name, value in sorted(rows, key=lambda row: row[2]):
        found.setdefault((time_ns, dict(tags)["site"]), []).append(pytest.approx(value))
    return found


def merged_by_hand(points: Iterable[Point]) -> dict[tuple[int, str], list[float]]:
    """The same in plain Python."""
    values: dict[tuple[int, str], list[float]] = {}
    for one in points:
        if one.field == "temp":
            hour = one.time_ns - one.time_ns % HOUR
            values.setdefault((hour, dict(one.tags)["site"]), []).append(one.value)
    return {key: [len(some), sum(some)] for key, some in values.items()}


def test_all_series_go_when_one_query_has_no_memory_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs = crowd("42", SERIES, 1.0), [*crowd("7", 40, 10.0), *crowd("421", 3, 20.0)]
    with served(tmp_path) as filled:
        filled.add(*mine, *theirs)
        # of all customers: few rows, which are computed again without the customer
        merged = replace(filled.merged, group_by=("site",))
        for spec in (filled.hourly, merged, filled.daily):
            filled.roll(spec, DAY)
        filled.clock = ARCHIVED_AT
        filled.archive(*HOURS[:2])
        before = {name: filled.rows(filled.rolled, name) for name in ("m", "m_daily")}
        assert len(before["m"]) > len(without(before["m"], CUSTOMER)) > 0
    with served(tmp_path, filled, MEMORY) as scene:
        result = scene.erase()
    assert any("groups of series are asked for" in text for text in scene.told)
    with served(tmp_path, scene) as after:
        assert facts_of(theirs) == sorted(facts for hour in HOURS[:2] for facts in after.stored(hour))
        assert after.rows() == {(one.time_ns, one.tags, one.field, one.value) for one in theirs}
        assert merged_of(after.rows(after.rolled, "m_all")) == merged_by_hand(theirs)
        for name, rows in before.items():
            assert after.rows(after.rolled, name) == without(rows, CUSTOMER)
    assert result["certificate"]["number"] == 1
    assert main(["certificate", "verify", str(scene.folder), "--archive", str(scene.base)]) == 0
    assert "right" in capsys.readouterr().out
