"""Archive and restore against what people write otherwise, each in a process of its own.

``python -m dev.bench.archive`` runs it alone; ``python -m dev.bench`` runs it with the others. Loading takes minutes the
first time.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.flux.archive import PointsOf
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.source.slices import slice_of
from airflow_provider_influx_rollup.steps.ask import gather
from airflow_provider_influx_rollup.steps.store import WriteParts, WritePoints
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench import archive_baselines as others
from dev.bench.alone import Measured, Prepare, measure, run_prepared, run_way
from dev.bench.comparison import Comparison, at_least, at_most, within_megabytes
from dev.bench.server import ServerHeap, settings_of_server, wait_until_settled

BUCKET, TARGET, LEDGER = "bench_archived", "bench_restored", "bench_ledger"
START = datetime(2026, 1, 5, tzinfo=UTC)
STEP = timedelta(seconds=10)
ROUNDS = 3
TAGS = ("device", "site")
MIXED = ("temp", "count", "status", "ok")


@dataclass(frozen=True)
class DataSet:
    """One measurement.

    :param fields: all four types, or a float alone
    """

    measurement: str
    devices: int
    points: int
    fields: tuple[str, ...] = MIXED

    @property
    def values(self) -> int:
        """How many field values it has."""
        return self.devices * self.points * len(self.fields)

    @property
    def span(self) -> Interval:
        """All of it."""
        return self.first(self.points)

    def first(self, points: int, skipped: int = 0) -> Interval:
        """Some points of each series."""
        return Interval(START + skipped * STEP, START + (skipped + points) * STEP)

    def query(self, part: Interval) -> PointsOf:
        """As an archive reads a part of it."""
        rows = self.devices * (part.duration // STEP) * len(self.fields)
        by_field = slice_of(part, rows, TAGS).by_field
        return PointsOf(bucket=BUCKET, measurement=self.measurement, interval=part, by_field=by_field)

    def lines(self) -> Iterator[str]:
        """Line protocol, the same in every run."""
        random = np.random.default_rng(20260105)
        times = (int(START.timestamp()) * 10**9 + np.arange(self.points) * STEP.seconds * 10**9).tolist()
        for number in range(self.devices):
            head = f"{self.measurement},device=dev{number:05d},site=s{number % 10} "
            columns = self._columns(random)
            for row, time in zip(zip(*columns, strict=True), times, strict=True):
                yield f"{head}{','.join(row)} {time}"

    def _columns(self, random: np.random.Generator) -> list[list[str]]:
        makers: Mapping[str, Callable[[], list[str]]] = {
            "temp": lambda: [f"temp={one:.3f}" for one in 20 + np.cumsum(random.normal(0, 0.1, self.points))],
            "count": lambda: [f"count={one}i" for one in range(self.points)],
            "status": lambda: [
                f'status="{"ok" if one < 0.98 else "degraded"}"' for one in random.random(self.points)
            ],
            "ok": lambda: ["ok=true" if one < 0.98 else "ok=false" for one in random.random(self.points)],
        }
        return [makers[name]() for name in self.fields]


LONG = DataSet("raw", 300, 8640)
MANY = DataSet("many", 2500, 200)
SHORT = DataSet("short", 10_000, 200, ("temp",))
TWO_MILLION = LONG.first(1728)
HALVES = [LONG.first(864), LONG.first(864, 864)]
# what one table of the DataFrame writer holds, and what plain points take in a bearable time
WRITTEN, PLAIN_POINTS = LONG.first(432), LONG.first(42)


def load(client: InfluxClient) -> None:
    """Write the points unless they are there."""
    for bucket in (BUCKET, TARGET, LEDGER):
        client.ensure_bucket(bucket)
    for one in (LONG, MANY, SHORT):
        if others.count(client, BUCKET, one.measurement, one.span) != one.values:
            client.write_lines(BUCKET, one.lines())


def write_files(data: DataSet, *parts: Interval) -> Callable[[InfluxClient], None]:
    """One stream to Parquet for each part, all at once."""

    def run(client: InfluxClient) -> None:
        with _folder() as folder:
            steps = [
                WriteParts((data.query(part),), "x", f"p{number}", TAGS) for number, part in enumerate(parts)
            ]
            actions = actions_with(ArchiveStore.of_url(folder))
            written = drive(gather(*steps), client, lambda _report: None, actions)
            assert sum(part.rows for parts in written for part in parts)  # noqa: S101 - a benchmark

    return run


def archive_whole(span: Interval) -> Callable[[InfluxClient], None]:
    """All that the stage does: count, write, read back, compare with a fresh read, publish."""

    def run(client: InfluxClient) -> None:
        with _folder() as folder:
            archive_to(client, folder, span)

    return run


def archive_to(client: InfluxClient, folder: str, span: Interval) -> None:
    """Archive the long measurement."""
    steps = archive(
        _spec(LONG, folder), [span], RunInfo(dag_id="bench", task_id="archive", run_id="run"), _now, {}
    )
    drive(steps, client, lambda _report: None, actions_with(ArchiveStore.of_url(folder)))


@contextmanager
def restore_once(client: InfluxClient) -> Iterator[Callable[[], object]]:
    """Write the points of files, as the stage does when the target is empty; without what it reads before and after."""
    with _folder() as folder:
        archive_to(client, folder, WRITTEN)
        others.empty(client, TARGET, LONG.measurement, WRITTEN)
        store = ArchiveStore.of_url(folder)
        paths = tuple(str(path.relative_to(folder)) for path in Path(folder).rglob("*.parquet"))
        step = WritePoints(layers=(paths,), bucket=TARGET, measurement=LONG.measurement, interval=WRITTEN)
        yield lambda: actions_with(store)[WritePoints](client, step)


@contextmanager
def restore_proven(client: InfluxClient) -> Iterator[Callable[[], object]]:
    """All that the stage does: verify, look, write, prove."""
    with _folder() as folder:
        archive_to(client, folder, WRITTEN)
        others.empty(client, TARGET, LONG.measurement, WRITTEN)
        spec = RestoreSpec(
            org="dev",
            source_bucket=BUCKET,
            measurement=LONG.measurement,
            target_bucket=TARGET,
            target_org="dev",
            shown_path=folder,
            ledger_bucket=LEDGER,
        )
        steps = restore(spec, WRITTEN, RunInfo(dag_id="bench", task_id="restore", run_id="run"), _now)
        actions = actions_with(ArchiveStore.of_url(folder))
        yield lambda: drive(steps, client, lambda _report: None, actions)


@contextmanager
def write_frames(client: InfluxClient) -> Iterator[Callable[[], object]]:
    """The same files through DataFrames."""
    with _folder() as folder:
        archive_to(client, folder, WRITTEN)
        files = sorted(Path(folder).rglob("*.parquet"))
        with others.write_frames(client, files, TARGET, WRITTEN) as run:
            yield run


def _spec(data: DataSet, folder: str) -> ArchiveSpec:
    return ArchiveSpec(
        org="dev", bucket=BUCKET, measurement=data.measurement, shown_path=folder, ledger_bucket=LEDGER
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="influx-rollup-bench-")


OURS: dict[str, Callable[[InfluxClient], None]] = {
    "one": write_files(LONG, TWO_MILLION),
    "two": write_files(LONG, *HALVES),
    "long": write_files(LONG, LONG.span),
    "many": write_files(MANY, MANY.span),
    "short": write_files(SHORT, SHORT.span),
    "drain": lambda _: others.drain(LONG.query(TWO_MILLION).flux()),
    "whole": archive_whole(TWO_MILLION),
    "whole_long": archive_whole(LONG.span),
}
THEIRS: dict[str, Callable[[InfluxClient], None]] = {
    "frame": lambda _: others.frame_to_parquet(BUCKET, "raw", TWO_MILLION),
    "stream": lambda _: others.stream_to_parquet(BUCKET, "raw", TWO_MILLION),
    "frame_many": lambda _: others.frame_to_parquet(BUCKET, "many", MANY.span),
    "frame_short": lambda _: others.frame_to_parquet(BUCKET, "short", SHORT.span),
}
WRITES: dict[str, Prepare] = {
    "restore": restore_once,
    "restore_proven": restore_proven,
    "write_frame": write_frames,
    "write_points": lambda client: others.write_points(client, BUCKET, TARGET, PLAIN_POINTS),
}
MODULE = "dev.bench.archive"


def compare(settings: ClientSettings, say: Callable[[str], None]) -> list[Comparison]:
    """Reading, memory, and writing back."""
    say("Measuring: archive and restore (loading 14 million values takes minutes the first time)")
    with InfluxClient(settings) as client:
        load(client)
    wait_until_settled(settings.url)
    ours = measure(settings, MODULE, {name: way for name, way in OURS.items() if name != "whole_long"})
    with ServerHeap(settings.url) as server:
        ours |= measure(settings, MODULE, {"whole_long": OURS["whole_long"]})
    theirs = measure(settings, MODULE, THEIRS)
    writes = measure(settings, MODULE, WRITES)
    for name, found in (ours | theirs | writes).items():
        say(f"  {name}: {found.seconds:.3f} s, {found.cpu_seconds:.3f} s of CPU, {found.megabytes:.0f} MB")
    return [*_reads(ours, theirs), *_memory(ours, server.megabytes), *_writes(writes)]


def _reads(ours: Mapping[str, Measured], theirs: Mapping[str, Measured]) -> list[Comparison]:
    seconds = {name: found.seconds for name, found in {**ours, **theirs}.items()}
    rows = [
        ("one stream than query_data_frame", "one", "frame", 10),
        ("one stream than query_stream", "one", "stream", 8),
        ("two slices at once than query_data_frame", "two", "frame", 15),
        ("10,000 mixed series than query_data_frame", "many", "frame_many", 15),
        ("10,000 float series than query_data_frame", "short", "frame_short", 10),
        ("a whole archive, proven, than query_data_frame", "whole", "frame", 3),
    ]
    found = [at_least(f"faster {name}", seconds[us], seconds[them], least) for name, us, them, least in rows]
    return [*found, at_most("time that the server takes to nobody", seconds["one"], seconds["drain"], 1.25)]


def _memory(ours: Mapping[str, Measured], server_megabytes: float) -> list[Comparison]:
    long, two_million = ours["long"].megabytes, ours["one"].megabytes
    ratio = long / two_million
    flat = Comparison(
        "memory at 10M values against 2M", long, two_million, ratio, "<= 1.15x", ratio <= 1.15, "MB"
    )
    return [
        within_megabytes("memory of one stream at 10M values", long, 280),
        flat,
        within_megabytes("memory that the server takes for 10M values", server_megabytes, 400),
    ]


def _writes(found: Mapping[str, Measured]) -> list[Comparison]:
    """Seconds for a million values: each way writes as many as it can in a bearable time."""
    series = LONG.devices * len(MIXED)
    values = {name: series * (42 if name == "write_points" else 432) for name in found}
    took = {name: one.seconds / values[name] * 1e6 for name, one in found.items()}
    return [
        at_least("faster restore than DataFrames (a million)", took["restore"], took["write_frame"], 4),
        at_least("faster restore than Points (a million)", took["restore"], took["write_points"], 6),
        at_least(
            "faster proven restore than Points (a million)", took["restore_proven"], took["write_points"], 2
        ),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        way = sys.argv[1]
        if way in WRITES:
            run_prepared(WRITES[way], ROUNDS)
        else:
            run_way((OURS | THEIRS)[way], ROUNDS if way in OURS else 1)
    else:
        compare(settings_of_server(), print)
