"""Hours of points, archived one by one, and what is compacted of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.archive.verify import Checked, verify_archive
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, START, Point, point
from tests.scenes.purge_scene import PurgeScene, make_empty_scene

HOUR_NS = 3600 * 10**9
DAY = Interval(START, START + timedelta(days=1))
MONTH = Interval(START.replace(day=1), START.replace(month=4, day=1))
NO_CLIENT = cast("InfluxClient", None)
Fact = tuple[Any, ...]


def hour(number: int) -> Interval:
    """An hour of the day."""
    return Interval(START + timedelta(hours=number), START + timedelta(hours=number + 1))


def points_of_hour(number: int) -> list[Point]:
    """Points of every type at both ends of an hour, 1 ns apart; every other hour with a tag of its own."""
    extra = {"rack": "é,= "} if number % 2 else {}
    begin, last = number * HOUR_NS, (number + 1) * HOUR_NS - 1
    return [
        point(begin, {"device": "a", **extra}, "temp", number + 0.1),
        point(begin + 1, {"device": "a", **extra}, "temp", -0.0),
        point(last, {"device": "b"}, "temp", 5e-324),
        point(begin + 7, {"device": "b"}, "total", 2**63 - 1 - number),
        point(begin + 7, {"device": "b"}, "big", 2**64 - 1 - number, "unsigned"),
        point(last, {}, "ok", number % 2 == 0),
        point(last, {"device": "a"}, "note", ["", 'a\n"b"', "😀"][number % 3]),
    ]


@dataclass
class CompactScene(PurgeScene):
    """A day whose hours are archived, but for some that never were.

    :param hours: numbers of those that were
    """

    hours: list[int] = field(default_factory=lambda: [0, 1, 2, 5])

    @property
    def compact_spec(self) -> CompactSpec:
        """What is compacted."""
        return CompactSpec(
            org=self.server.org,
            bucket=self.bucket,
            measurement=self.measurement,
            shown_path=str(self.base),
            into="1d",
        )

    def fill(self) -> None:
        """Write the points, and archive the hours."""
        for number in self.hours:
            self.add(*points_of_hour(number))
        self.archive(*(hour(number) for number in self.hours))

    def compact_steps(self, interval: Interval = DAY, *, dry_run: bool = False, **changes: Any) -> Any:
        """The verb."""
        spec = replace(self.compact_spec, **changes)
        return compact(spec, interval, RUN, self.now, {"product": "1"}, dry_run=dry_run)

    def compact(self, interval: Interval = DAY, **changes: Any) -> dict[str, Any]:
        """Compact as the operator does."""
        steps = self.compact_steps(interval, **changes)
        return dict(drive(steps, NO_CLIENT, self.tell, actions_with(self.store)).as_json())

    def purge_hours(self, *numbers: int) -> None:
        """Purge hours, with their proof; no pipeline is required."""
        windows = [hour(number) for number in numbers]
        self.purge(*windows, now=self.now() + timedelta(days=2), require_pipelines=())

    def read(self, interval: Interval | None = None) -> list[Fact]:
        """What ``read_archive`` gives, as facts."""
        span = (interval.start, interval.stop) if interval else (None, None)
        names = {"org": self.server.org, "bucket": self.bucket, "measurement": self.measurement}
        return table_facts(read_archive(str(self.base), *span, **names))

    def restored(self, bucket: str, interval: Interval = DAY) -> list[Fact]:
        """What a restore into another bucket brings there, read without the product."""
        spec = self.restore_spec(target_bucket=bucket, allow_missing=True)
        drive(restore(spec, interval, RUN, self.now), self.client, self.tell, actions_with(self.store))
        return sorted(replace(self, bucket=bucket).facts_plain(), key=repr)

    def facts_plain(self) -> list[Fact]:
        """Points of the bucket by field and time."""
        from tests.oracle import query
        from tests.scenes.purge_scene import ALWAYS

        flux = f'from(bucket: "{self.bucket}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "{self.measurement}")'
        rows = query(self.server.url, self.server.org, self.server.token, flux)
        return [
            (row["_time"], row.get("device") or "", row.get("rack") or "", row["_field"], row["_value"])
            for row in rows
        ]

    def checked(self) -> list[Checked]:
        """What ``verify`` finds."""
        return drive(verify_archive(self.spec.folder), NO_CLIENT, self.tell, actions_with(self.store))

    def verified(self) -> dict[tuple[Interval, int], str]:
        """What it tells of each generation; nothing is wrong."""
        found = self.checked()
        assert not any(one.problem for one in found)
        return {(one.window, one.generation): one.told for one in found}

    def small_files(self, number: int) -> list[Path]:
        """The Parquet files of an hour."""
        name = f"window={hour(number).start:%Y%m%dT%H%M%SZ}_{hour(number).stop:%Y%m%dT%H%M%SZ}"
        return sorted((self.folder / name).rglob("*.parquet"))

    def copied(self, base: Path) -> CompactScene:
        """The same with a copy of the files."""
        shutil.copytree(self.base, base)
        return replace(self, base=base)


def table_facts(table: pa.Table) -> list[Fact]:
    """The rows of a tall table as facts of points, in order."""
    from tests.scenes.archive_scene import sorted_facts

    facts = []
    columns = [name for name in table.column_names if name.startswith("_value")]
    tags = [name for name in table.column_names if name not in ("_time", "_field", *columns)]
    times = table["_time"].cast(pa.int64()).to_pylist()
    plain = table.drop_columns(["_time"]).to_pylist()
    for moment, row in zip(times, plain, strict=True):
        (column,) = [name for name in columns if row[name] is not None]
        kind = column.removeprefix("_value").removeprefix("_")
        present = tuple((tag, row[tag]) for tag in tags if row[tag] is not None)
        made = Point(moment, tuple(sorted(present)), row["_field"], kind, row[column])
        facts.append(made.facts)
    return sorted_facts(facts)


def make_compact_scene(server: InfluxServer, client: InfluxClient, base: Path) -> CompactScene:
    """Hours that are archived."""
    made = make_empty_scene(server, client, base)
    scene = CompactScene(server, client, made.base, made.bucket, made.ledger, rolled=made.rolled)
    scene.fill()
    return scene
