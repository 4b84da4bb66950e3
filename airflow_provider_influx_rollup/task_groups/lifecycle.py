"""All tiers of a measurement as one group of linked tasks; a group for each of several measurements."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import TaskGroup
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_ends import (
    PARTITIONS,
    Archive,
    Deadman,
    Validation,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import COMPLETE, ENDING
from airflow_provider_influx_rollup.operators._base import AUTO
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_groups.found_measurements import (
    DiscoverTiersOperator,
    TierNames,
    map_over_measurements,
)
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
    Patterns are looked up in each run, by the task ``discover``, and the group ``measurement`` is mapped over what it finds.

    :param lifecycle: the tiers
    :param group_id: the group's name
    :param influx_conn_id: the connection of all tasks
    :param task_arguments: for all tasks, such as ``retries``, ``pool``, ``deferrable``
    :return: the group, to be linked with other tasks
    :raises ConfigurationError: when a tier's retention is shorter than the next tier's lag
    """
    shared = {
        **task_arguments,
        "influx_conn_id": influx_conn_id,
        "ledger_bucket": lifecycle.ledger_bucket,
    }
    with TaskGroup(group_id) as group:
        lifecycle.require_kept(_between_runs(lifecycle, group))
        if lifecycle.patterns:
            _map_tasks(lifecycle, shared)
        elif isinstance(lifecycle.measurement, str):
            _make_tasks(lifecycle, TierNames.of(lifecycle), shared)
        else:
            of_each = lifecycle.each()
            names = _group_ids([str(one.measurement) for one in of_each])
            for one, name in zip(of_each, names, strict=True):
                with TaskGroup(name):
                    _make_tasks(one, TierNames.of(one), shared)
        if lifecycle.buckets:
            # before all that has nothing before it
            first = list(group.get_roots())
            _buckets_task(lifecycle, shared).set_downstream(first)
    return group


def _make_tasks(lifecycle: Lifecycle, names: TierNames, shared: dict[str, Any]) -> None:
    """The tasks of one measurement, linked.

    :param names: what they are told of it
    """
    specs = lifecycle.specs()
    tasks = [
        _tier_task(lifecycle, number, task_id, names, shared)
        for number, task_id in enumerate(_task_ids(specs))
    ]
    for below, above in pairwise(tasks):
        below.set_downstream(above)
    if lifecycle.validation is not None:
        _validation_task(lifecycle, lifecycle.validation, names, shared).set_downstream(tasks[0])
    if lifecycle.deadman is not None:
        _deadman_task(lifecycle, lifecycle.deadman, names, shared).set_upstream(tasks[0])
    last: list[Any] = list(tasks)
    if lifecycle.reconcile is not None:
        reconciled = _reconcile_task(names, lifecycle.reconcile, shared)
        reconciled.set_upstream(last)
        last = [reconciled]
    if lifecycle.archive is not None:
        _archive_tasks(lifecycle, lifecycle.archive, names, shared)[0].set_upstream(last)


def _map_tasks(lifecycle: Lifecycle, shared: dict[str, Any]) -> None:
    """The task that looks patterns up, and the group that Airflow repeats for each measurement it finds."""
    # windows and aggregates are those of every measurement
    example = lifecycle.each(lifecycle.patterns)[0]
    of_stages = {name: value for name, value in shared.items() if name not in ("ledger_bucket", "deferrable")}
    discover = DiscoverTiersOperator(task_id="discover", lifecycle=lifecycle, **of_stages)
    told = {**shared, "map_index_template": "{{ task.measurement or task.pipeline }}"}
    map_over_measurements(discover, "measurement", lambda names: _make_tasks(example, names, told))


def _buckets_task(lifecycle: Lifecycle, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.buckets import EnsureBucketsOperator

    arguments = {name: value for name, value in shared.items() if name != "deferrable"}
    arguments["ledger_bucket"] = lifecycle.ledger_bucket
    # what patterns stand for is found after the buckets are there
    rollups = [] if lifecycle.patterns else lifecycle.specs()
    return EnsureBucketsOperator(task_id="buckets", buckets=lifecycle.buckets, rollups=rollups, **arguments)


def _validation_task(
    lifecycle: Lifecycle, validation: Validation, names: TierNames, shared: dict[str, Any]
) -> Any:
    from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator

    return FluxValidateOperator(
        task_id="validate",
        bucket=lifecycle.arrival_bucket,
        measurement=names.measurement,
        rules=validation.rules,
        clean_bucket=lifecycle.source_bucket if validation.bucket else None,
        quarantine_bucket=validation.quarantine_bucket,
        on_failure=validation.on_failure,
        lateness=lifecycle.tiers[0].lateness,
        **shared,
    )


def _deadman_task(lifecycle: Lifecycle, deadman: Deadman, names: TierNames, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator

    return DeadmanCheckOperator(
        task_id="deadman",
        bucket=lifecycle.arrival_bucket,
        measurement=names.measurement,
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


def _archive_tasks(
    lifecycle: Lifecycle, archive: Archive, names: TierNames, shared: dict[str, Any]
) -> list[Any]:
    """The archive of the run's points, and the purge of those that are old enough."""
    from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator

    place: dict[str, Any] = {
        "bucket": lifecycle.source_bucket,
        "measurement": names.measurement,
        "path": archive.path,
        "path_conn_id": archive.path_conn_id,
        "every": archive.every,
        # a run in which no day or month ends has skipped those tiers
        "trigger_rule": "none_failed",
    }
    tasks: list[Any] = [
        ArchiveWindowOperator(
            task_id="archive",
            windows=ENDING,
            lateness=lifecycle.tiers[0].lateness,
            **{**place, **_assets_of(lifecycle), **shared},
        )
    ]
    if archive.purge_after is not None:
        from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator

        # a purge waits for nothing
        place |= {name: value for name, value in shared.items() if name != "deferrable"}
        tasks.append(
            PurgeWindowOperator(
                task_id="purge",
                require_pipelines=names.all_pipelines,
                delay=archive.purge_after,
                min_age=archive.purge_after,
                quiet_for=archive.quiet_for,
                **place,
            )
        )
        tasks[0].set_downstream(tasks[1])
    return tasks


def _tier_task(
    lifecycle: Lifecycle, number: int, task_id: str, names: TierNames, shared: dict[str, Any]
) -> FluxRollupOperator:
    spec = lifecycle.specs()[number]
    is_first = spec.source_tier is None
    return FluxRollupOperator(
        task_id=task_id,
        source_bucket=spec.source_bucket,
        target_bucket=spec.target_bucket,
        measurement=names.measurement,
        every=spec.grid.every,
        offset=spec.grid.offset,
        timezone=spec.grid.timezone,
        aggregates=spec.aggregates,
        fields=spec.fields,
        tags=spec.tags or None,
        group_by=spec.group_by,
        lateness=spec.lateness,
        compute=spec.compute,
        execution=lifecycle.tiers[number].execution,
        # a name that is made of the parameters stays unsaid, so that it follows buckets that are renamed
        pipeline=None if spec.pipeline is None else names.pipelines[number],
        source_tier=None if is_first else names.pipelines[number - 1],
        heal=lifecycle.heal,
        windows=ENDING if is_first else COMPLETE,
        **_assets_of(lifecycle),
        **shared,
    )


def _assets_of(lifecycle: Lifecycle) -> dict[str, Any]:
    """What a stage is told of assets."""
    if lifecycle.assets is None:
        return {}
    return {"outlets": AUTO, "partitions": lifecycle.assets == PARTITIONS}


def _reconcile_task(names: TierNames, lookback: DurationLike, shared: dict[str, Any]) -> Any:
    from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator

    return FluxReconcileOperator(
        task_id="reconcile",
        lifecycle=names.lifecycle,
        measurement=names.measurement,
        lookback=lookback,
        cascade=True,
        # a run in which no day or month ends has skipped those tiers
        trigger_rule="none_failed",
        # the runs of a backfill look at the same time, one after the other
        max_active_tis_per_dag=1,
        **_assets_of(names.lifecycle),
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
