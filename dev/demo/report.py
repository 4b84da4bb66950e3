"""The tables that the demo ends with."""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from dev.demo.console import DemoConsole
from dev.demo.proof import TierProof
from dev.fleet import FleetPlan


def print_tiers(console: DemoConsole, proofs: list[TierProof]) -> None:
    """Windows, rows and differences of each tier."""
    table = Table(
        title="Windows and rows, from the ledger and from a comparison with pandas", title_justify="left"
    )
    for name in ("pipeline", "target"):
        table.add_column(name)
    for name in ("planned", "committed", "points in", "rows out", "series", "differences to pandas"):
        table.add_column(name, justify="right")
    for proof in proofs:
        done = proof.receipts
        good = "green" if proof.is_right else "bold red"
        numbers = (len(proof.planned), proof.committed, done["rows_in"].sum(), len(proof.target))
        series = done["series"].max() if len(done) else 0
        cells = [f"{number:,}" for number in (*numbers, series)]
        table.add_row(proof.pipeline, proof.bucket, *cells, f"[{good}]{len(proof.differences)}[/]")
    console.rich.print(table)
    for proof in proofs:
        for difference in proof.differences:
            console.rich.print(f"[red]{proof.bucket}: {difference}[/]", markup=True)


def print_findings(console: DemoConsole, statuses: pd.DataFrame, plan: FleetPlan) -> None:
    """What the deadman said of each device that was not always alive."""
    table = Table(
        title=f"The deadman's findings: {len(plan.expected)} expected devices, checked at the end of each run",
        title_justify="left",
    )
    for name in ("device", "critical at", "alive at", "the first thing it said"):
        table.add_column(name)
    for device, rows in statuses.groupby("device_id"):
        dead = rows[rows["level"] == "crit"]
        if dead.empty:
            continue
        alive = rows[rows["level"] == "ok"]
        table.add_row(str(device), _times(dead["time"]), _times(alive["time"]), str(dead["message"].iloc[0]))
    console.rich.print(table)
    alive_devices = set(statuses["device_id"]) - set(statuses.loc[statuses["level"] == "crit", "device_id"])
    console.rich.print(f"{len(alive_devices)} devices were alive at every check.")


def _times(times: pd.Series[pd.Timestamp]) -> str:
    """First and last time, and how many."""
    if times.empty:
        return "never"
    first, last = f"{times.min():%d %b %H:%M}", f"{times.max():%d %b %H:%M}"
    return first if first == last else f"{first} ... {last} ({len(times)})"
