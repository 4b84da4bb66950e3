"""Rules about what a script writes, and about names that each run binds."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_influx_rollup.flux.columns import READERS, WRITERS, lost_columns, mapped_record
from airflow_provider_influx_rollup.flux.syntax import Node, Stage, key_of, string_value
from airflow_provider_influx_rollup.lint.filters import measurements_asked
from airflow_provider_influx_rollup.lint.finding import Finding
from airflow_provider_influx_rollup.lint.rules import (
    LOST_COLUMNS,
    READS_OWN_TARGET,
    SETS_BOUND_NAME,
)
from airflow_provider_influx_rollup.lint.script import Chain, Script

# a map, a rename or a union may give points another measurement
_KEEP_MEASUREMENTS = frozenset(
    """aggregateWindow count duplicate fill filter first last limit max mean median min range sort spread sum tail window
    yield""".split()  # noqa: SIM905
)
_BOUND = frozenset({"v", "now", "params", "profiler.enabledProfilers"})


def own_target(script: Script) -> Iterator[Finding]:
    """Writes into a bucket that the script reads, unless the points that it writes are none of those."""
    seen: set[int] = set()
    for chain in script.chains:
        for number, write in enumerate(chain):
            if write.function not in WRITERS or id(write.call) in seen:
                continue
            seen.add(id(write.call))
            bucket = string_value(write.arguments.get("bucket"), write.scope)
            if bucket is None or bucket not in script.facts.buckets_read:
                continue
            if _is_of_another_measurement(script, bucket, chain[:number]):
                continue
            message = f"{write.short_name}() writes into the bucket {bucket!r}, which the script reads"
            fix = "write into another bucket, or the next run would aggregate its own results"
            yield READS_OWN_TARGET.found(write.call, message, fix)


def _is_of_another_measurement(script: Script, bucket: str, before: Chain) -> bool:
    """Whether a write gives its points a measurement that no read of the bucket asks for."""
    setter, value = next(
        ((stage, value) for stage in reversed(before) if (value := _measurement_set_by(stage)) is not None),
        (None, None),
    )
    if setter is None:
        written = _measurements_kept(before)
    else:
        name = string_value(value, setter.scope)
        written = frozenset() if name is None else frozenset({name})
    if not written:
        return False
    reads = [
        chain
        for chain in script.reads
        if string_value(chain[0].arguments.get("bucket"), chain[0].scope) in (bucket, None)
    ]
    asked = [measurements_asked(chain) for chain in reads]
    return bool(asked) and all(one is not None and not written & one for one in asked)


def _measurements_kept(before: Chain) -> frozenset[str]:
    """The measurements that a pipeline reads and hands on as they are; none when that is not certain."""
    if (
        not before
        or before[0].function not in READERS
        or any(stage.function not in _KEEP_MEASUREMENTS for stage in before[1:])
    ):
        return frozenset()
    return measurements_asked(before) or frozenset()


def _measurement_set_by(stage: Stage) -> Node | None:
    """What a stage gives its points as their measurement; None when it gives none."""
    if stage.function == "set" and string_value(stage.arguments.get("key"), stage.scope) == "_measurement":
        return stage.arguments.get("value")
    record = mapped_record(stage) if stage.function == "map" else None
    properties = [] if record is None else record.get("properties") or []
    # {x} is short for {x: x}
    given = [one.get("value") or one["key"] for one in properties if key_of(one) == "_measurement"]
    return given[-1] if given else None


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
