"""The server of a benchmark: the one in the environment, or one of its own that stays for the next run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from airflow_provider_influx_rollup.client.settings import ClientSettings

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / ".bench"
PORT = "8095"


def settings_of_server() -> ClientSettings:
    """Find or start the server."""
    if "INFLUX_URL" in os.environ:
        return settings_from(os.environ)
    start = [sys.executable, str(ROOT / "dev" / "influx"), "start"]
    command = [*start, "--data-dir", str(OUTPUT / "influx"), "--port", PORT]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return settings_from(dict(line.split("=", 1) for line in printed.splitlines() if "=" in line))


def settings_from(variables: Mapping[str, str]) -> ClientSettings:
    """Settings of ``INFLUX_URL``, ``INFLUX_ORG`` and ``INFLUX_TOKEN``."""
    token = variables["INFLUX_TOKEN"]
    return ClientSettings(
        url=variables["INFLUX_URL"],
        org=variables["INFLUX_ORG"],
        token=lambda _refresh: token,
        read_timeout_seconds=600,
    )
