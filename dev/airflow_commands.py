"""``airflow`` commands as forks of one process that has Airflow loaded: loading it takes longer than most commands."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# what commands load in the end; the parts of 3.x are missing in 2.11
LOADED = (
    "airflow.__main__",
    "airflow.cli.cli_parser",
    "airflow.cli.commands.backfill_command",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.remote_commands.dag_command",
    # what looks at the schema, which each `dags test` does
    "alembic.command",
    "airflow.migrations.utils",
    "airflow.api_fastapi.execution_api.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.models.dagbag",
    "airflow.models.serialized_dag",
    "airflow.dag_processing.collection",
    "airflow.www.app",
    "airflow.decorators",
    "airflow.sdk.definitions.decorators",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.empty",
    "urllib3",
    "pyarrow.compute",
    "pyarrow.csv",
    # what the tasks load: a second of each `dags test`
    "airflow_provider_influx_rollup.client.driver",
    "airflow_provider_influx_rollup.client.influx_client",
    "airflow_provider_influx_rollup.client.overload.gate",
    "airflow_provider_influx_rollup.archive.annotated_arrow",
    "airflow_provider_influx_rollup.lifecycle.archive.archive",
    "airflow_provider_influx_rollup.lifecycle.reconcile.windows",
    "airflow_provider_influx_rollup.lifecycle.rollup.rollup",
    "airflow_provider_influx_rollup.operators.rollup",
    "airflow_provider_influx_rollup.page.plugin",
    "airflow_provider_influx_rollup.partitions.plugin",
    "airflow_provider_influx_rollup.stores.archive_store",
    "airflow_provider_influx_rollup.task_groups.lifecycle",
    "airflow_provider_influx_rollup.triggers.lifecycle_job",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    :param printed: what it wrote to stdout and stderr
    """

    code: int
    printed: str


class AirflowCommands:
    """Runs ``airflow`` commands one after the other. Each is a process of its own, which has loaded Airflow already.

    :param environment: variables of the process
    :param home: where it runs, and where the last command's output is
    """

    def __init__(self, environment: Mapping[str, str], home: Path) -> None:
        self._output = home / "command-output.txt"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dev.airflow_commands"],
            env=dict(environment),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, args: Sequence[str], environment: Mapping[str, str], timeout: float) -> Ended:
        """Run a command to its end.

        :param environment: variables for this command only
        :raises TimeoutError: when it takes longer; the whole process has ended then
        """
        assert self._process.stdin  # noqa: S101 (a pipe, as asked for)
        assert self._process.stdout  # noqa: S101
        request = {"args": list(args), "environment": dict(environment), "output": str(self._output)}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        answer = self._process.stdout.readline() if ready else b""
        printed = self._output.read_text(errors="replace") if self._output.exists() else ""
        if not answer:
            self.close()
            message = f"airflow {' '.join(args)} gave no answer in {timeout:.0f} s:\n{printed[-4000:]}"
            raise TimeoutError(message)
        return Ended(int(answer), printed)

    def close(self) -> None:
        """End the process and what it runs."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def serve() -> None:
    """Load Airflow, then run a command for each line of stdin; the answer is its exit code."""
    answers = os.fdopen(os.dup(1), "w")
    # nothing but answers goes to the pipe
    os.dup2(2, 1)
    _load()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _load() -> None:
    for name in LOADED:
        with contextlib.suppress(ModuleNotFoundError):
            if find_spec(name):
                import_module(name)
    # each command would do that again for its first query
    import_module("sqlalchemy.orm").configure_mappers()
    supervisor = sys.modules.get("airflow.sdk.execution_time.supervisor")
    if supervisor is not None:
        # 3.x: `dags test` answers its tasks itself, and takes seconds to make the routes for that
        initialize = getattr(supervisor.in_process_api_server().app, "_cadwyn_initialize", None)
        if initialize is not None:
            initialize()


def _become(request: Mapping[str, Any]) -> None:
    """Be the command: what ``python -m airflow`` does after it has loaded Airflow."""
    code = 1
    try:
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(output, number)
        os.close(0)
        os.environ.update(request["environment"])
        sys.argv = ["airflow", *request["args"]]
        # connections of the database do not survive a fork
        import_module("airflow.settings").engine.dispose(close=False)
        import_module("airflow.__main__").main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 (whatever it is: it is told, and the exit code says it)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
