"""The servers of the demo: InfluxDB through ``dev/influx``, Airflow in a home under ``.demo/``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.airflow_process import PASSWORD, REPOSITORY, USER, AirflowProcess
from dev.demo.timeline import Timeline
from dev.influx_http import InfluxAddress

FOLDER = REPOSITORY / ".demo"
DAGS = Path(__file__).parent / "dags"


@contextmanager
def influx_server() -> Iterator[InfluxAddress]:
    """Start a server (or take the one that INFLUX_URL names) and end it afterwards."""
    command = [sys.executable, str(REPOSITORY / "dev" / "influx")]
    data = ["--data-dir", str(FOLDER / "influx")]
    try:
        started = subprocess.run(
            [*command, "start", "--port", "0", *data], stdout=subprocess.PIPE, text=True, check=True
        )
        found = dict(line.split("=", 1) for line in started.stdout.splitlines() if "=" in line)
        yield InfluxAddress(found["INFLUX_URL"], found["INFLUX_ORG"], found["INFLUX_TOKEN"])
    finally:
        subprocess.run([*command, "stop", *data], stdout=subprocess.DEVNULL, check=False)


def make_airflow(influx: InfluxAddress, timeline: Timeline, port: int | None) -> AirflowProcess:
    """An Airflow of this Python's version, not started yet."""
    home = FOLDER / f"airflow-{sys.prefix.rpartition('-')[2]}"
    return AirflowProcess(home, DAGS, influx, port=port, environment=timeline.environment())


def where_to_look(airflow: AirflowProcess, influx: InfluxAddress) -> list[str]:
    """Where the pages are and who may enter."""
    token = FOLDER / "influx" / "token"
    return [
        f"Airflow {airflow.version}: {airflow.url}  user {USER}, password {PASSWORD}",
        f"InfluxDB: {influx.url}  organisation {influx.org}, token in {token.relative_to(REPOSITORY)}",
    ]
