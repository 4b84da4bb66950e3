"""All tiers of a measurement as one group of linked tasks; a group for each of several measurements."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import TaskGroup
from airflow_provider_influx_rollup.hooks.influx import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_ends import Archive, Deadman, Validation
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import COMPLETE, ENDING
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.windows.duration import DurationLike

__all__ = ["Archive", "Bucket", "Deadman", "Lifecycle", "Tier", "Validation", "lifecycle_task_group"]


def lifecycle_task_group(
    lifecycle: Lifecycle,
    *,
    group_id: str = "lifecycle",
    influx_conn_id: str = DEFAULT_CONN_ID,
    **task_arguments: Any,
) -> TaskGroup:
    """Make one rollup task for each tier, linked from the finest to the coarsest, in the DAG of the context.

    The first tier rolls up the windows that end in the run's data interval. Each other one rolls up its windows inside
    the interval, and those that reach over its edges as soon as the tier below has COMMITTED all of them; a run that has
    no such window skips the task. So an hourly DAG can have days and months, and a backfill may run in any order.

    Several measurements have a group each inside the group, so that one can fail, or be run again, without the others.

    :param lifecycle: the tiers
    :param group_id: the group's name
    :param influx_conn_id: the connection of all tasks
    :param task_arguments: for all tasks, such as ``retries``, ``pool``, ``deferrable``
    :return: the group, to be linked with other tasks
    :raises ConfigurationError: when a tier's retention is shorter than the next tier's lag
    """
    if not isinstance(lifecycle.measurement, str):
        return _group_of_groups(lifecycle, group_id, influx_conn_id, task_arguments)
    with TaskGroup(group_id) as group:
        lifecycle.require_kept(_between_runs(lifecycle, group))
        shared = {
            **task_arguments,
            "influx_conn_id": influx_conn_id,
            "ledger_bucket": lifecycle.ledger_bucket,
        }
        specs = lifecycle.specs()
        tasks = [
            _tier_task(spec, task_id, lifecycle.heal, shared)
            for spec, task_id in zip(specs, _task_ids(specs), strict=True)
        ]
        for below, above in pairwise(tasks):
            below.set_downstream(above)
        if lifecycle.validation is not None:
            _validation_task(lifecycle, lifecycle.validation, shared).set_downstream(tasks[0])
        if lifecycle.deadman is not None:
            _deadman_task(lifecycle, lifecycle.deadman, shared).set_upstream(tasks[0])
        last: list[Any] = list(tasks)
        if lifecycle.reconcile is not None:
            reconciled = _reconcile_task(specs[0], lifecycle.reconcile, shared)
            reconciled.set_upstream(last)
            last = [reconciled]
        if lifecycle.archive is not None:
            _archive_tasks(lifecycle, lifecycle.archive, shared)[0].set_upstream(last)
        if lifecycle.buckets:
            # before all that has nothing before it
            first = list(group.get_roots())
            _buckets_task(lifecycle, shared).set_downstream(first)
    return group


def _group_of_groups(
    lifecycle: Lifecycle, group_id: str, influx_conn_id: str, task_arguments: dict[str, Any]
) -> TaskGroup:
    with TaskGroup(group_id) as group:
        of_each = lifecycle.each()
        names = _group_ids([str(one.measurement) for one in of_each])
        groups = [
            lifecycle_task_group(
                replace(one, buckets=()), group_id=name, influx_conn_id=influx_conn_id, **task_arguments
            )
            for one, name in zip(of_each, names, strict=True)
        ]
        if lifecycle.buckets:
            shared = {**task_arguments, "influx_conn_id": influx_conn_id}
            _buckets_task(lifecycle, shared).set_downstream(groups)
    return group


def _buckets_task(lifecycle: Lifecycle, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.buckets import EnsureBucketsOperator

    arguments = {name: value for name, value in shared.items() if name != "deferrable"}
    arguments["ledger_bucket"] = lifecycle.ledger_bucket
    return EnsureBucketsOperator(task_id="buckets", buckets=lifecycle.buckets, **arguments)


def _validation_task(lifecycle: Lifecycle, validation: Validation, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator

    return FluxValidateOperator(
        task_id="validate",
        bucket=validation.bucket or lifecycle.source_bucket,
        measurement=str(lifecycle.measurement),
        rules=validation.rules,
        clean_bucket=lifecycle.source_bucket if validation.bucket else None,
        quarantine_bucket=validation.quarantine_bucket,
        on_failure=validation.on_failure,
        lateness=lifecycle.tiers[0].lateness,
        **shared,
    )


def _deadman_task(lifecycle: Lifecycle, deadman: Deadman, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator

    arrival = lifecycle.validation.bucket if lifecycle.validation else None
    return DeadmanCheckOperator(
        task_id="deadman",
        bucket=arrival or lifecycle.source_bucket,
        measurement=str(lifecycle.measurement),
        fields=lifecycle.fields,
        tags=lifecycle.tags or None,
        silence=deadman.silence,
        group_by=deadman.group_by,
        expected_series=deadman.expected_series,
        inventory_lookback=deadman.inventory_lookback,
        retire_after=deadman.retire_after,
        level=deadman.level,
        on_dead=deadman.on_dead,
        # a run in which no window of the first tier ends has skipped it
        trigger_rule="none_failed",
        # it keeps no receipts
        **{name: value for name, value in shared.items() if name != "ledger_bucket"},
    )


def _archive_tasks(lifecycle: Lifecycle, archive: Archive, shared: dict[str, Any]) -> list[Any]:
    """The archive of the run's points, and the purge of those that are old enough."""
    from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator

    place: dict[str, Any] = {
        "bucket": lifecycle.source_bucket,
        "measurement": str(lifecycle.measurement),
        "path": archive.path,
        "path_conn_id": archive.path_conn_id,
        "every": archive.every,
        # a run in which no day or month ends has skipped those tiers
        "trigger_rule": "none_failed",
    }
    tasks: list[Any] = [
        ArchiveWindowOperator(task_id="archive", lateness=lifecycle.tiers[0].lateness, **{**place, **shared})
    ]
    if archive.purge_after is not None:
        from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator

        # a purge waits for nothing
        place |= {name: value for name, value in shared.items() if name != "deferrable"}
        tasks.append(
            PurgeWindowOperator(
                task_id="purge",
                require_pipelines=[spec.pipeline_name for spec in lifecycle.specs()],
                delay=archive.purge_after,
                min_age=archive.purge_after,
                quiet_for=archive.quiet_for,
                **place,
            )
        )
        tasks[0].set_downstream(tasks[1])
    return tasks


def _tier_task(
    spec: RollupSpec, task_id: str, heal: DurationLike | None, shared: dict[str, Any]
) -> FluxRollupOperator:
    return FluxRollupOperator(
        task_id=task_id,
        source_bucket=spec.source_bucket,
        target_bucket=spec.target_bucket,
        measurement=spec.measurement,
        every=spec.grid.every,
        offset=spec.grid.offset,
        timezone=spec.grid.timezone,
        aggregates=spec.aggregates,
        fields=spec.fields,
        tags=spec.tags or None,
        group_by=spec.group_by,
        lateness=spec.lateness,
        pipeline=spec.pipeline,
        source_tier=spec.source_tier,
        heal=heal,
        windows=ENDING if spec.source_tier is None else COMPLETE,
        **shared,
    )


def _reconcile_task(spec: RollupSpec, lookback: DurationLike, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator

    return FluxReconcileOperator(
        task_id="reconcile",
        pipeline=spec.pipeline_name,
        lookback=lookback,
        cascade=True,
        # a run in which no day or month ends has skipped those tiers
        trigger_rule="none_failed",
        # the runs of a backfill look at the same time, one after the other
        max_active_tis_per_dag=1,
        **shared,
    )


def _group_ids(measurements: list[str]) -> list[str]:
    """Measurements as Airflow's ids, which have letters, digits, dashes and underscores; numbered where two are alike."""
    plain = [re.sub(r"[^\w-]", "_", name, flags=re.ASCII) for name in measurements]
    return [
        name if plain.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(plain, start=1)
    ]


def _task_ids(specs: list[RollupSpec]) -> list[str]:
    """``rollup_1h``; with a number where two tiers have windows of one length."""
    lengths = [spec.grid.every for spec in specs]
    return [
        f"rollup_{spec.grid.every}" + (f"_{number}" if lengths.count(spec.grid.every) > 1 else "")
        for number, spec in enumerate(specs, start=1)
    ]


def _between_runs(lifecycle: Lifecycle, group: TaskGroup) -> timedelta | None:
    """The distance between the DAG's runs, where its schedule is a plain length of time."""
    if lifecycle.run_every is not None:
        return None  # checked already
    dag = getattr(group, "dag", None)
    # Airflow 2.11 keeps a timedelta in schedule_interval, 3.x in schedule
    schedules = [getattr(dag, name, None) for name in ("schedule", "schedule_interval")]
    return next((schedule for schedule in schedules if isinstance(schedule, timedelta)), None)
