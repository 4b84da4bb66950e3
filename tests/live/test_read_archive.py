"""An archive read without the server, by us and by others, against the test's own points."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMissing, ConfigurationError, WindowUndefined
from airflow_provider_influx_rollup.read_archive import archive_files, read_archive
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.plain_points import Point
from tests.scenes.restore_scene import HOUR, START, Scene, hours, make_scene

pytestmark = pytest.mark.live

DEVICES = ("d0", "d1", None)


def points() -> list[Point]:
    begin = int(START.timestamp()) * 10**9
    kinds: dict[str, tuple[str, Callable[[int], Any]]] = {
        "temp": ("float", lambda n: n / 4),
        "total": ("integer", lambda n: 2**62 + n),
        "big": ("unsigned", lambda n: 2**64 - 1 - n),
        "ok": ("boolean", lambda n: n % 2 == 0),
        "note": ("string", lambda n: ["", "a,b", "é\n😀"][n % 3]),
    }
    return [
        Point(
            () if device is None else (("device", device),),
            field,
            kind,
            value(number),
            begin + number * 600 * 10**9 + 1,
        )
        for device in DEVICES
        for field, (kind, value) in kinds.items()
        for number in range(12)
        if not (field == "note" and device == "d1")
    ]


@pytest.fixture(scope="module")
def scene(
    client: InfluxClient,
    influx: Any,
    module_buckets: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Scene:
    made = make_scene(client, influx, module_buckets, tmp_path_factory.mktemp("archive"))
    made.plain.write(made.source, made.measurement, points())
    made.archive(list(hours(2)))
    return made


@pytest.fixture(scope="module")
def module_buckets(client: InfluxClient) -> Callable[[str], str]:
    def make(prefix: str) -> str:
        name = f"{prefix}_{datetime.now(UTC).timestamp()}"
        client.ensure_bucket(name)
        return name

    return make


@pytest.fixture
def read(scene: Scene) -> Callable[..., pa.Table]:
    names = {"org": "dev", "bucket": scene.source, "measurement": scene.measurement}
    return lambda *args, **more: read_archive(str(scene.folder), *args, **names, **more)


def found(table: pa.Table) -> list[tuple[Any, ...]]:
    """Time, device, field and value of each row, whatever column the value is in."""
    rows = []
    for row in table.to_pandas().astype({"_time": "int64"}).to_dict("records"):
        texts = [None if pd.isna(row[name]) else row[name] for name in ("device", "_field")]
        values = [value for name, value in row.items() if name.startswith("_value") and not pd.isna(value)]
        assert len(values) == 1
        rows.append((row["_time"], *texts, values[0]))
    return rows


def of_points(some: list[Point]) -> list[tuple[Any, ...]]:
    return [(point.time_ns, dict(point.tags).get("device"), point.field, point.value) for point in some]


def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (row[0], str(row[1]), row[2])


def test_all_points_come_back_when_nothing_is_chosen(read: Callable[..., pa.Table]) -> None:
    table = read()
    assert table.schema.field("_value_unsigned").type == pa.uint64()
    assert table.schema.field("_time").type == pa.timestamp("ns", tz="UTC")
    values = {
        (row[0], row[1], row[2]): column[number].as_py()
        for name in table.column_names
        if name.startswith("_value")
        for column in [table[name]]
        for number, row in enumerate(
            zip(
                table["_time"].cast(pa.int64()).to_pylist(),
                table["device"].to_pylist(),
                table["_field"].to_pylist(),
                strict=True,
            )
        )
        if column[number].is_valid
    }
    assert values == {row[:3]: row[3] for row in of_points(points())}


def test_only_what_was_asked_for_comes_back(read: Callable[..., pa.Table]) -> None:
    stop = START + timedelta(minutes=70)
    table = read(START.isoformat(), stop, tags={"device": ["d0", ""]}, fields="temp")
    assert table.column_names == ["_time", "device", "_field", "_value"]
    wanted = [
        point
        for point in points()
        if point.field == "temp"
        and dict(point.tags).get("device") != "d1"
        and point.time_ns < int(stop.timestamp()) * 10**9
    ]
    assert sorted(found(table), key=key) == sorted(of_points(wanted), key=key)
    assert read(fields=[]).num_rows == 0
    assert read(tags={"nothing": "x"}).num_rows == 0
    assert read(tags={"nothing": ""}).num_rows == len(points())


def test_a_wide_table_has_a_row_for_each_tag_set_and_time(read: Callable[..., pa.Table]) -> None:
    table = read(wide=True)
    assert table.column_names == ["_time", "device", "big", "note", "ok", "temp", "total"]
    rows = table.to_pylist() if table.num_rows == 0 else table.drop_columns(["_time"]).to_pylist()
    times = table["_time"].cast(pa.int64()).to_pylist()
    assert len(rows) == len(DEVICES) * 12
    wanted: dict[tuple[Any, Any], dict[str, Any]] = {}
    for point in points():
        wanted.setdefault((point.time_ns, dict(point.tags).get("device")), {})[point.field] = point.value
    for time, row in zip(times, rows, strict=True):
        own = wanted.pop((time, row.pop("device")))
        assert {name: value for name, value in row.items() if value is not None} == own
    assert not wanted


def test_others_read_the_files_with_the_right_types(scene: Scene) -> None:
    names = {"org": "dev", "bucket": scene.source, "measurement": scene.measurement}
    files = archive_files(str(scene.folder), **names)
    assert len(files) == 10
    assert len(archive_files(str(scene.folder), START, START + HOUR, **names)) == 5
    duck = {
        "float": "DOUBLE",
        "integer": "BIGINT",
        "unsigned": "UBIGINT",
        "boolean": "BOOLEAN",
        "string": "VARCHAR",
    }
    polars = {
        "float": pl.Float64,
        "integer": pl.Int64,
        "unsigned": pl.UInt64,
        "boolean": pl.Boolean,
        "string": pl.String,
    }
    pandas = {"float": "float64", "integer": "int64", "unsigned": "uint64", "boolean": "bool"}
    for kind in duck:
        own = [path for path in files if Path(path).name.startswith(f"{kind}-")]
        wanted = sorted(of_points([point for point in points() if point.kind == kind]), key=key)
        relation = duckdb.read_parquet(own)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert types["_value"] == duck[kind]
        assert types["_time"] == "TIMESTAMP WITH TIME ZONE" or "NS" in types["_time"]
        rows = relation.select("device, _field, _value").fetchall()
        assert sorted(map(repr, rows)) == sorted(repr(row[1:]) for row in wanted)
        frame = pl.read_parquet(own)
        assert frame.schema["_value"] == polars[kind]
        assert frame.schema["_time"] == pl.Datetime("ns", "UTC")
        times = frame["_time"].to_physical().to_list()
        read = zip(
            times,
            frame["device"].to_list(),
            frame["_field"].to_list(),
            frame["_value"].to_list(),
            strict=True,
        )
        assert sorted(read, key=key) == wanted
        if kind in pandas:
            assert str(pd.read_parquet(own[0])["_value"].dtype) == pandas[kind]


def test_tables_open_in_pandas_polars_and_duckdb(read: Callable[..., pa.Table]) -> None:
    wide = read(wide=True)  # noqa: F841 - DuckDB finds it by its name
    counted = duckdb.sql(
        "SELECT device, count(temp), max(big) FROM wide GROUP BY device ORDER BY device"
    ).fetchall()
    assert counted == [("d0", 12, 2**64 - 1), ("d1", 12, 2**64 - 1), (None, 12, 2**64 - 1)]
    frame = pl.from_arrow(read(fields="total"))
    assert isinstance(frame, pl.DataFrame)
    assert frame["_value"].max() == 2**62 + 11


def test_points_are_taken_once_when_archived_windows_overlap(
    client: InfluxClient, influx: Any, bucket_factory: Callable[[str], str], tmp_path: Path
) -> None:
    scene = make_scene(client, influx, bucket_factory, tmp_path)
    scene.plain.write(scene.source, scene.measurement, points())
    scene.archive(list(hours(2)))
    names = {"org": "dev", "bucket": scene.source, "measurement": scene.measurement}

    def read(**more: Any) -> pa.Table:
        return read_archive(str(tmp_path), **names, **more)

    before = sorted(found(read(fields="temp")), key=key)
    late = Point((("device", "d0"),), "temp", "float", -5.0, points()[0].time_ns)
    scene.plain.write(scene.source, scene.measurement, [late])
    scene.archive([Interval(START, START + 2 * HOUR)])
    after = sorted(found(read(fields="temp")), key=key)
    assert [new for new, old in zip(after, before, strict=True) if new != old] == of_points([late])
    assert scene.restore(Interval(START, START + 2 * HOUR)).as_json()["rows_out"] == len(points())
    with pytest.raises(ConfigurationError, match="2 archived windows overlap"):
        archive_files(str(tmp_path), **names)


def test_it_is_told_when_there_is_no_archive(scene: Scene, read: Callable[..., pa.Table]) -> None:
    with pytest.raises(ArchiveMissing, match="has no archive of"):
        read(START - HOUR, START)
    with pytest.raises(ArchiveMissing, match="has no archive"):
        read_archive(str(scene.folder), org="dev", bucket="none", measurement="m")
    with pytest.raises(WindowUndefined):
        read("2026-01-05T00:00:00")
