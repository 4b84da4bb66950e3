"""Which server runs from a data directory, as its ``server.json`` says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from dev.influx_server.places import DataDir


@dataclass(frozen=True)
class Running:
    """One started server.

    :param kind: ``process`` or ``container``
    :param name: the program's path or the container's name
    :param port: where it listens on 127.0.0.1
    :param flags: the extra influxd flags it was started with
    :param pid: of a process
    :param identity: of a process, see :mod:`dev.influx_server.processes`
    """

    kind: str
    name: str
    port: int
    flags: list[str] = field(default_factory=list)
    pid: int = 0
    identity: str = ""

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"


def read_state(data_dir: DataDir) -> Running | None:
    """Give the server that was started last from this folder, whether it still runs or not."""
    try:
        return Running(**json.loads(data_dir.state.read_text()))
    except FileNotFoundError:
        return None


def write_state(data_dir: DataDir, running: Running) -> None:
    """Record a started server, whole or not at all."""
    partial = data_dir.state.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(running), indent=1))
    partial.replace(data_dir.state)
