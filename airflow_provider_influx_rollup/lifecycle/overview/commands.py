"""The commands that do something about chosen windows, ready to be copied."""

from __future__ import annotations

from shlex import quote

from airflow_provider_influx_rollup.lifecycle.overview.scheduled import Scheduled
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


def commands_for(
    spec: RollupSpec, interval: Interval, conn_id: str, dag: Scheduled | None, *, is_three: bool
) -> list[dict[str, str]]:
    """Each with what it is for.

    :param interval: of whole windows
    :param conn_id: the Airflow connection
    :param dag: the DAG that rolls the pipeline up; None when no receipt names one
    :param is_three: whether Airflow's commands are those of 3.x
    """
    start, stop = format_instant(interval.start), format_instant(interval.stop)
    asked = f"--pipeline {quote(spec.pipeline_name)} --from {start} --to {stop}"
    at = f"--conn-id {quote(conn_id)} --ledger-bucket {quote(spec.ledger_bucket)}"
    commands = [
        {"name": verb, "text": f"influx-rollup {verb} {asked} {at}"}
        for verb in ("plan", "verify", "reconcile")
    ]
    if dag is not None:
        dates = dag.logical_dates(interval, spec.grid.grid(), is_three=is_three)
        ends = format_instant(dates.start), format_instant(dates.stop)
        commands.insert(1, {"name": "backfill", "text": _backfill(dag.dag_id, *ends, is_three=is_three)})
    return commands


def _backfill(dag_id: str, first: str, last: str, *, is_three: bool) -> str:
    if is_three:
        return (
            f"airflow backfill create --dag-id {quote(dag_id)} --from-date {first} --to-date {last} "
            "--reprocess-behavior completed"
        )
    return (
        f"airflow dags backfill {quote(dag_id)} --start-date {first} --end-date {last} --reset-dagruns --yes"
    )
