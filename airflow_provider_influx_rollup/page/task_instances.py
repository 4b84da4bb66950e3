"""Airflow's metadata database, as far as the page looks into it: connections by type, task instances that failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_provider_influx_rollup.page.access import CONNECTION_TYPES, RunKey


def connections_to_influx() -> list[str]:
    """Ids of the connections of the metadata database that lead to an InfluxDB 2, in order."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        asked = select(Connection.conn_id).where(Connection.conn_type.in_(CONNECTION_TYPES))
        return sorted(session.scalars(asked))


def failed_of(keys: Collection[RunKey]) -> set[RunKey]:
    """Those of some task instances that have failed.

    :param keys: of any DAGs
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = set(keys)
    columns = TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index
    asked = select(*columns).where(
        TaskInstance.state == "failed",
        TaskInstance.dag_id.in_(_distinct(key.dag_id for key in keys)),
        TaskInstance.run_id.in_(_distinct(key.run_id for key in keys)),
    )
    with create_session() as session:
        found = {
            RunKey(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
            for dag_id, run_id, task_id, map_index in session.execute(asked)
        }
    return found & wanted


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
