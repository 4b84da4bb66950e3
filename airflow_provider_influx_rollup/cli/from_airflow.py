"""Read a connection or the rollups of a DAG from Airflow. Only this file of the command line needs Airflow."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.settings import ClientSettings


@dataclass(frozen=True, slots=True)
class DagRollups:
    """The rollups of a DAG.

    :param conn_id: the connection of its tasks; None when they have several
    :param notes: tasks that were left out, and why
    """

    specs: Sequence[RollupSpec]
    conn_id: str | None
    notes: Sequence[str]


def connection_settings(conn_id: str, org: str | None) -> ClientSettings:
    """Client settings of an Airflow connection, wherever Airflow keeps it.

    :param org: organisation's name; default: the connection's
    :raises ConfigurationError: when there is no such connection, or a field of it is missing or wrong
    """
    with _airflow():
        from airflow_provider_influx_rollup.airflow_compat import AirflowNotFoundException, stored_connection
        from airflow_provider_influx_rollup.hooks.connection_settings import (
            ConnectionReading,
            client_settings,
        )
        from airflow_provider_influx_rollup.settings import read_settings

        def read() -> ConnectionReading:
            return ConnectionReading.of(conn_id, stored_connection(conn_id))

        try:
            reading = read()
        except AirflowNotFoundException as error:
            what = f"Airflow has no connection {conn_id!r}, or one that it cannot read, such as one whose extras are no JSON object"
            fix = "add or correct it, or give --url, --org and --token-file"
            raise ConfigurationError(what, fix=fix) from error
        for name in reading.unknown_extras():
            sys.stderr.write(f"connection {conn_id!r}: extra {name!r} is unknown and not used\n")
        tokens = [reading.token()]

        def token(refresh: bool) -> str:
            if refresh:
                tokens[0] = read().token()
            return tokens[0]

        return client_settings(reading, org=org, token=token, defaults=read_settings())


def configured_ledger() -> str:
    """``[influx_rollup] ledger_bucket``."""
    with _airflow():
        from airflow_provider_influx_rollup.settings import read_settings

        return read_settings().ledger_bucket


def rollups_of_dag(dag_id: str, dags_folder: str | None) -> DagRollups:
    """The specs of all rollups of a DAG, as far as they are known before a run.

    :param dags_folder: a folder or a file; None takes Airflow's own
    :raises ConfigurationError: when there is no such DAG, or it has no rollup with parameters that are known
    """
    with _airflow():
        dag = _load_dag(dag_id, dags_folder)
        from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

        specs: list[RollupSpec] = []
        conn_ids: set[str] = set()
        notes: list[str] = []
        for task in dag.tasks:
            if not isinstance(task, FluxRollupOperator):
                if _is_mapped_rollup(task, FluxRollupOperator):
                    notes.append(
                        f"task {task.task_id!r} is left out: a mapped task's rollups are known in a run only"
                    )
                continue
            try:
                specs += task.known_specs()
                conn_ids.add(task.influx_conn_id)
            except ConfigurationError as error:
                notes.append(f"task {task.task_id!r} is left out: {error}")
    if not specs:
        reasons = "; ".join(notes) or "it has no FluxRollupOperator"
        what = f"DAG {dag_id!r} has no rollup that can be planned: {reasons}"
        raise ConfigurationError(what, fix="use --pipeline: the ledger knows what ran before")
    return DagRollups(specs, conn_ids.pop() if len(conn_ids) == 1 else None, notes)


def _load_dag(dag_id: str, dags_folder: str | None) -> Any:
    from airflow_provider_influx_rollup.airflow_compat import load_dags

    if dags_folder is not None:
        _make_importable(Path(dags_folder))
    dags, broken = load_dags(dags_folder)
    if dag_id in dags:
        return dags[dag_id]
    what = f"there is no DAG {dag_id!r}"
    if broken:
        first, reason = next(iter(broken.items()))
        last_line = reason.strip().splitlines()[-1]
        what += f", and {len(broken)} DAG files cannot be imported, such as {first}: {last_line}"
    known = ", ".join(sorted(dags)[:5]) or "none"
    raise ConfigurationError(what, fix=f"correct --dag-id or --dags-folder; DAGs there: {known}")


def _make_importable(path: Path) -> None:
    """DAG files import their neighbours, as Airflow's own DAGs folder lets them."""
    if not path.exists():
        what = f"there is no file or folder {str(path)!r}"
        raise ConfigurationError(what, fix="correct --dags-folder")
    sys.path.append(str(path if path.is_dir() else path.parent))


def _is_mapped_rollup(task: Any, operator: type[Any]) -> bool:
    mapped = getattr(task, "operator_class", None)
    return isinstance(mapped, type) and issubclass(mapped, operator)


@contextmanager
def _airflow() -> Iterator[None]:
    """Airflow, and DAG files, print to stdout, which holds our answer alone.

    :raises ConfigurationError: when Airflow is not installed
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "airflow":
            raise
        what = "Airflow is not installed here"
        raise ConfigurationError(what, fix="use --url and --pipeline, or run it where Airflow is") from error
