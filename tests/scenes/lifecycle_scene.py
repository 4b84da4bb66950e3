"""A lifecycle of three tiers and five measurements in a file, and the command line that runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from tests import oracle
from tests.conftest import InfluxServer

DAY = ("2025-03-01", "2025-03-02")
SPAN = ("--from", DAY[0], "--to", DAY[1])
NAMES = ["cpu", "mem", "disk", "net", "system"]
PARTS = ["count", "sum", "min", "max"]

Ask = Callable[..., tuple[int, dict[str, Any]]]


class Scene:
    """Buckets of a lifecycle, its file, and the points of six measurements."""

    def __init__(
        self, influx: InfluxServer, client: InfluxClient, make: Callable[[str], str], folder: Path
    ) -> None:
        self.server, self.client = influx, client
        self.raw, self.minutes, self.hours, self.days, self.shifts = map(make, ("raw", "m", "h", "d", "s"))
        self.ledger = make("ledger")
        self.path = folder / "hosts.yaml"
        times = pd.date_range(*DAY, freq="10min", inclusive="left", tz="UTC")
        self.points = {
            name: pd.DataFrame(
                {"_time": times, "host": "a", "usage": [float(at * k % 97) for at in range(144)]}
            )
            for k, name in enumerate([*NAMES, "swap"], start=5)
        }
        for name, table in self.points.items():
            rows = zip(table["_time"], table["usage"], strict=True)
            client.write_lines(self.raw, [f"{name},host=a usage={usage} {at.value}" for at, usage in rows])

    def values(self) -> dict[str, Any]:
        """The parameters."""
        return {
            "source_bucket": self.raw,
            "measurement": NAMES,
            "ledger_bucket": self.ledger,
            "tiers": [
                {"bucket": self.minutes, "every": "30m", "aggregates": PARTS},
                {"bucket": self.hours, "every": "1h"},
                {"bucket": self.days, "every": "1d", "aggregates": ["count", "max"], "name": "days"},
            ],
        }

    def declare(self, **changes: Any) -> str:
        """Write the file, with other parameters; its path."""
        self.path.write_text(json.dumps(self.values() | changes))
        return str(self.path)

    def differences(self, bucket: str, every: str, aggregates: list[str], *names: str) -> list[str]:
        """What pandas makes of the points, compared with a tier."""
        found = []
        for name in names:
            address = (self.server.url, self.server.org, self.server.token)
            target = oracle.read_target(
                *address, bucket, name, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
            )
            spans = oracle.windows(*DAY, every)
            expected = oracle.rollup(self.points[name], ["host"], spans, {"usage": aggregates})
            found += oracle.compare(target, expected)
        return found


def asker(capsys: pytest.CaptureFixture[str], influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The command line of a server; its exit code and its JSON."""
    for name, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)

    def run(*argv: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def rolled(told: dict[str, Any]) -> dict[str, int]:
    """Windows that each pipeline rolled up."""
    return {
        stage["result"]["pipeline"]: stage["result"]["windows"]
        for one in told["measurements"]
        for stage in one["stages"]
        if stage["stage"] == "rollup"
    }


def needed(told: dict[str, Any]) -> dict[str, int]:
    """Windows that each pipeline would roll up."""
    return {one["pipeline"]: one["needed"]["windows"] for one in told["pipelines"]}
