"""Where the server comes from, in the order: INFLUX_URL, influxd on PATH or in the cache, Docker, the build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.influx_server.api import check_token, health
from dev.influx_server.build import build
from dev.influx_server.docker import engine_answers
from dev.influx_server.errors import ServerError
from dev.influx_server.places import built_server
from dev.influx_server.progress import say


@dataclass(frozen=True)
class Connection:
    """What a client needs."""

    url: str
    org: str
    token: str

    def __repr__(self) -> str:
        return f"Connection({self.url!r}, {self.org!r}, token hidden)"

    def lines(self) -> str:
        """Give the lines that a shell can evaluate."""
        return f"INFLUX_URL={self.url}\nINFLUX_ORG={self.org}\nINFLUX_TOKEN={self.token}"


def external_connection() -> Connection | None:
    """Give the server that INFLUX_URL names, after a check that it can be used; None when it names none.

    :raises ServerError: when a variable is missing or the server refuses
    """
    url = os.environ.get("INFLUX_URL")
    if not url:
        return None
    org, token = os.environ.get("INFLUX_ORG"), os.environ.get("INFLUX_TOKEN")
    if not org or not token:
        raise ServerError(
            "INFLUX_URL is set, so INFLUX_ORG and INFLUX_TOKEN are needed too; or unset INFLUX_URL"
        )
    if health(url) is None:
        raise ServerError(f"no healthy InfluxDB answers at INFLUX_URL={url}; start it, or unset INFLUX_URL")
    check_token(url, org, token)
    return Connection(url, org, token)


def find_program() -> Path | None:
    """Give the influxd to run, building it when nothing else is there; None means: as a container."""
    on_path = shutil.which("influxd")
    if on_path is not None:
        if _is_version_2(on_path):
            return Path(on_path)
        say(f"{on_path} is not InfluxDB 2 and is left alone")
    if built_server().exists():
        return built_server()
    return None if engine_answers() else build()


def _is_version_2(program: str) -> bool:
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    return re.search(r"InfluxDB v?2\.", said.stdout + said.stderr) is not None
