"""Read from the server's syntax tree what a user's script does, without running it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.bucket_reads import BOUNDED_READERS, RANGES, BucketRead, bucket_reads
from airflow_provider_influx_rollup.flux.columns import READERS, WRITERS, LostColumns, lost_columns
from airflow_provider_influx_rollup.flux.cuts import TimeCut, time_cuts
from airflow_provider_influx_rollup.flux.extern import parameter_node
from airflow_provider_influx_rollup.flux.reach import Reach, reach_of
from airflow_provider_influx_rollup.flux.read_span import ScriptTime
from airflow_provider_influx_rollup.flux.results import ScriptResults, script_results
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    identifiers_used,
    key_of,
    pipelines,
    resolved,
    script_body,
    script_scope,
    stage_of,
    stages,
    string_value,
    walk,
)
from airflow_provider_influx_rollup.windows.duration import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# packages whose functions neither reach outside of the database nor make rows of their own
_QUIET_IMPORTS = frozenset(
    """date math strings regexp types timezone join dict interpolate system runtime json profiler universe
    experimental experimental/aggregate experimental/query experimental/record experimental/table
    influxdata/influxdb influxdata/influxdb/schema influxdata/influxdb/monitor influxdata/influxdb/tasks
    influxdata/influxdb/v1 internal/debug""".split()  # noqa: SIM905
)
# their rows do not come from a range
_ROW_MAKERS = frozenset({"array.from", "buckets", "influxdata/influxdb.buckets"})
_EXTRACTORS = frozenset({"tableFind", "findColumn", "findRecord", "getColumn", "getRecord"})
# the storage engine does them whatever comes after
_PUSHED_AGGREGATES = frozenset("aggregateWindow count first last max mean min sum".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class TaskOption:
    """The ``option task`` of a script; what it does not set is None."""

    name: str | None
    every: Duration | None
    cron: str | None
    offset: Duration | None


@dataclass(frozen=True, slots=True)
class ReadRange:
    """The reach of one ``range()``, or of another call with a start.

    :param start: where its start comes from
    :param stop: where its stop comes from; without one it is ``now()``
    :param line: line number in the script
    """

    start: Reach
    stop: Reach
    line: int

    @property
    def follows_window(self) -> bool:
        """Whether both ends move with the window that is being run."""
        return {self.start, self.stop} <= {"window", "now"}


@dataclass(frozen=True, slots=True)
class BucketWrite:
    """One ``to()`` or ``wideTo()``.

    :param function: the name of the function
    :param bucket: None when it is computed
    :param line: line number in the script
    """

    function: str
    bucket: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFacts:
    """Facts about a script before it runs.

    :param task: its ``option task``
    :param options: the names of all options it sets, such as ``"task"`` or ``"now"``
    :param top_names: the variables at its top
    :param buckets_read: names of the buckets that it reads, as far as it shows them
    :param bucket_ids_read: ids of buckets that it reads by them
    :param has_unnamed_reads: whether it computes what it reads, so that neither says it
    :param reads: what its chains read of buckets that they name, by their ranges
    :param writes: its writes, in order
    :param ranges: its ranges, in order
    :param unbounded_reads: buckets of pipelines without a range; only those the script shows plainly
    :param shared_variables: variables that several pipelines read from, which disables every pushdown
    :param lost_columns: columns that a write needs and an earlier stage drops
    :param extracts_rows: whether it takes values out of tables, which fails when there are none
    :param outside_imports: imports that may make rows or reach outside of the database
    :param makes_rows: whether it makes rows that no range bounds, such as with ``array.from``
    :param results: which of its results are the rows that it writes
    :param cuts: where it cuts time; none when ``option location`` decides
    """

    task: TaskOption | None
    options: frozenset[str]
    top_names: frozenset[str]
    buckets_read: tuple[str, ...]
    bucket_ids_read: tuple[str, ...]
    has_unnamed_reads: bool
    reads: tuple[BucketRead, ...]
    writes: tuple[BucketWrite, ...]
    ranges: tuple[ReadRange, ...]
    unbounded_reads: tuple[str, ...]
    shared_variables: tuple[str, ...]
    lost_columns: tuple[LostColumns, ...]
    extracts_rows: bool
    outside_imports: tuple[str, ...]
    makes_rows: bool
    results: ScriptResults
    cuts: tuple[TimeCut, ...]

    @property
    def buckets_written(self) -> tuple[str, ...]:
        """Literal names of the buckets it writes into, each once."""
        return tuple(dict.fromkeys(write.bucket for write in self.writes if write.bucket is not None))

    @property
    def can_be_planned(self) -> bool:
        """Whether a run over an empty time range is sure to read, write and send nothing."""
        return (
            not self.outside_imports
            and not self.makes_rows
            and "now" not in self.options
            and all(one.follows_window for one in self.ranges)
        )


def script_facts(package: Mapping[str, Any], params: Mapping[str, object] | None = None) -> ScriptFacts:
    """Read the facts of a script.

    :param package: the server's answer to a parse request, a Flux ``Package``
    :param params: the values that will be bound, so that ``from(bucket: params.source)`` is understood
    :raises ConfigurationError: when ``option task`` is not made of literals
    """
    own = script_scope(package)
    scope = own if params is None else own.with_arguments({"params": parameter_node(params)})
    body = script_body(package)
    chains = [stages(pipeline, scope) for pipeline in pipelines(body)]
    calls = _calls(body, chains, scope)
    options = frozenset(_option_names(body))
    task = _task_option(body, scope)
    reads = [call for call in calls if call.function in READERS | BOUNDED_READERS]
    ranges = [call for call in calls if _is_range(call)]
    time = ScriptTime(task.every if task else None, is_utc="location" not in options)
    return ScriptFacts(
        task=task,
        options=options,
        top_names=frozenset(own.variables),
        buckets_read=_texts("bucket", reads),
        bucket_ids_read=_texts("bucketID", reads),
        has_unnamed_reads=any(not _texts("bucket", [one]) + _texts("bucketID", [one]) for one in reads),
        reads=bucket_reads(body, scope, time),
        writes=tuple(dict.fromkeys(_write(call) for call in calls if call.function in WRITERS)),
        ranges=tuple(dict.fromkeys(_range(call) for call in ranges)),
        unbounded_reads=_unbounded(chains),
        shared_variables=_shared_variables(body, scope),
        lost_columns=tuple(_distinct_losses(chains)),
        extracts_rows=any(call.function in _EXTRACTORS for call in calls),
        outside_imports=tuple(p for p in scope.imports.values() if p not in (*_QUIET_IMPORTS, "array")),
        makes_rows=any(call.function in _ROW_MAKERS for call in calls),
        results=script_results(body, scope, calls),
        cuts=() if "location" in options else time_cuts(calls),
    )


def _calls(body: Sequence[Node], chains: Sequence[Sequence[Stage]], scope: Scope) -> list[Stage]:
    """Return every call of the script; those of its own functions once for each time they are called.

    A call that no pipeline shows, such as one in a function that is passed on, is added as it stands there.
    """
    shown = [stage for chain in chains for stage in chain]
    covered = {id(stage.call) for stage in shown}
    nodes = (node for node in walk(list(body)) if node["type"] == "CallExpression")
    return shown + [stage_of(node, scope) for node in nodes if id(node) not in covered]


def _distinct_losses(chains: Sequence[Sequence[Stage]]) -> list[LostColumns]:
    """Return the lost columns of all pipelines, each place once."""
    losses = [loss for chain in chains for loss in lost_columns(chain)]
    return list({(loss.columns, loss.dropper.line, loss.writer.line): loss for loss in losses}.values())


def _texts(argument: str, calls: Sequence[Stage]) -> tuple[str, ...]:
    """Return the distinct literal values of an argument."""
    found = (string_value(call.arguments.get(argument), call.scope) for call in calls)
    return tuple(dict.fromkeys(text for text in found if text is not None))


def _is_range(call: Stage) -> bool:
    """Whether a call says from when to when it reads."""
    return call.function in RANGES or (
        "start" in call.arguments and call.function.startswith("influxdata/influxdb/")
    )


def _range(call: Stage) -> ReadRange:
    stop = call.arguments.get("stop")
    return ReadRange(
        start=reach_of(call.arguments.get("start"), call.scope),
        stop="now" if stop is None else reach_of(stop, call.scope),
        line=call.line,
    )


def _write(call: Stage) -> BucketWrite:
    return BucketWrite(
        function=call.short_name,
        bucket=string_value(call.arguments.get("bucket"), call.scope),
        line=call.line,
    )


def _unbounded(chains: Sequence[Sequence[Stage]]) -> tuple[str, ...]:
    """Return the buckets of pipelines that read and never call range()."""
    found = [
        string_value(chain[0].arguments.get("bucket"), chain[0].scope) or "?"
        for chain in chains
        if chain and chain[0].function in READERS and not any(stage.function == "range" for stage in chain)
    ]
    return tuple(dict.fromkeys(found))


def _shared_variables(body: Sequence[Node], scope: Scope) -> tuple[str, ...]:
    """Return the variables that hold a read and are used more than once; what has been aggregated can be shared."""
    uses = Counter(identifiers_used(list(body)))
    reading = (
        name
        for name, node in scope.variables.items()
        if uses[name] > 1
        and (chain := stages(node, scope))
        and chain[0].function in READERS
        and not any(stage.function in _PUSHED_AGGREGATES for stage in chain)
    )
    return tuple(reading)


def _option_names(body: Sequence[Node]) -> list[str]:
    """Return the names of the options a script sets; those of packages as ``package.option``."""
    names = []
    for statement in body:
        if statement["type"] == "OptionStatement":
            assignment = statement["assignment"]
            member = assignment.get("member")
            if member:
                names.append(f"{member['object']['name']}.{member['property']['name']}")
            else:
                names.append(assignment["id"]["name"])
    return names


def _task_option(body: Sequence[Node], scope: Scope) -> TaskOption | None:
    """Return the ``option task`` of a script, None when it has none."""
    for statement in body:
        assignment = statement.get("assignment") or {}
        if statement["type"] != "OptionStatement" or assignment.get("id", {}).get("name") != "task":
            continue
        record = resolved(assignment["init"], scope)
        if record is None or record["type"] != "ObjectExpression":
            what = "the script's option task is not a record"
            raise ConfigurationError(what, fix='write option task = {name: "...", every: 1h}')
        values = {key_of(item): item["value"] for item in record["properties"]}
        return TaskOption(
            name=_literal_text(values.get("name"), scope),
            every=_duration(values.get("every"), scope),
            cron=_literal_text(values.get("cron"), scope),
            offset=_duration(values.get("offset"), scope),
        )
    return None


def _literal_text(node: Node | None, scope: Scope) -> str | None:
    """Return the text of a literal; pipelines are called by it, so that one which is put together names none."""
    found = resolved(node, scope)
    return str(found["value"]) if found is not None and found["type"] == "StringLiteral" else None


def _duration(node: Node | None, scope: Scope) -> Duration | None:
    """Return the duration of a literal.

    :raises ConfigurationError: when it is something else
    """
    found = resolved(node, scope)
    if found is None:
        return None
    if found["type"] != "DurationLiteral":
        what = "the script's option task has an every or offset that is not a duration literal"
        raise ConfigurationError(what, fix="write it as a positive literal such as 1h or 10m")
    text = "".join(f"{part['magnitude']}{part['unit']}" for part in found["values"])
    return Duration.parse(text, allow_zero=True)


__all__ = ["BucketWrite", "ReadRange", "ScriptFacts", "TaskOption", "script_facts"]
