"""A rollup of one window to 100,000, and of one series to 100,000, against the same Flux sent raw; each in a process of its own.

``python -m dev.bench.sizes`` measures all, for ``docs/pictures/sizes.png``; ``make bench`` does not run it. What was
measured is kept in ``.bench/sizes.json`` and drawn after each size.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench.alone import Measured, measure, run_prepared
from dev.bench.own_flux import own_flux
from dev.bench.scripts import AGGREGATES
from dev.bench.server import OUTPUT, ServerHeap, settings_of_server, wait_until_settled
from dev.influx_http import InfluxAddress

SOURCE, LEDGER = "bench_sizes", "bench_sizes_ledger"
START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(minutes=1)
POINTS_PER_WINDOW = 6
MANY_WINDOWS = [(count, 10) for count in (1, 10, 100, 1_000, 10_000, 100_000)]
MANY_SERIES = [(24, count) for count in (1, 10, 100, 1_000, 10_000, 100_000)]
ROUNDS = 5
# so many points: so many rounds
FEWER_ROUNDS = {5_000_000: 1, 1_000_000: 2}
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "sizes.png"

Prepared = Callable[[], object]


@dataclass(frozen=True)
class Size:
    """So many windows of a minute, of so many series."""

    windows: int
    series: int

    @property
    def measurement(self) -> str:
        """Holds the points of this size only."""
        return f"w{self.windows}_s{self.series}"

    @property
    def points(self) -> int:
        """Source points."""
        return self.windows * self.series * POINTS_PER_WINDOW

    @property
    def interval(self) -> Interval:
        """From the first window to the last."""
        return Interval(START, START + self.windows * WINDOW)

    @property
    def rounds(self) -> int:
        """How often it is measured."""
        return next((rounds for points, rounds in FEWER_ROUNDS.items() if self.points >= points), ROUNDS)

    def lines(self) -> Iterator[str]:
        """Line protocol, the same in every run, one window of all series after the other."""
        random = np.random.default_rng(20260101)
        first_ns, step_ns = self.interval.start_ns, 60 * 10**9 // POINTS_PER_WINDOW
        for number in range(self.windows * POINTS_PER_WINDOW):
            values = random.normal(20, 1, self.series).round(3).tolist()
            end = first_ns + number * step_ns
            for series, value in enumerate(values):
                yield f"{self.measurement},device_id=d{series:06d} temperature={value} {end}"


@dataclass(frozen=True)
class Compared:
    """One size, both ways.

    :param server_megabytes: how much more heap the server used while both were measured
    """

    size: Size
    stage: Measured
    raw: Measured
    server_megabytes: float

    @property
    def ratio(self) -> float:
        """How many times as long as the raw Flux the stage takes."""
        return self.stage.seconds / self.raw.seconds


def load(client: InfluxClient, size: Size) -> None:
    """Write the points unless they are there."""
    client.ensure_bucket(SOURCE)
    client.ensure_bucket(LEDGER)
    rows = client.query(
        f'from(bucket: "{SOURCE}") |> range(start: 2026-01-01T00:00:00Z, stop: 2027-01-01T00:00:00Z)'
        f' |> filter(fn: (r) => r._measurement == "{size.measurement}") |> group() |> count()'
    )
    if sum(row["_value"] for row in rows) != size.points:
        client.write_lines(SOURCE, size.lines())


def spec_of(size: Size, target: str) -> RollupSpec:
    """The rollup: a pipeline of its own in a ledger that others have used."""
    return RollupSpec(
        source_bucket=SOURCE,
        target_bucket=target,
        measurement=size.measurement,
        grid=GridSpec("1m"),
        aggregates=AGGREGATES,
        pipeline=target,
        ledger_bucket=LEDGER,
    )


def steps_of(size: Size, spec: RollupSpec) -> Steps[object]:
    """A run of it."""
    info = RunInfo(dag_id="bench", task_id="sizes", run_id="run")
    return roll_up(spec, size.interval, info, lambda: datetime.now(UTC))


@contextmanager
def prepared(way: str, size: Size, client: InfluxClient) -> Iterator[Prepared]:
    """What is measured: a first run into an empty target, or its queries, written by InfluxDB, into another one."""
    settings = settings_of_server()
    address = InfluxAddress(settings.url, settings.org, settings.token(False))
    with address.buckets_made_meanwhile_deleted():
        target = f"bench_sizes_{uuid.uuid4().hex[:8]}"
        client.ensure_bucket(target)
        if way == "stage":
            yield lambda: drive(steps_of(size, spec_of(size, target)), client, lambda _report: None)
            return
        scripts = own_flux(steps_of(size, replace(spec_of(size, target), compute="server")), client)
        fresh = f"{target}_raw"
        client.ensure_bucket(fresh)
        texts = [text.replace(f'"{target}"', f'"{fresh}"') for text in scripts]
        yield partial(_send, client, texts)


def _send(client: InfluxClient, texts: Sequence[str]) -> None:
    for text in texts:
        client.execute(text)


def compare(settings: ClientSettings, size: Size) -> Compared:
    """Measure both ways of one size."""
    ways = {name: f"{name}:{size.windows}:{size.series}" for name in ("raw", "stage")}
    with ServerHeap(settings.url) as heap:
        found = measure(settings, "dev.bench.sizes", dict.fromkeys(ways.values()))
    return Compared(size, found[ways["stage"]], found[ways["raw"]], heap.megabytes)


def draw(rows: Sequence[Compared]) -> None:
    """Seconds and memory by windows and by series."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for number, (sizes, name) in enumerate(
        ((MANY_WINDOWS, "windows of 10 series"), (MANY_SERIES, "series in 24 windows"))
    ):
        some = [row for row in rows if (row.size.windows, row.size.series) in sizes]
        across = [row.size.windows if sizes is MANY_WINDOWS else row.size.series for row in some]
        time, memory = panels[0][number], panels[1][number]
        stage, raw = ([getattr(row, way).seconds for row in some] for way in ("stage", "raw"))
        time.loglog(across, stage, "o-", label="rollup, with receipts and read-back")
        time.loglog(across, raw, "o--", label="the same Flux, sent raw")
        memory.loglog(across, [row.stage.megabytes for row in some], "s-", label="worker")
        memory.loglog(
            across, [row.server_megabytes for row in some], "s--", label="InfluxDB, more heap than before"
        )
        memory.set_xlabel(name)
        for panel in (time, memory):
            panel.grid(visible=True, alpha=0.3)
    for row, unit in zip(panels, ("seconds", "MB of memory"), strict=True):
        row[0].set_ylabel(unit)
        row[0].legend(frameon=False)
    figure.savefig(PICTURE, dpi=120)


def main() -> None:
    """Measure all sizes, print a table, write JSON and the picture."""
    console = Console()
    settings = settings_of_server()
    sizes = [Size(*pair) for pair in dict.fromkeys([*MANY_WINDOWS, *MANY_SERIES])]
    with InfluxClient(settings) as client:
        for size in sizes:
            console.print(f"Loading {size.points:,} points of {size.measurement} unless they are there")
            load(client, size)
        wait_until_settled(settings.url)
    rows: list[Compared] = []
    OUTPUT.mkdir(exist_ok=True)
    for size in sizes:
        rows.append(compare(settings, size))
        console.print(f"{size.measurement}: {rows[-1].ratio:.2f}x")
        (OUTPUT / "sizes.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        draw(rows)
    console.print(_table(rows))


def _table(rows: Sequence[Compared]) -> Table:
    table = Table(title="First run of a rollup against the same Flux, by size")
    for heading in ("windows", "series", "points", "rollup", "raw", "ratio", "worker", "InfluxDB"):
        table.add_column(heading, justify="right")
    for row in rows:
        counts = (f"{row.size.windows:,}", f"{row.size.series:,}", f"{row.size.points:,}")
        seconds = (f"{row.stage.seconds:.3f} s", f"{row.raw.seconds:.3f} s", f"{row.ratio:.2f}x")
        table.add_row(*counts, *seconds, f"{row.stage.megabytes:.0f} MB", f"{row.server_megabytes:.0f} MB")
    return table


if __name__ == "__main__":
    if len(sys.argv) > 1:
        way, windows, series = sys.argv[1].split(":")
        chosen = Size(int(windows), int(series))
        run_prepared(partial(prepared, way, chosen), chosen.rounds)
    else:
        main()
