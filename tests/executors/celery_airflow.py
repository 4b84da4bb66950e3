"""An Airflow whose tasks run in Celery workers, with Redis and PostgreSQL of its own, all on loopback."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import Processes, free_port, wait_until

#: where Debian keeps the programs of a server
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
TAKEN = re.compile(r"Task execute_workload\[[^]]+\] received")
#: after that a task counts as lost whose worker says nothing any more, and one that no worker takes is given to another
LOST_AFTER = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


def program(name: str) -> str | None:
    """A program of PostgreSQL or Redis, wherever it is installed."""
    return shutil.which(
        name, path=os.pathsep.join([*os.environ["PATH"].split(os.pathsep), *map(str, POSTGRES)])
    )


class Postgres:
    """A PostgreSQL in a folder of its own, as another user where this one is root, which it refuses."""

    def __init__(self, processes: Processes) -> None:
        self._port, self._password = free_port(), secrets.token_hex(16)
        is_root = os.getuid() == 0
        as_user = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if is_root else []
        )
        # pytest's folders are for its own user alone
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        secret = self.folder / "password"
        secret.write_text(self._password)
        for path in (self.folder, secret):
            if is_root:
                shutil.chown(path, "postgres", "postgres")
        data = str(self.folder / "data")
        initdb = [
            str(program("initdb")),
            "-D",
            data,
            "-U",
            "airflow",
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(secret),
        ]
        subprocess.run([*as_user, *initdb, "--no-sync"], check=True, capture_output=True, cwd="/")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        processes.start(
            "postgres", [*as_user, str(program("postgres")), "-D", data, *options], os.environ, Path("/")
        )
        wait_until(self._answers, seconds=60, what="PostgreSQL answers")

    @property
    def address(self) -> str:
        """User, password, host and database, as in a URL."""
        return f"airflow:{self._password}@127.0.0.1:{self._port}/postgres"

    def connect(self) -> Any:
        """A connection to it."""
        return psycopg2.connect(f"postgresql://{self.address}")

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True


class CeleryAirflow(AirflowProcess):
    """Scheduler, API server and DAG processor, and as many Celery workers as are begun.

    :param home: its AIRFLOW_HOME
    :param dags: the DAG folder
    :param influx: where the connection ``influx_rollup_default`` points to
    """

    def __init__(self, home: Path, dags: Path, influx: InfluxAddress) -> None:
        super().__init__(home, dags, influx, parallelism=8)
        home.mkdir(parents=True, exist_ok=True)
        self._postgres = Postgres(self.processes)
        broker = f"redis://:{self._start_redis()}/0"
        self.environment |= LOST_AFTER | {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{self._postgres.address}",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{self._postgres.address}",
            # a worker takes no task that it has no process for: it would be lost with the worker
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        }

    def _start_redis(self) -> str:
        port, password = free_port(), secrets.token_hex(16)
        folder = self.home / "redis"
        folder.mkdir()
        # not in the arguments of the process, which everybody may read
        settings = f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\ndir {folder}\n'
        (folder / "redis.conf").write_text(settings)
        command = [str(program("redis-server")), str(folder / "redis.conf")]
        self.processes.start("redis", command, os.environ, folder)
        return f"{password}@127.0.0.1:{port}"

    def migrate(self) -> None:
        """Make the database."""
        self.cli("db", "migrate")

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Read the metadata database."""
        with closing(self._postgres.connect()) as database, database.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), parameters)
            return list(cursor.fetchall())

    @contextmanager
    def alone_with_database(self) -> Iterator[None]:
        """PostgreSQL lets several write at once."""
        yield

    def stop(self) -> None:
        """End all that was started."""
        super().stop()
        shutil.rmtree(self._postgres.folder, ignore_errors=True)

    def start_worker(self, name: str) -> None:
        """Begin a Celery worker with two processes for tasks."""
        arguments = [
            "celery",
            "worker",
            "--concurrency",
            "2",
            "--celery-hostname",
            f"{name}@%h",
            "--skip-serve-logs",
        ]
        command = self.command(*arguments, "--pid", str(self.home / f"{name}.pid"))
        self.processes.start(name, command, self.environment, self.home)

    def tasks_of(self, worker: str) -> int:
        """How many tasks a worker has taken."""
        return len(TAKEN.findall(self.processes.log(worker).read_text(errors="replace")))


def what_is_missing() -> str:
    """The programs that Celery's servers need and that are not here; empty when all are."""
    return ", ".join(name for name in ("redis-server", "initdb", "postgres") if program(name) is None)
