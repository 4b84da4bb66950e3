"""A rollup of one window with a ledger that knows one pipeline to a thousand: each run reads the specs of all.

``python -m dev.bench.pipelines`` measures all and keeps ``.bench/pipelines.json``; ``make bench`` does not run it.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.ledger.codec import encode_spec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from dev.bench.server import OUTPUT, settings_of_server
from dev.bench.sizes import Size, load, spec_of, steps_of
from dev.influx_http import InfluxAddress

SIZE = Size(windows=1, series=10)
PIPELINES = (1, 10, 100, 1_000)
ROUNDS = 15
LEDGER = "bench_pipelines_ledger"


@dataclass(frozen=True)
class Known:
    """Medians of the runs with a ledger that knows so many pipelines."""

    pipelines: int
    milliseconds: float


def records(spec: RollupSpec, count: int) -> Iterator[str]:
    """Specs of other pipelines, each of a measurement of its own."""
    now = datetime.now(UTC)
    for number in range(count):
        other = replace(spec, pipeline=f"pipeline {number}", measurement=f"measurement {number}")
        yield encode_spec(other.pipeline_name, other.spec_hash(), other.as_json(), now)


def measured(client: InfluxClient, spec: RollupSpec) -> float:
    """Milliseconds of a run, after one that is not measured."""
    found = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        drive(steps_of(SIZE, spec), client, lambda _report: None)
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found[1:])


def main() -> None:
    """Measure all, print a table, write JSON."""
    console = Console()
    settings = settings_of_server()
    address = InfluxAddress(settings.url, settings.org, settings.token(False))
    table = Table("Pipelines in the ledger", "Milliseconds of a run", title="One window of ten series")
    rows = []
    with InfluxClient(settings) as client:
        load(client, SIZE)
        with address.buckets_made_meanwhile_deleted():
            client.ensure_bucket(LEDGER)
            client.ensure_bucket("bench_pipelines")
            spec = replace(spec_of(SIZE, "bench_pipelines"), ledger_bucket=LEDGER)
            for count in PIPELINES:
                client.write_lines(LEDGER, records(spec, count - 1))
                row = Known(count, measured(client, spec))
                rows.append(row)
                table.add_row(f"{row.pipelines:,}", f"{row.milliseconds:.0f}")
    console.print(table)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "pipelines.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
