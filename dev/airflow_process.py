"""A real Airflow of this Python's version: its own home, SQLite, real schedulers, real task processes."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dev.airflow_commands import AirflowCommands, Ended
from dev.influx_http import InfluxAddress
from dev.processes import Processes, ProcessFailed, free_port, tail, wait_until

REPOSITORY = Path(__file__).resolve().parent.parent
LOCKED_RETRIES = 5
# two processes of Airflow at the same rows: one waits too long, or both insert a DAG that was new to both
CLASHES = "database is locked", "UNIQUE constraint failed: dag.dag_id"
USER = "admin"
PASSWORD = "admin"  # noqa: S105 (a loopback server that lives for minutes)


class AirflowProcess:
    """Migrates, starts, asks and stops one Airflow.

    :param home: its AIRFLOW_HOME; made and migrated when needed
    :param dags: the DAG folder
    :param influx: where the connection ``influx_rollup_default`` points to
    :param port: of the API server (3.x) or web server (2.11); default: any free one
    :param environment: more variables for the DAGs
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        influx: InfluxAddress | None = None,
        *,
        port: int | None = None,
        parallelism: int = 3,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.resolve()
        self.dags = dags.resolve()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.version = version("apache-airflow")
        self.is_three = int(self.version.split(".")[0]) >= 3
        self.processes = Processes(self.home / "logs" / "services")
        self._commands: AirflowCommands | None = None
        self.environment = self._environment(influx, parallelism) | dict(environment or {})

    def _environment(self, influx: InfluxAddress | None, parallelism: int) -> dict[str, str]:
        binaries = str(Path(sys.executable).parent)
        passed = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")
        settings = {name: os.environ[name] for name in passed if name in os.environ} | {
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONWARNINGS": "ignore",
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            # SQLite gives up after 5 s by default; several processes write here
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout=60",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            # two Airflows at once must not meet at the fixed ports of the log servers
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }
        if influx is not None:
            settings["AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT"] = influx.connection()
        return settings | (self._three() if self.is_three else self._two())

    def _three(self) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            # a busy machine: 5 s for an answer and 30 s for a DAG file are too short
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        }

    def _two(self) -> dict[str, str]:
        return {
            # what runs is the LocalExecutor of `dags backfill -l`; sensors check it against SQLite again
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
        }

    @property
    def database(self) -> Path:
        """The metadata database."""
        return self.home / "airflow.db"

    def command(self, *args: str) -> list[str]:
        """Command line of an ``airflow`` command."""
        return [sys.executable, "-m", "airflow", *args]

    def cli(
        self,
        *args: str,
        timeout: float = 300.0,
        environment: Mapping[str, str] | None = None,
        retries: int = LOCKED_RETRIES,
    ) -> str:
        """Run an ``airflow`` command to its end, again while it clashes with another process in the database.

        :param environment: variables for this command only
        :param retries: how often to try again; 0 for a command that leaves something behind
        :return: what it printed
        :raises ProcessFailed: when it ends with an error, with the end of what it printed
        """
        ended = self._run(args, environment or {}, timeout)
        for attempt in range(retries):
            if ended.code == 0 or not any(clash in ended.printed for clash in CLASHES):
                break
            time.sleep(0.5 * (attempt + 1))
            ended = self._run(args, environment or {}, timeout)
        if ended.code == 0:
            return ended.printed
        message = f"airflow {' '.join(args)} ended with code {ended.code}:\n{ended.printed[-4000:]}"
        raise ProcessFailed(message)

    def load_commands(self) -> None:
        """Have a process load Airflow once for all commands that follow."""
        self._commands = AirflowCommands(self.environment, self.home)

    @property
    def has_commands(self) -> bool:
        """Whether commands are forks of a process that has loaded Airflow."""
        return self._commands is not None

    def _run(self, args: tuple[str, ...], environment: Mapping[str, str], timeout: float) -> Ended:
        if self._commands is not None:
            return self._commands.run(args, environment, timeout)
        done = subprocess.run(
            self.command(*args),
            env=self.environment | dict(environment),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout)

    def migrate(self) -> None:
        """Make the home and its database; quick when it exists already."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "passwords.json").write_text(json.dumps({USER: PASSWORD}) + "\n")
        done = self.home / f".migrated-{self.version}"
        if not done.exists():
            self.cli("db", "migrate")
            with closing(sqlite3.connect(self.database)) as database:
                # readers no longer lock writers out: scheduler, API server and the commands all use this file
                database.execute("pragma journal_mode=wal")
            done.touch()

    def start(self, *, user_interface: bool = False, triggerer: bool = False) -> None:
        """Migrate and start what a backfill needs, and wait until it is healthy.

        3.x: scheduler, DAG processor, API server. 2.11: nothing, as ``dags backfill`` runs its own executor.

        :param user_interface: on 2.11 start the web server too
        :param triggerer: for deferrable tasks
        :raises ProcessFailed: when a service ends or is not healthy in five minutes: a busy machine needs three
        """
        self.migrate()
        services: dict[str, tuple[str, ...]] = {}
        if self.is_three:
            services["api-server"] = ("api-server",)
            services["scheduler"] = ("scheduler",)
            services["dag-processor"] = ("dag-processor",)
        elif user_interface:
            self.cli(
                "users",
                "create",
                "-u",
                USER,
                "-p",
                PASSWORD,
                "-f",
                "A",
                "-l",
                "B",
                "-r",
                "Admin",
                "-e",
                "a@b.c",
            )
            services["webserver"] = ("webserver", "--port", str(self.port), "--hostname", "127.0.0.1")
        if triggerer:
            services["triggerer"] = ("triggerer",)
        for name, arguments in services.items():
            self.processes.start(name, self.command(*arguments), self.environment, self.home)
        if services.keys() & {"api-server", "webserver"}:
            wait_until(self._healthy, seconds=300, what=f"Airflow at {self.url} is healthy")

    def _healthy(self) -> bool:
        self.processes.check()
        path = "/api/v2/monitor/health" if self.is_three else "/health"
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                health = json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return False
        needed = ("metadatabase", "scheduler", "dag_processor") if self.is_three else ("metadatabase",)
        return all((health.get(name) or {}).get("status") == "healthy" for name in needed)

    @contextmanager
    def alone_with_database(self) -> Iterator[None]:
        """Hold the services while a command writes: one that reads before it writes fails when another wrote between."""
        with self.processes.suspended(at=self._is_writable):
            yield

    def _is_writable(self) -> bool:
        """Whether nobody is in the middle of writing to the metadata database."""
        with closing(sqlite3.connect(self.database, timeout=0, isolation_level=None)) as database:
            try:
                database.execute("begin immediate")
            except sqlite3.OperationalError:
                return False
            database.execute("rollback")
            return True

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Read the metadata database (read only); nothing while it is locked for longer than 10 s."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(sql, parameters).fetchall()

    def task_log(self, dag_id: str) -> str:
        """What went wrong in the newest task log of a DAG that has an error, or in the newest; empty without one."""
        logs = sorted(
            (self.home / "logs" / f"dag_id={dag_id}").rglob("*.log"), key=lambda p: p.stat().st_mtime
        )
        if not logs:
            return ""
        log = next((one for one in reversed(logs) if "error" in one.read_text().lower()), logs[-1])
        return "\n".join([f"{log}:", *(_readable(line) for line in tail(log, 60).splitlines())])

    def stop(self) -> None:
        """End all that was started."""
        if self._commands is not None:
            self._commands.close()
            self._commands = None
        self.processes.stop()

    def __enter__(self) -> AirflowProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _readable(line: str) -> str:
    """A line of a task log; 3.x writes JSON."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]
    return " | ".join([f"{entry.get('level')}: {entry.get('event')}", *errors])
