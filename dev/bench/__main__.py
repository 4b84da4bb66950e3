"""``python -m dev.bench``: run every comparison, print a table and write JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.official_client import official_client
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench import archive, client_ways, reconcile, scripts, validate
from dev.bench.comparison import Comparison, at_least, at_most
from dev.bench.data import SIX_HOURS, SOURCE_BUCKET, THREE_DAYS, DataSet, load, target_bucket
from dev.bench.own_flux import own_flux
from dev.bench.server import OUTPUT, settings_of_server, wait_until_settled

FAST_ROUNDS = 5


def main() -> int:
    """Run the benchmark; the exit code says whether every promise held."""
    console = Console()
    settings = settings_of_server()
    with InfluxClient(settings) as client:
        console.print("Loading 2 x 2,160,000 points unless they are there")
        load(client)
        wait_until_settled(settings.url)
        results = list(_comparisons(client, settings, console))
    for module in (validate, reconcile, archive):
        results += module.compare(settings, console.print)
    table = Table(title="Whole rollup stage (receipts, read-back, checks) against the alternatives")
    for heading in ("comparison", "ours", "theirs", "ratio", "promise", "holds"):
        table.add_column(heading)
    for one in results:
        amounts = (f"{one.ours:.3f} {one.unit}", f"{one.theirs:.3f} {one.unit}")
        table.add_row(one.name, *amounts, f"{one.ratio:.2f}x", one.promise, "yes" if one.holds else "NO")
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


def _comparisons(client: InfluxClient, settings: ClientSettings, console: Console) -> list[Comparison]:
    aggregates = scripts.AGGREGATES
    stage = _stage(client, SIX_HOURS, "stage", aggregates)
    own = _own_script(client, aggregates)
    raw = _raw_script(client, own)
    days = _stage(client, THREE_DAYS, "days", aggregates, GridSpec("1d", timezone="America/Los_Angeles"))
    slide = _stage(client, SIX_HOURS, "sliding", aggregates, GridSpec("1h", period="3h"))
    worker = _stage(client, SIX_HOURS, "worker", ("stddev", "median", "p99"))
    results = [_overhead("the same Flux sent raw", stage, raw, console)]
    results += _against_clients(settings, stage, own, console)
    slow = [
        ("than one shared variable", stage, scripts.shared_variable(SIX_HOURS), 25),
        ("than window + reduce", stage, scripts.window_reduce(SIX_HOURS), 50),
        ("local days than location:", days, scripts.with_location(THREE_DAYS), 5),
        ("sliding than window(period:)", slide, scripts.sliding(SIX_HOURS), 20),
        ("stddev + median + p99 than in Flux", worker, scripts.not_pushed(SIX_HOURS), 6),
    ]
    for name, ours, script, least in slow:
        console.print(f"Measuring: faster {name}")
        ours()
        before = [_seconds(ours) for _ in range(FAST_ROUNDS)]
        # once: it takes seconds to minutes, and a second of warming up would change nothing
        theirs_seconds = _seconds(_raw_script(client, script))
        # before and after, so that what else the machine did for a moment does not decide
        ours_seconds = statistics.median([*before, *(_seconds(ours) for _ in range(FAST_ROUNDS))])
        results.append(at_least(f"faster {name}", ours_seconds, theirs_seconds, least))
        console.print(f"  {ours_seconds:.3f} s against {theirs_seconds:.3f} s: {results[-1].ratio:.1f}x")
    return results


def _against_clients(
    settings: ClientSettings, stage: Callable[[], None], script: str, console: Console
) -> Iterator[Comparison]:
    """The same rows by influxdb-client, and by a task of InfluxDB."""
    with official_client(settings) as official:
        by_query = client_ways.by_query(official, script)
        yield _overhead("the same Flux by Apache's InfluxDBOperator", stage, by_query, console)
        with client_ways.by_task(official, script) as by_task:
            yield _overhead("the same Flux by a task of InfluxDB", stage, by_task, console)
        console.print("Measuring: faster than influxdb-client and pandas")
        ours = statistics.median(_seconds(stage) for _ in range(FAST_ROUNDS))
        yield at_least(
            "faster than influxdb-client + pandas",
            ours,
            _seconds(client_ways.by_pandas(official, SIX_HOURS)),
            15,
        )


def _overhead(what: str, stage: Callable[[], None], raw: Callable[[], None], console: Console) -> Comparison:
    """The two alternate, so that what else the machine does meets both."""
    console.print(f"Measuring: {what}")
    ours, theirs = [], []
    for _ in range(2 * FAST_ROUNDS):
        theirs.append(_seconds(raw))
        ours.append(_seconds(stage))
    ours_seconds, theirs_seconds = statistics.median(ours), statistics.median(theirs)
    compared = at_most(f"time of {what}", ours_seconds, theirs_seconds, 1.3)
    console.print(f"  {ours_seconds:.3f} s against {theirs_seconds:.3f} s: {compared.ratio:.2f}x")
    return compared


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
            spec,
            _interval(data_set, spec),
            RunInfo(dag_id="bench", task_id=target, run_id="run"),
            lambda: datetime.now(UTC),
        )
        drive(steps, client, lambda _report: None)

    return run


def _spec(data_set: DataSet, target: str, aggregates: tuple[str, ...], grid: GridSpec) -> RollupSpec:
    return RollupSpec(
        source_bucket=SOURCE_BUCKET,
        target_bucket=target_bucket(target),
        measurement=data_set.measurement,
        grid=grid,
        aggregates=aggregates,
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
    return own_flux(steps, client)[0]


def _raw_script(client: InfluxClient, script: str) -> Callable[[], None]:
    return lambda: client.execute(script)


def _seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
