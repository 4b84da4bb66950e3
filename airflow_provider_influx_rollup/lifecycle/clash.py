"""Two pipelines that would write the same values of the same target: each would take the other's rows for ghosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec

StoredSpec = tuple[str, str, Mapping[str, Any]]


def require_no_clash(spec: RollupSpec, stored: Iterable[StoredSpec]) -> None:
    """Refuse a rollup whose target values belong to another pipeline.

    :param stored: ``(pipeline, spec_hash, spec)`` of the ledger, the last used first
    :raises ConfigurationError: naming the other pipeline
    """
    seen: set[str] = set()
    for pipeline, _, values in stored:
        is_newest = pipeline not in seen
        seen.add(pipeline)
        if pipeline == spec.pipeline_name or not is_newest or "source_bucket" not in values:
            continue
        other = RollupSpec.from_json(values)
        if _writes_the_same(spec, other) and not _computes_the_same(spec, other):
            where = f"bucket {spec.target_bucket!r}, measurement {spec.output_measurement!r}"
            what = f"pipeline {spec.pipeline_name!r} would write the same fields as pipeline {pipeline!r} ({where})"
            raise ConfigurationError(
                what, written="nothing", fix="give one of them another target_measurement"
            )


def _writes_the_same(spec: RollupSpec, other: RollupSpec) -> bool:
    same_place = (spec.target_bucket, spec.output_measurement) == (
        other.target_bucket,
        other.output_measurement,
    )
    return same_place and _aggregates_overlap(spec, other) and _tags_overlap(spec, other)


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
    """Whether one series could pass both filters; different groupings give different tag sets."""
    if spec.group_by is not None and other.group_by is not None:
        if set(spec.group_by) != set(other.group_by):
            return False
    elif (spec.group_by is None) != (other.group_by is None):
        return True
    shared = set(spec.tags) & set(other.tags)
    return all(set(spec.tags[key]) & set(other.tags[key]) for key in shared)


def _computes_the_same(spec: RollupSpec, other: RollupSpec) -> bool:
    """Whether the two agree on what each value is, such as after a pipeline was renamed."""
    mine = (spec.source_bucket, spec.measurement, spec.grid, spec.group_by, dict(spec.tags))
    return mine == (other.source_bucket, other.measurement, other.grid, other.group_by, dict(other.tags))
