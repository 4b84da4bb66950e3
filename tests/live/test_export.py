"""Archived points as a Delta table, read by DuckDB and pyarrow from the files that its log names."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ArchiveMissing,
    ConfigurationError,
    StoreUnavailable,
)
from airflow_provider_influx_rollup.lifecycle.export.export import export
from airflow_provider_influx_rollup.lifecycle.export.spec import ExportSpec
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.table import CommitPoints
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.live.test_compact import flip
from tests.scenes.archive_scene import RUN, Point, facts_of, point, sorted_facts
from tests.scenes.compact_scene import DAY, HOUR_NS, NO_CLIENT, CompactScene, hour, make_compact_scene

pytestmark = pytest.mark.live

SPANS = ("_time", "_time_ns", "_field")
Facts = list[tuple[Any, ...]]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    return make_compact_scene(influx, client, tmp_path / "archive")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "table"


def spec_of(scene: CompactScene, table: Path) -> ExportSpec:
    return ExportSpec(
        org=scene.server.org,
        bucket=scene.bucket,
        measurement="m",
        shown_path=str(scene.base),
        table=str(table),
    )


def steps_of(scene: CompactScene, table: Path, interval: Interval = DAY, **more: Any) -> Any:
    return export(spec_of(scene, table), interval, RUN, scene.now, **more)


def exported(scene: CompactScene, table: Path, interval: Interval = DAY, **more: Any) -> dict[str, Any]:
    steps = steps_of(scene, table, interval, **more)
    return dict(drive(steps, NO_CLIENT, scene.tell, actions_with(scene.store)).as_json())


def log_files(table: Path) -> list[str]:
    """The Parquet files of the table, from its log alone."""
    live: dict[str, None] = {}
    for path in sorted((table / "_delta_log").glob("*.json")):
        for line in path.read_text().splitlines():
            action = json.loads(line)
            if "remove" in action:
                live.pop(action["remove"]["path"])
            if "add" in action:
                live[action["add"]["path"]] = None
    return [str(table / path) for path in live]


def table_points(table: Path) -> Facts:
    """The rows of the table as facts of points, by DuckDB."""
    relation = duckdb.read_parquet(log_files(table), union_by_name=True).select(
        "* REPLACE (epoch_us(_time) AS _time)"
    )
    tags = [name for name in relation.columns if name not in SPANS and not name.startswith("_value_")]
    found = []
    for values in relation.fetchall():
        row = dict(zip(relation.columns, values, strict=True))
        ((column, value),) = [
            (name, value) for name, value in row.items() if name.startswith("_value_") and value is not None
        ]
        present = tuple(sorted((tag, row[tag]) for tag in tags if row[tag] is not None))
        kind = column.removeprefix("_value_")
        exact = int(value) if isinstance(value, Decimal) else value
        assert row["_time"] == row["_time_ns"] // 1000
        found.append(Point(row["_time_ns"], present, row["_field"], kind, exact).facts)
    return sorted_facts(found)


def test_table_holds_every_point_once_whatever_is_exported_again(scene: CompactScene, table: Path) -> None:
    planned = exported(scene, table, dry_run=True)
    assert (planned["commits"], planned["rows_out"], planned["version"], table.exists()) == (4, 28, -1, False)
    first = exported(scene, table, hour(0))
    assert (first["commits"], first["rows_out"], first["version"]) == (1, 7, 1)
    made = exported(scene, table)
    assert (made["commits"], made["rows_out"], made["replaced"], made["unchanged"]) == (3, 21, 0, 1)
    assert table_points(table) == facts_of(scene.points)
    again = exported(scene, table)
    assert (again["commits"], again["unchanged"], again["version"]) == (0, 4, made["version"])
    notes = [
        json.loads(one["influx_rollup"]) for one in DeltaTable(table).history() if "influx_rollup" in one
    ]
    manifests = {note["window"]["start"]: note["manifest_sha256"] for note in notes}
    assert len(manifests) == 4
    assert {len(text) for text in manifests.values()} == {64}
    read = DeltaTable(table).to_pyarrow_table(columns=["_time_ns", "_value_unsigned"])
    assert max(value for value in read["_value_unsigned"].to_pylist() if value is not None) == 2**64 - 1
    assert len(read) == 28


def test_new_generation_replaces_its_window_in_one_commit(scene: CompactScene, table: Path) -> None:
    exported(scene, table)
    late = point(HOUR_NS + 99, {"device": "late", "new tag": "x"}, "temp", 7.0)
    scene.add(late)
    scene.archive(hour(1))
    before = DeltaTable(table).version()
    made = exported(scene, table)
    assert (made["commits"], made["replaced"], made["rows_out"], made["version"]) == (1, 1, 8, before + 1)
    assert table_points(table) == facts_of(scene.points)
    # a day that was compacted of what the table holds is there already; a changed hour of it is replaced alone
    scene.compact()
    assert exported(scene, table)["commits"] == 0
    fresh = table.with_name("fresh")
    assert exported(scene, fresh)["commits"] == 2  # hours 0 to 2 follow each other, hour 5 does not
    scene.add(point(2 * HOUR_NS + 5, {"device": "late"}, "temp", 1.0))
    scene.archive(hour(2))
    for one in (table, fresh):
        made = exported(scene, one)
        assert (made["commits"], made["replaced"], made["rows_out"]) == (1, 1, 8)
        assert table_points(one) == facts_of(scene.points)
        assert exported(scene, one)["commits"] == 0


def test_points_are_there_once_when_runs_die_or_export_at_once(scene: CompactScene, table: Path) -> None:
    steps = steps_of(scene, table)
    actions = actions_with(scene.store)
    answer, other = None, None
    for _ in range(200):
        step = steps.send(answer)
        if isinstance(step, CommitPoints) and other is None:
            # another run exports all of it while this one is about to commit
            other = exported(scene, table)
            assert act(step, NO_CLIENT, actions) is None
            break
        answer = None if isinstance(step, Report) else act(step, NO_CLIENT, actions)
    steps.close()
    assert other is not None
    assert other["commits"] == 4
    assert table_points(table) == facts_of(scene.points)
    # a run that dies after each of its steps, and is begun again
    cut = table.with_name("cut")
    for last in range(1, 400):
        steps, answer = steps_of(scene, cut), None
        for _ in range(last):
            try:
                step = steps.send(answer)
            except StopIteration:
                break
            answer = None if isinstance(step, Report) else act(step, NO_CLIENT, actions)
        else:
            steps.close()
            continue
        break
    assert table_points(cut) == facts_of(scene.points)
    assert DeltaTable(cut).version() == 4


def test_points_are_there_once_when_many_exports_make_the_table_at_once(
    scene: CompactScene, table: Path
) -> None:
    for number in range(3):
        new = table.with_name(f"new{number}")
        # two of each hour
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda one, to=new: exported(scene, to, hour(one)), scene.hours * 2))
        assert sum(one["commits"] for one in made) == 4
        assert table_points(new) == facts_of(scene.points)
        assert exported(scene, new)["commits"] == 0


def test_overtaken_run_looks_again_and_finishes(scene: CompactScene, table: Path) -> None:
    exported(scene, table, hour(0))
    steps, answer, is_overtaken = steps_of(scene, table), None, False
    actions = actions_with(scene.store)
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result = end.value.as_json()
            break
        if isinstance(step, CommitPoints) and not is_overtaken:
            is_overtaken = True
            exported(scene, table, hour(1))
        answer = None if isinstance(step, Report) else act(step, NO_CLIENT, actions)
    assert (result["commits"], result["unchanged"]) == (2, 2)
    assert table_points(table) == facts_of(scene.points)


@pytest.mark.recorded
def test_it_is_told_as_it_is_when_the_table_takes_no_such_commit(scene: CompactScene, table: Path) -> None:
    exported(scene, table)
    DeltaTable(table).alter.set_table_properties({"delta.appendOnly": "true"})
    scene.add(point(HOUR_NS + 99, {"device": "late"}, "temp", 7.0))
    scene.archive(hour(1))
    with pytest.raises(StoreUnavailable, match="append-only"):
        exported(scene, table)


def test_nothing_is_committed_when_a_file_is_damaged(scene: CompactScene, table: Path) -> None:
    flip(scene.small_files(5)[0])
    with pytest.raises(ArchiveMismatch, match="is not the file that was written"):
        exported(scene, table)
    assert table_points(table) == facts_of(one for one in scene.points if one.time_ns < hour(5).start_ns)


def test_it_is_refused_when_the_table_or_the_archive_is_no_such(scene: CompactScene, table: Path) -> None:
    with pytest.raises(ArchiveMissing, match="has no archive of"):
        exported(scene, table, Interval(DAY.stop, DAY.stop + DAY.duration))
    write_deltalake(table, pa.table({"x": [1]}))
    with pytest.raises(ConfigurationError, match="holds something else"):
        exported(scene, table)
    for broken in (table / "_delta_log").glob("*.json"):
        broken.write_text("{")
    with pytest.raises(StoreUnavailable, match="cannot be read or written"):
        exported(scene, table)
    own = table.with_name("own")
    exported(scene, own, hour(0))
    DeltaTable(own).restore(0)
    with pytest.raises(ConfigurationError, match="was set back by version 2"):
        exported(scene, own)
    with pytest.raises(ConfigurationError, match="table_format='csv'"):
        replace(spec_of(scene, table), table_format="csv")
    scene.add(point(6 * HOUR_NS, {"_TIME_ns": "x"}, "temp", 1.0))
    scene.archive(hour(6))
    with pytest.raises(ConfigurationError, match="has the name of another column"):
        exported(scene, table.with_name("other"), hour(6))
