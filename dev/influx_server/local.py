"""The server as a process of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dev.influx_server.errors import ServerError
from dev.influx_server.places import DataDir
from dev.influx_server.processes import end, identity
from dev.influx_server.state import Running


def start_process(program: Path, data_dir: DataDir, port: int, flags: list[str]) -> Running:
    """Start influxd on 127.0.0.1, detached from this terminal."""
    command = [str(program), "--bolt-path", str(data_dir.bolt), "--engine-path", str(data_dir.engine)]
    command += ["--sqlite-path", str(data_dir.sqlite), "--http-bind-address", f"127.0.0.1:{port}"]
    command += ["--reporting-disabled", "--log-level", "warn", *flags]
    # A setting left over in the environment would make this server differ from the next one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUXD_")}
    with data_dir.log.open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    started = identity(process.pid)
    if started is None:
        raise ServerError(f"{program} ended at once:\n{last_lines(data_dir)}")
    return Running("process", str(program), port, flags, process.pid, started)


def process_runs(running: Running) -> bool:
    """Say whether this very process still runs."""
    return identity(running.pid) == running.identity


def stop_process(running: Running) -> None:
    """End exactly this process."""
    end(running.pid, running.identity)


def last_lines(data_dir: DataDir) -> str:
    """Give the end of the server's log."""
    try:
        return "\n".join(data_dir.log.read_text(errors="replace").splitlines()[-15:])
    except FileNotFoundError:
        return ""
