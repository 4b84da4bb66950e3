"""A backfill of days through a real Airflow, its rollups against the same Flux sent raw, and what a task costs besides.

``python -m dev.bench.backfill 30 1000 raw`` measures 30 days of 1,000 series, 24 hourly windows a day, and sends the same Flux
in a task of its own before each rollup; without ``raw`` the backfill has the rollups alone. ``make bench`` does not run it.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.airflow_backfill import Backfill, BackfillStates, run_backfill
from dev.airflow_process import AirflowProcess
from dev.bench.own_flux import own_flux
from dev.bench.scripts import AGGREGATES
from dev.bench.server import OUTPUT, settings_of_server, wait_until_settled
from dev.influx_http import InfluxAddress

DAG_ID = SOURCE = "bench_backfill"
TARGET, RAW_TARGET, LEDGER = f"{SOURCE}_hourly", f"{SOURCE}_raw", f"{SOURCE}_ledger"
MEASUREMENT = "telemetry"
START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POINTS_PER_HOUR = 6
HOURS_ALLOWED = 3


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a backfill took.

    :param wall: seconds from the command to the end of the last run
    :param stages: seconds of all rollups, as they report them
    :param raw: seconds of the same Flux, sent raw by a task before each rollup; 0 without these tasks
    :param task: median seconds of a task with a rollup, by Airflow's clock
    :param stage: median seconds of a rollup itself
    :param nothing: median seconds of a task that does nothing
    """

    days: int
    series: int
    points: int
    wall: float
    stages: float
    raw: float
    task: float
    stage: float
    nothing: float


def lines(days: int, series: int) -> Iterator[str]:
    """Line protocol, the same in every run, one moment of all series after the other."""
    random = np.random.default_rng(20250101)
    step_ns = 3600 * 10**9 // POINTS_PER_HOUR
    first_ns = int(START.timestamp()) * 10**9
    for number in range(days * 24 * POINTS_PER_HOUR):
        values = random.normal(20, 1, series).round(3).tolist()
        time_ns = first_ns + number * step_ns
        for one, value in enumerate(values):
            yield f"{MEASUREMENT},device_id=d{one:06d} temperature={value} {time_ns}"


def write_scripts(client: InfluxClient, folder: Path, days: int) -> None:
    """The Flux of each day, as a user who knows the fast form would send it, in a file of its own."""
    folder.mkdir()
    spec = RollupSpec(
        source_bucket=SOURCE,
        target_bucket=RAW_TARGET,
        measurement=MEASUREMENT,
        grid=GridSpec("1h"),
        aggregates=AGGREGATES,
        pipeline=RAW_TARGET,
        ledger_bucket=LEDGER,
        compute="server",
    )
    first = Interval(START, START + DAY)
    (script,) = own_flux(roll_up(spec, first, RunInfo(), lambda: datetime.now(UTC)), client)
    for number in range(days):
        day, after = (START + (number + more) * DAY for more in (0, 1))
        text = script.replace(_written(first.stop), "STOP").replace(_written(START), _written(day))
        (folder / f"{day:%Y-%m-%d}.flux").write_text(text.replace("STOP", _written(after)))


def _written(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def backfill(
    influx: InfluxAddress, home: Path, scripts: Path | None, days: int, console: Console
) -> tuple[float, AirflowProcess]:
    """Run the backfill in a new Airflow, which is stopped then; its database stays."""
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).with_name("backfill_dag.py"), dags)
    told = -1

    def tell(states: BackfillStates) -> None:
        nonlocal told
        if states.ended // 10 != told:
            told = states.ended // 10
            console.print(f"  {states.ended} of {states.total} runs ended")

    environment = {} if scripts is None else {"BENCH_SCRIPTS": str(scripts)}
    with AirflowProcess(home, dags, influx, parallelism=2, environment=environment) as airflow:
        airflow.migrate()
        airflow.start()
        began = time.perf_counter()
        asked = Backfill(DAG_ID, START, START + (days - 1) * DAY, max_active_runs=4)
        run_backfill(airflow, asked, progress=tell, timeout=HOURS_ALLOWED * 3600)
        return time.perf_counter() - began, airflow


def durations(airflow: AirflowProcess, task_id: str) -> list[float]:
    """Seconds of each try of a task that succeeded."""
    query = "select duration from task_instance where task_id = ? and state = 'success'"
    return [row[0] for row in airflow.rows(query, (task_id,))]


def returned(airflow: AirflowProcess, task_id: str) -> list[Any]:
    """What each run of a task returned."""
    query = "select cast(value as text) from xcom where task_id = ? and key = 'return_value'"
    return [json.loads(row[0]) for row in airflow.rows(query, (task_id,))]


def main(days: int, series: int, *, with_raw: bool) -> None:
    """Load, backfill, print what it took."""
    console, settings = Console(), settings_of_server()
    influx = InfluxAddress(settings.url, settings.org, settings.token(False))
    influx.fresh_buckets(SOURCE, TARGET, RAW_TARGET, LEDGER)
    with InfluxClient(settings) as client, TemporaryDirectory() as home:
        console.print(f"Loading {days * 24 * POINTS_PER_HOUR * series:,} points")
        client.write_lines(SOURCE, lines(days, series))
        wait_until_settled(settings.url)
        scripts = Path(home, "scripts") if with_raw else None
        if scripts:
            write_scripts(client, scripts, days)
        wall, airflow = backfill(influx, Path(home), scripts, days, console)
        stages = [result["seconds"] for result in returned(airflow, "rollup")]
        found = Found(
            days=days,
            series=series,
            points=days * 24 * POINTS_PER_HOUR * series,
            wall=wall,
            stages=sum(stages),
            raw=sum(returned(airflow, "raw")),
            task=statistics.median(durations(airflow, "rollup")),
            stage=statistics.median(stages),
            nothing=statistics.median(durations(airflow, "nothing")),
        )
    console.print(asdict(found))
    if with_raw:
        console.print(f"The rollups took {found.stages / found.raw:.2f} times as long as the same Flux")
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / f"backfill-{days}x{series}.json").write_text(json.dumps(asdict(found), indent=2) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), with_raw="raw" in sys.argv[3:])
