"""Run the demo: ``python -m dev.demo --airflow 3.3``; ``KEEP=1`` keeps the servers until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from dev.airflow_backfill import make_ready
from dev.airflow_process import REPOSITORY, AirflowProcess
from dev.demo import setting
from dev.demo.backfill import backfills, run
from dev.demo.console import DemoConsole
from dev.demo.data import Loaded, load
from dev.demo.servers import FOLDER, influx_server, make_airflow, where_to_look
from dev.demo.timeline import Timeline
from dev.influx_http import InfluxAddress
from dev.processes import PortInUse, ProcessFailed, exit_on_terminate


def main() -> int:
    """Run all phases; 0 when every window is committed and equals pandas."""
    options = read_options()
    console = DemoConsole()
    exit_on_terminate()
    FOLDER.mkdir(exist_ok=True)
    timeline = Timeline.until(datetime.now(UTC), options.devices, options.hours)
    try:
        with influx_server() as influx:
            console.say(f"InfluxDB at {influx.url}")
            with make_airflow(influx, timeline, options.port) as airflow:
                if airflow.version[: len(options.airflow)] != options.airflow:
                    console.say(f"[red]this Python has Airflow {airflow.version}, not {options.airflow}[/]")
                    return 2
                good = run_phases(console, influx, airflow, timeline)
                show_where(console, airflow, influx, keep=options.keep)
    except KeyboardInterrupt:
        console.say("Stopped by Ctrl-C; nothing is left running.")
        return 130
    except (ProcessFailed, PortInUse) as error:
        console.rich.print(str(error), style="red", markup=False)
        return 1
    console.say("[green]All is right.[/]" if good else "[bold red]The target is not what pandas computes.[/]")
    return 0 if good else 1


def read_options() -> argparse.Namespace:
    """The command line; KEEP=1 in the environment is ``--keep``."""
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=__doc__)
    parser.add_argument("--airflow", default="", help="version that this Python must have: 3.3 or 2.11")
    parser.add_argument("--port", type=int, help="port of Airflow's pages (default: any free one)")
    parser.add_argument("--devices", type=int, default=setting.DEVICES)
    parser.add_argument(
        "--hours", type=int, default=setting.HOURS, help="hours of telemetry, a multiple of 24"
    )
    keep = os.environ.get("KEEP", "") not in ("", "0")
    parser.add_argument("--keep", action="store_true", default=keep, help="keep the servers until Ctrl-C")
    return parser.parse_args()


def run_phases(
    console: DemoConsole, influx: InfluxAddress, airflow: AirflowProcess, timeline: Timeline
) -> bool:
    """Load, backfill, prove, draw; whether all is right."""
    loaded = start_and_load(console, influx, airflow, timeline)
    make_ready(airflow, setting.FLEET_DAG, setting.WEATHER_DAG)
    for backfill in backfills(timeline):
        run(airflow, backfill, console)
    # pandas and matplotlib take a second to import: not before the servers start
    from dev.demo.pictures import draw_all
    from dev.demo.proof import prove, read_statuses
    from dev.demo.report import print_findings, print_tiers

    with console.rich.status("comparing every row with pandas"):
        proofs = prove(influx, timeline, loaded)
    console.say("compared every row of the targets with pandas")
    print_tiers(console, proofs)
    print_findings(console, read_statuses(influx, timeline.plan.start), timeline.plan)
    for file in draw_all(FOLDER, loaded.fleet, timeline, proofs):
        console.say(f"drew {file.relative_to(REPOSITORY)}")
    return all(proof.is_right for proof in proofs)


def start_and_load(
    console: DemoConsole, influx: InfluxAddress, airflow: AirflowProcess, timeline: Timeline
) -> Loaded:
    """Load the data in a thread while Airflow starts."""
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load, influx, timeline.plan, cancelled)
        try:
            with console.rich.status("making the telemetry and loading it; starting Airflow"):
                airflow.start(user_interface=True)
                console.say(f"Airflow {airflow.version} at {airflow.url}")
                loaded = loading.result()
        except BaseException:
            cancelled.set()
            raise
    fleet = loaded.fleet
    console.say(
        f"loaded {loaded.lines:,} lines: {timeline.plan.devices} devices, {timeline.plan.hours} h at "
        f"{timeline.plan.step_seconds} s ({len(fleet.late):,} late or repeated, {len(fleet.corrected):,} corrected), "
        f"and {len(loaded.weather):,} hours of San Francisco"
    )
    return loaded


def show_where(console: DemoConsole, airflow: AirflowProcess, influx: InfluxAddress, *, keep: bool) -> None:
    """Say where the pages are; with keep, wait there until Ctrl-C."""
    for line in where_to_look(airflow, influx):
        console.rich.print(f"          {line}")
    if not keep:
        console.rich.print("          They stop now; `make demo KEEP=1` keeps them running until Ctrl-C.")
        return
    console.rich.print("          They run until Ctrl-C.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.say("stopping")


if __name__ == "__main__":
    sys.exit(main())
