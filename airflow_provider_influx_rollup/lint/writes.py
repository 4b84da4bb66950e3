"""Rules about what a script writes, and about names that each run binds."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_influx_rollup.flux.columns import lost_columns
from airflow_provider_influx_rollup.flux.syntax import Node, string_value
from airflow_provider_influx_rollup.lint.finding import Finding
from airflow_provider_influx_rollup.lint.rules import (
    LOST_COLUMNS,
    READS_OWN_TARGET,
    SETS_BOUND_NAME,
    UNUSED_CRON,
)
from airflow_provider_influx_rollup.lint.script import Script

_BOUND = frozenset({"v", "now", "params", "profiler.enabledProfilers"})


def own_target(script: Script) -> Iterator[Finding]:
    """Writes into a bucket that the script reads."""
    for write in script.writes:
        bucket = string_value(write.arguments.get("bucket"), write.scope)
        if bucket is not None and bucket in script.facts.buckets_read:
            message = f"{write.short_name}() writes into the bucket {bucket!r}, which the script reads"
            fix = "write into another bucket, or the next run would aggregate its own results"
            yield READS_OWN_TARGET.found(write.call, message, fix)


def columns_gone(script: Script) -> Iterator[Finding]:
    """Stages that drop what a later write needs."""
    seen: set[tuple[int, int]] = set()
    for chain in script.chains:
        for loss in lost_columns(chain):
            key = (id(loss.dropper.call), id(loss.writer.call))
            if key not in seen:
                seen.add(key)
                yield LOST_COLUMNS.found(loss.dropper.call, loss.message, loss.fix)


def bound_names(script: Script) -> Iterator[Finding]:
    """Names that the script sets and each run binds."""
    for statement in script.body:
        name = _name_set_by(statement)
        if name in _BOUND:
            message = f"the script sets {name} itself, but each run binds it to its own window"
            if name == "params":
                message = "the script sets params itself, but params_flux is bound to that name"
            yield SETS_BOUND_NAME.found(statement, message, f"remove the line that sets {name}")


def _name_set_by(statement: Node) -> str | None:
    """The name that an option or a variable sets, ``package.option`` of one of a package."""
    assignment = statement.get("assignment") or statement
    if member := assignment.get("member"):
        return f"{member['object'].get('name')}.{member['property'].get('name')}"
    return str(assignment["id"]["name"]) if "id" in assignment else None


def unused_cron(script: Script) -> Iterator[Finding]:
    """A cron in ``option task``, which a DAG's schedule replaces."""
    if script.facts.task is None or script.facts.task.cron is None:
        return
    for statement in script.body:
        if statement["type"] == "OptionStatement" and _name_set_by(statement) == "task":
            message = (
                "the cron of option task is not used: the DAG's schedule decides; only name and offset are"
            )
            yield UNUSED_CRON.found(statement, message, "give the DAG that cron")
