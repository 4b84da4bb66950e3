"""``python -m dev.bench``: run every comparison, print a table and write JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.spec import GridSpec, RollupSpec, RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import Execute
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench import reconcile, scripts, validate
from dev.bench.data import SIX_HOURS, SOURCE_BUCKET, THREE_DAYS, DataSet, load, target_bucket

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / ".bench"
FAST_ROUNDS = 5


@dataclass(frozen=True)
class Comparison:
    """Two ways to the same rows.

    :param promise: the bound on the ratio, and whether the ratio is ours/theirs or theirs/ours
    """

    name: str
    ours_seconds: float
    theirs_seconds: float
    ratio: float
    promise: str
    holds: bool


def main() -> int:
    """Run the benchmark; the exit code says whether every promise held."""
    console = Console()
    settings = _settings()
    with InfluxClient(settings) as client:
        console.print("Loading 2 x 2,160,000 points unless they are there")
        load(client)
        results = list(_comparisons(client, console))
    results += _validation(settings, console)
    results += _sweep(settings, console)
    table = Table(title="Whole rollup stage (receipts, read-back, checks) against the alternatives")
    for heading in ("comparison", "ours s", "theirs s", "ratio", "promise", "holds"):
        table.add_column(heading)
    for one in results:
        row = (
            one.name,
            f"{one.ours_seconds:.3f}",
            f"{one.theirs_seconds:.3f}",
            f"{one.ratio:.2f}x",
            one.promise,
        )
        table.add_row(*row, "yes" if one.holds else "NO")
    console.print(table)
    OUTPUT.mkdir(exist_ok=True)
    report = {
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "at": datetime.now(UTC).isoformat(),
        "results": [asdict(one) for one in results],
    }
    (OUTPUT / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"Written: {OUTPUT / 'results.json'}")
    return 0 if all(one.holds for one in results) else 1


def _comparisons(client: InfluxClient, console: Console) -> list[Comparison]:
    aggregates = scripts.AGGREGATES
    stage = _stage(client, SIX_HOURS, "stage", aggregates)
    raw = _raw_script(client, _own_script(client, aggregates))
    days = _stage(client, THREE_DAYS, "days", aggregates, GridSpec("1d", timezone="America/Los_Angeles"))
    slide = _stage(client, SIX_HOURS, "sliding", aggregates, GridSpec("1h", period="3h"))
    worker = _stage(client, SIX_HOURS, "worker", ("stddev", "median", "p99"))
    results = [_overhead(stage, raw, console)]
    slow = [
        ("than one shared variable", stage, scripts.shared_variable(SIX_HOURS), 25),
        ("than window + reduce", stage, scripts.window_reduce(SIX_HOURS), 50),
        ("local days than location:", days, scripts.with_location(THREE_DAYS), 5),
        ("sliding than window(period:)", slide, scripts.sliding(SIX_HOURS), 20),
        ("stddev + median + p99 than in Flux", worker, scripts.not_pushed(SIX_HOURS), 6),
    ]
    for name, ours, script, least in slow:
        console.print(f"Measuring: faster {name}")
        ours_seconds = _median(ours, FAST_ROUNDS)
        # once: it takes seconds to minutes, and a second of warming up would change nothing
        theirs_seconds = _seconds(_raw_script(client, script))
        ratio = theirs_seconds / ours_seconds
        console.print(f"  {ours_seconds:.3f} s against {theirs_seconds:.3f} s: {ratio:.1f}x")
        results.append(
            Comparison(f"faster {name}", ours_seconds, theirs_seconds, ratio, f">= {least}x", ratio >= least)
        )
    return results


def _overhead(stage: Callable[[], None], raw: Callable[[], None], console: Console) -> Comparison:
    """The two alternate, so that what else the machine does meets both."""
    console.print("Measuring: the same Flux sent raw")
    ours, theirs = [], []
    for _ in range(2 * FAST_ROUNDS):
        theirs.append(_seconds(raw))
        ours.append(_seconds(stage))
    ours_seconds, theirs_seconds = statistics.median(ours), statistics.median(theirs)
    ratio = ours_seconds / theirs_seconds
    console.print(f"  {ours_seconds:.3f} s against {theirs_seconds:.3f} s: {ratio:.2f}x")
    return Comparison(
        "time of the same Flux sent raw", ours_seconds, theirs_seconds, ratio, "<= 1.3x", ratio <= 1.3
    )


def _validation(settings: ClientSettings, console: Console) -> list[Comparison]:
    """Ten rules over a million points against one raw read of them, and the memory that they take."""
    console.print("Measuring: validation of 1,000,000 points")
    found = validate.measure(settings)
    ours, theirs = found["validate"], found["read"]
    times, most = validate.MOST_TIMES, validate.MOST_MEGABYTES
    ratio = ours.seconds / theirs.seconds
    console.print(
        f"  {ours.seconds:.3f} s against {theirs.seconds:.3f} s: {ratio:.2f}x; {ours.megabytes:.0f} MB"
    )
    return [
        Comparison(
            "10 rules against one raw read",
            ours.seconds,
            theirs.seconds,
            ratio,
            f"<= {times:g}x",
            ratio <= times,
        ),
        Comparison(
            "memory of a validation (MB against 256)",
            ours.megabytes,
            float(most),
            ours.megabytes / most,
            "<= 1x",
            ours.megabytes <= most,
        ),
    ]


def _sweep(settings: ClientSettings, console: Console) -> list[Comparison]:
    """A clean sweep of 30 days against the aggregation queries alone, and the memory that it takes."""
    console.print(
        "Measuring: a clean sweep of 30 days of 1,000 series (loading takes minutes the first time)"
    )
    found = reconcile.measure(settings)
    ours, theirs = found["sweep"], found["aggregate"]
    times, most = reconcile.MOST_TIMES, reconcile.MOST_MEGABYTES
    ratio = ours.seconds / theirs.seconds
    console.print(
        f"  {ours.seconds:.3f} s against {theirs.seconds:.3f} s: {ratio:.2f}x; {ours.megabytes:.0f} MB"
    )
    return [
        Comparison(
            "clean reconcile against the aggregations alone",
            ours.seconds,
            theirs.seconds,
            ratio,
            f"<= {times:g}x",
            ratio <= times,
        ),
        Comparison(
            "memory of a reconcile (MB against 256)",
            ours.megabytes,
            float(most),
            ours.megabytes / most,
            "<= 1x",
            ours.megabytes <= most,
        ),
    ]


def _stage(
    client: InfluxClient,
    data_set: DataSet,
    target: str,
    aggregates: tuple[str, ...],
    grid: GridSpec | None = None,
) -> Callable[[], None]:
    spec = _spec(data_set, target, aggregates, grid or GridSpec("1h"))

    def run() -> None:
        steps = roll_up(
            spec, _interval(data_set, spec), RunInfo("bench", target, "run"), lambda: datetime.now(UTC)
        )
        drive(steps, client, lambda _report: None)

    return run


def _spec(data_set: DataSet, target: str, aggregates: tuple[str, ...], grid: GridSpec) -> RollupSpec:
    return RollupSpec(
        SOURCE_BUCKET,
        target_bucket(target),
        data_set.measurement,
        grid,
        aggregates,
        pipeline=f"bench_{target}",
        ledger_bucket="bench_ledger",
    )


def _interval(data_set: DataSet, spec: RollupSpec) -> Interval:
    grid = spec.grid.grid()
    return Interval(data_set.start, grid.ceil(data_set.stop))


def _own_script(client: InfluxClient, aggregates: tuple[str, ...]) -> str:
    """What a user who knows the fast form would send: the stage's own chains, written by ``wideTo``."""
    spec = replace(_spec(SIX_HOURS, "raw_wide", aggregates, GridSpec("1h")), compute="server")
    steps = roll_up(spec, _interval(SIX_HOURS, spec), RunInfo(), lambda: datetime.now(UTC))
    captured: list[str] = []

    def tapped():  # type: ignore[no-untyped-def]
        answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, Execute):
                captured.append(step.flux)
            answer = yield step

    drive(tapped(), client, lambda _report: None)
    return captured[0]


def _raw_script(client: InfluxClient, script: str) -> Callable[[], None]:
    return lambda: client.execute(script)


def _median(run: Callable[[], None], rounds: int) -> float:
    run()
    return statistics.median(_seconds(run) for _ in range(rounds))


def _seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _settings() -> ClientSettings:
    values = dict(os.environ)
    if "INFLUX_URL" not in values:
        command = [
            sys.executable,
            str(ROOT / "dev" / "influx"),
            "start",
            "--data-dir",
            str(OUTPUT / "influx"),
        ]
        printed = subprocess.run(
            [*command, "--port", "8095"], check=True, capture_output=True, text=True
        ).stdout
        values |= dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
    token = values["INFLUX_TOKEN"]
    return ClientSettings(
        url=values["INFLUX_URL"],
        org=values["INFLUX_ORG"],
        token=lambda _refresh: token,
        read_timeout_seconds=600,
    )


if __name__ == "__main__":
    sys.exit(main())
