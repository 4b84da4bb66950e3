"""An archive of hostile points, and a target to restore them into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.archive.archive import ArchiveResult, archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreResult, RestoreSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.plain_points import PlainInflux, Point

HOUR = timedelta(hours=1)
# a Monday, where shard groups of a week begin
START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
HOSTILE = (
    "plain",
    "a,b",
    "a=b",
    "a b",
    'quo"te',
    "it's",
    "back\\slash",
    "\\n",
    "é😀",
    "tab\there",
    "${x}",
    "#c",
    "\\\n feed",
)


def hostile_points(start: datetime = START) -> list[Point]:
    """Every type at its extremes, absent tags, 1 ns apart, names and texts that are hard to write."""
    begin = int(start.timestamp()) * 10**9
    extremes: dict[str, Sequence[Any]] = {
        "float": (0.0, -0.0, 5e-324, 1.7976931348623157e308, -1 / 3, 1e22),
        "integer": (0, -(2**63), 2**63 - 1),
        "unsigned": (0, 2**64 - 1),
        "boolean": (True, False),
        "string": ("", "\n", "a\nb", 'say "hi"', "back\\", "\\", ",= #datatype\n\n", "é😀\0", "NULL", " "),
    }
    points = []
    for number, text in enumerate(HOSTILE):
        tags = [(), (("k,=" + " x", text),), (("k,=" + " x", text), ("site", "s\\"[:1] + str(number)))][
            number % 3
        ]
        for kind, values in extremes.items():
            for place, value in enumerate(values):
                points.append(Point(tuple(sorted(tags)), kind, kind, value, begin + number * 10**9 + place))
        points.append(Point((("site", "é"),), f"f {text}", "float", 1.5, begin + number))
        points.append(Point((("site", "é"),), f"s {text}", "string", text, begin + number))
    return points


@dataclass
class Scene:
    """One archive, and buckets."""

    client: InfluxClient
    plain: PlainInflux
    folder: Path
    source: str
    target: str
    ledger: str
    measurement: str = "m x,=é"

    @property
    def store(self) -> ArchiveStore:
        return ArchiveStore.of_url(str(self.folder))

    def archive(self, windows: Sequence[Interval] = (DAY,), **changes: Any) -> ArchiveResult:
        spec = ArchiveSpec(
            org="dev",
            bucket=self.source,
            measurement=self.measurement,
            shown_path=str(self.folder),
            ledger_bucket=self.ledger,
        )
        steps = archive(
            replace(spec, **changes), windows, RunInfo(dag_id="d", task_id="a", run_id="r"), now, {}
        )
        return drive(steps, self.client, lambda _: None, actions_with(self.store))

    def spec(self, **changes: Any) -> RestoreSpec:
        made = RestoreSpec(
            org="dev",
            source_bucket=self.source,
            measurement=self.measurement,
            target_bucket=self.target,
            target_org="dev",
            shown_path=str(self.folder),
            ledger_bucket=self.ledger,
        )
        return replace(made, **changes)

    def restore(self, interval: Interval = DAY, **changes: Any) -> RestoreResult:
        """Restore; what it reports is in ``reports``."""
        self.reports: list[str] = []

        def report(one: Report) -> None:
            self.reports.append(one.message)

        steps = restore(self.spec(**changes), interval, RunInfo(dag_id="d", task_id="t", run_id="r"), now)
        return drive(steps, self.client, report, actions_with(self.store))

    def parquet_files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.parquet"))


def now() -> datetime:
    return datetime.now(UTC)


def make_scene(
    client: InfluxClient, influx: Any, bucket_factory: Callable[[str], str], folder: Path
) -> Scene:
    names = [bucket_factory(name) for name in ("source", "target", "ledger")]
    return Scene(client, PlainInflux(influx), folder, *names)


def hours(count: int) -> Iterator[Interval]:
    for number in range(count):
        yield Interval(START + number * HOUR, START + (number + 1) * HOUR)
