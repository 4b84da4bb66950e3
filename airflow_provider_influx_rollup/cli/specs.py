"""Specs for ``plan``: from the ledger, a DAG, or a lifecycle file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.cli.connection import Server
from airflow_provider_influx_rollup.cli.pipelines import chosen_pipelines
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.source.discovery import lifecycles_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSpecs:
    """Specs, a lifecycle that has them, or the names of pipelines whose specs are in the ledger.

    :param conn_id: the Airflow connection of the DAG's tasks; None when there is no DAG
    :param notes: what was left out, and why
    :param lifecycle: that of a file
    """

    specs: Sequence[RollupSpec] | None = None
    pipelines: Sequence[str] = ()
    conn_id: str | None = None
    notes: Sequence[str] = ()
    lifecycle: Lifecycle | None = None


def wanted_from(args: Namespace) -> ChosenSpecs:
    """The specs that the options name.

    :raises ConfigurationError: when the DAG or the file cannot be read, or has no rollup
    """
    if args.dags_folder and not args.dag_id:
        what = "--dags-folder is given without --dag-id"
        raise ConfigurationError(what, fix="name the DAG")
    if args.dag_id:
        from airflow_provider_influx_rollup.cli.from_airflow import rollups_of_dag

        rollups = rollups_of_dag(args.dag_id, args.dags_folder)
        return ChosenSpecs(specs=rollups.specs, conn_id=rollups.conn_id, notes=rollups.notes)
    if args.lifecycle:
        return ChosenSpecs(lifecycle=Lifecycle.from_yaml(args.lifecycle))
    return ChosenSpecs(pipelines=args.pipeline)


def planned_specs(server: Server, wanted: ChosenSpecs, ledger_bucket: str | None) -> Sequence[RollupSpec]:
    """The specs themselves.

    :param ledger_bucket: another ledger than a DAG or a file names; None takes theirs
    """
    specs = wanted.specs
    if wanted.lifecycle is not None:
        each = server.drive(lifecycles_of(wanted.lifecycle))
        specs = [spec for one in each for spec in one.specs()]
    if specs is None:
        return chosen_pipelines(server, wanted.pipelines)
    if ledger_bucket is None:
        return specs
    return [replace(spec, ledger_bucket=ledger_bucket) for spec in specs]
