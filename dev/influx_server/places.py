"""Where things are: the checkout, the user's cache, the files of one data directory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dev.influx_server.errors import ServerError

CHECKOUT = Path(__file__).resolve().parents[2]
GO_SOURCE = CHECKOUT / "dev" / "influxd"
TOOLS = CHECKOUT / os.environ.get("VENVS", ".venvs") / "tools"
COMPOSE_FILE = CHECKOUT / "docker-compose.yaml"

ORG = "dev"
BUCKET = "dev"
USERNAME = "dev"


def module_version(module: str) -> str:
    """Give the version that go.mod names for a module, for instance ``v2.9.1``."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (GO_SOURCE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ServerError(f"{GO_SOURCE / 'go.mod'} names no version of {module}")
    return found.group(1)


def influxdb_version() -> str:
    """Give the version of InfluxDB that go.mod names."""
    return module_version("github.com/influxdata/influxdb/v2")


def cache_dir() -> Path:
    """Give the folder in the user's cache where the built server is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "airflow-provider-influx-rollup"


def built_server() -> Path:
    """Give the path of the built server, whether it exists or not."""
    return cache_dir() / f"influxd-{influxdb_version()}"


@dataclass(frozen=True)
class DataDir:
    """The files of one server; everything else in the folder is left alone."""

    path: Path

    @property
    def bolt(self) -> Path:
        """Organisations, users, tokens."""
        return self.path / "i.bolt"

    @property
    def engine(self) -> Path:
        """The data."""
        return self.path / "engine"

    @property
    def sqlite(self) -> Path:
        """Annotations and other small tables."""
        return self.path / "i.sqlite"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "influxd.log"

    @property
    def token(self) -> Path:
        """The operator token, readable by its owner only."""
        return self.path / "token"

    @property
    def state(self) -> Path:
        """Which server runs: process or container, port, flags."""
        return self.path / "server.json"

    @property
    def lock(self) -> Path:
        """Held while a command changes this folder."""
        return self.path / "lock"
