"""The tables that the demo ends with."""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from dev.demo.console import DemoConsole
from dev.demo.proof import TierProof
from dev.fleet import FleetPlan


def print_tiers(console: DemoConsole, proofs: list[TierProof]) -> None:
    """Windows, rows and differences of each tier."""
    table = Table(title="The ledger, and every row of the targets against pandas", title_justify="left")
    table.add_column("pipeline", no_wrap=True)
    for name in (
        "windows\nplanned",
        "\ncommitted",
        "points\nin",
        "rows\nout",
        "\nseries",
        "different\nto pandas",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for proof in proofs:
        done = proof.receipts
        good = "green" if proof.is_right else "bold red"
        series = done["series"].max() if len(done) else 0
        numbers = (len(proof.planned), proof.committed, done["rows_in"].sum(), len(proof.target), series)
        cells = [f"{number:,}" for number in numbers]
        table.add_row(proof.pipeline, *cells, f"[{good}]{len(proof.differences)}[/]")
    console.rich.print(table)
    for proof in proofs:
        for difference in proof.differences:
            console.rich.print(f"{proof.bucket}: {difference}", style="red", markup=False)


def print_findings(console: DemoConsole, statuses: pd.DataFrame, plan: FleetPlan) -> None:
    """What the deadman said of each device that was not always alive."""
    table = Table(
        title=f"The deadman's findings of {len(plan.expected)} devices, {plan.start:%d %b %Y} + {plan.hours} h",
        title_justify="left",
    )
    # the whole messages are in the bucket _monitoring
    for name in ("device", "critical at", "alive at", "finding"):
        table.add_column(name, no_wrap=True)
    for device, rows in statuses.groupby("device_id"):
        dead = rows[rows["level"] == "crit"]
        if dead.empty:
            continue
        alive = rows[rows["level"] == "ok"]
        finding = finding_of(rows, str(device))
        table.add_row(str(device), _times(dead["time"]), _times(alive["time"]), finding)
    console.rich.print(table)
    alive_devices = set(statuses["device_id"]) - set(statuses.loc[statuses["level"] == "crit", "device_id"])
    console.rich.print(f"{len(alive_devices)} devices were alive at every check.")


def finding_of(statuses: pd.DataFrame, device: str) -> str:
    """What the statuses of one device say in the end, such as ``stopped``, or ``stopped, came back``.

    :param statuses: in the order of their times, with one of the level ``crit``
    """
    dead = statuses[statuses["level"] == "crit"]
    finding = _word(str(dead["message"].iloc[-1]), device)
    is_back = (statuses["level"].iloc[-1] == "ok") and statuses["time"].iloc[-1] > dead["time"].iloc[-1]
    return f"{finding}, came back" if is_back else finding


def _word(message: str, device: str) -> str:
    """The word before the message's details."""
    return message.partition(device)[2].partition(":")[0].strip()


def _times(times: pd.Series[pd.Timestamp]) -> str:
    """How many, and the first."""
    if times.empty:
        return "never"
    first = f"{times.min():%d %b %H:%M}"
    return first if len(times) == 1 else f"{len(times)}x from {first}"
