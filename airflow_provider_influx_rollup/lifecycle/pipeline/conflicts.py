"""Refuse pipelines that would write the same values of one target: each would remove the other's rows as stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim, visible_tags
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.run.reasons import ERASE, RECONCILE
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

# verbs that write what another task declared
ACTS_FOR_IT = frozenset({RECONCILE, ERASE})


def require_no_clash(spec: RollupSpec, stored: Iterable[StoredSpec]) -> None:
    """Refuse a rollup whose target values belong to another pipeline, or to other windows of its own.

    :param stored: specs of the ledger, the last used first
    :raises ConfigurationError: naming the other pipeline
    """
    where = f"bucket {spec.target_bucket!r}, measurement {spec.output_measurement!r}"
    newest = newest_specs(spec, stored)
    if spec.pipeline_name in newest:
        _require_same_grid(spec, newest[spec.pipeline_name], where)
    other = clashing_with(spec, newest)
    if other is not None:
        what = f"pipeline {spec.pipeline_name!r} would write the same fields as pipeline {other!r} ({where})"
        raise ConfigurationError(what, written="nothing", fix="give one of them another target_measurement")


def clashing_with(spec: RollupSpec, others: Mapping[str, RollupSpec]) -> str | None:
    """The pipeline that writes the same values of a target already, and means others by them.

    :param others: the specs in force of the same target, by the pipelines' names
    """
    for name, other in others.items():
        if (
            name != spec.pipeline_name
            and _aggregates_overlap(spec, other)
            and _tags_overlap(spec, other)
            and not _computes_the_same(spec, other)
        ):
            return name
    return None


def require_one_task(spec: RollupSpec, run: RunInfo, previous: Iterable[Receipt]) -> None:
    """Refuse a task whose pipeline name another task uses for another spec.

    Aggregates and fields are no part of the default name; each of the two would take the other for its own earlier
    spec, and remove its columns.

    :param previous: receipts of the windows
    :raises ConfigurationError: naming the other task
    """
    spec_hash = spec.spec_hash()
    for receipt in previous:
        if receipt.spec_hash != spec_hash and _is_another_task(run, receipt):
            mapped = f" [{receipt.map_index}]" if receipt.map_index >= 0 else ""
            what = (
                f"pipeline {spec.pipeline_name!r} has other fields, aggregates or a filter in task {receipt.task_id!r}"
                f"{mapped} of DAG {receipt.dag_id!r}; two tasks of one pipeline would remove each other's columns"
            )
            fix = "give this task a name of its own with pipeline=, also when it replaces the other one"
            raise ConfigurationError(what, window=receipt.window, written="nothing", fix=fix)


def _is_another_task(run: RunInfo, receipt: Receipt) -> bool:
    """Whether a receipt is of another task; unknown outside of Airflow.

    A reconcile or an erasure acts for the pipeline's own task, with the spec that the task used last.
    """
    if not run.task_id or not receipt.task_id or ACTS_FOR_IT & {_verb(run.reason), _verb(receipt.reason)}:
        return False
    if (run.dag_id, run.task_id) != (receipt.dag_id, receipt.task_id):
        return True
    # between runs the members of a mapped task may change places
    return run.run_id == receipt.run_id and run.map_index != receipt.map_index


def _verb(reason: str) -> str:
    return reason.partition(":")[0]


def newest_specs(spec: RollupSpec, stored: Iterable[StoredSpec]) -> dict[str, RollupSpec]:
    """The spec in force of each pipeline that writes to the same measurement of the same bucket."""
    newest: dict[str, StoredSpec] = {}
    for one in stored:
        newest.setdefault(one.pipeline, one)
    return {name: one.rollup() for name, one in newest.items() if one.place == _place(spec)}


def claims_of_others(spec: RollupSpec, stored: Iterable[StoredSpec]) -> dict[str, Claim]:
    """What other pipelines can write to the same measurement of the same bucket, by their names."""
    newest = newest_specs(spec, stored)
    return {name: Claim.of(other) for name, other in newest.items() if name != spec.pipeline_name}


def all_specs_of_others(spec: RollupSpec, stored: Iterable[StoredSpec]) -> list[StoredSpec]:
    """The specs that other pipelines have, or had, for the same windows of the same measurement of the same bucket."""
    return [
        one
        for one in stored
        if one.pipeline != spec.pipeline_name
        and one.place == _place(spec)
        and one.rollup().grid.grid() == spec.grid.grid()
    ]


def earlier_specs(spec: RollupSpec, stored: Iterable[StoredSpec]) -> list[RollupSpec]:
    """The specs that a pipeline had in this target before."""
    return [
        one.rollup()
        for one in stored
        if one.pipeline == spec.pipeline_name
        and one.spec_hash != spec.spec_hash()
        and one.place == _place(spec)
    ]


def _place(spec: RollupSpec) -> tuple[str, str]:
    return spec.target_bucket, spec.output_measurement


def _require_same_grid(spec: RollupSpec, other: RollupSpec, where: str) -> None:
    """Rows of another grid would stay between the new ones, at times that are no window of this grid."""
    if spec.grid.grid() != other.grid.grid():
        what = (
            f"pipeline {spec.pipeline_name!r} has windows of {other.grid.label} in its target, "
            f"not of {spec.grid.label} ({where})"
        )
        raise ConfigurationError(
            what, written="nothing", fix="give it another pipeline name and target_measurement"
        )


def _aggregates_overlap(spec: RollupSpec, other: RollupSpec) -> bool:
    """Whether one field of the target could come from both; globs are taken to overlap."""
    if not set(spec.rules().all_names()) & set(other.rules().all_names()):
        return False
    mine, theirs = spec.rules().exact_fields(), other.rules().exact_fields()
    if mine is None or theirs is None:
        return any(other.rules().names_for(name) for name in mine or ()) or (
            any(spec.rules().names_for(name) for name in theirs or ()) or (mine is None and theirs is None)
        )
    return bool(set(mine) & set(theirs))


def _tags_overlap(spec: RollupSpec, other: RollupSpec) -> bool:
    """Whether one tag set of the target could come from both.

    A series may lack a tag, so that two groupings can end in one tag set; and a filter on a tag that is merged away
    leaves no trace in the target.
    """
    mine, theirs = visible_tags(spec), visible_tags(other)
    return all(set(mine[key]) & set(theirs[key]) for key in set(mine) & set(theirs))


def _computes_the_same(spec: RollupSpec, other: RollupSpec) -> bool:
    """Whether the two agree on what each value is, such as after a pipeline was renamed."""
    return _meaning(spec) == _meaning(other)


def _meaning(spec: RollupSpec) -> tuple[Any, ...]:
    is_merged = spec.source_tier is not None
    where = (spec.source_bucket, spec.measurement, spec.grid.grid())
    return (*where, spec.group_by, dict(spec.tags), is_merged)
