"""What each chain of a script reads: of which bucket, from when to when, and which measurements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.flux.columns import READERS, WRITERS
from airflow_provider_influx_rollup.flux.equalities import texts_allowed
from airflow_provider_influx_rollup.flux.read_span import ReadSpan, ScriptTime, read_span
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    block_variables,
    children,
    function_path,
    key_of,
    resolved,
    returned,
    stages,
    string_value,
    unwrapped,
    walk,
)
from airflow_provider_influx_rollup.windows.interval import Interval

BOUNDED_READERS = frozenset({"experimental/query.fromRange", "experimental/query.inBucket"})
RANGES = BOUNDED_READERS | {"range"}
_READERS = READERS | BOUNDED_READERS
_MEASUREMENT_FILTERS = frozenset({"experimental/query.inBucket", "experimental/query.filterMeasurement"})
# which rows come behind them, and their time and measurement, depends on no other row
_ROW_BY_ROW = frozenset("filter group sort keep".split()) | RANGES | _MEASUREMENT_FILTERS  # noqa: SIM905
# what they say of the column of the measurement chooses no rows
_CHOOSES_NONE = frozenset("group keep drop set experimental.group experimental.set".split()) | WRITERS  # noqa: SIM905
# functions that call each other twice double what there is to follow with each of them
_MOST_NODES = 10_000
_MOST_CHAINS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRead:
    """One chain that reads a bucket which it names.

    :param bucket: its name; None when the chain says its id
    :param bucket_id: its id; None when the chain says its name
    :param spans: its ranges: it reads what lies in all of them
    :param measurements: all that it lets through; None when it leaves that open
    :param reads_all: whether nothing in it chooses a measurement
    """

    bucket: str | None
    bucket_id: str | None
    spans: tuple[ReadSpan, ...]
    measurements: frozenset[str] | None
    reads_all: bool

    def interval(self, window: Interval) -> Interval | None:
        """From when to when it reads for a window, which counts for what is not plain; None: it reads nothing."""
        starts = [span.start.of(window) for span in self.spans if span.start is not None]
        stops = [span.stop.of(window) for span in self.spans if span.stop is not None]
        start, stop = max(starts, default=window.start), min(stops, default=window.stop)
        return Interval(start, stop) if start < stop else None


def bucket_reads(body: Sequence[Node], scope: Scope, time: ScriptTime) -> tuple[BucketRead, ...]:
    """What the chains of a script read, as far as each says its bucket and its range.

    :param body: its statements
    """
    used = _Used()
    for statement in body:
        if statement["type"] == "ExpressionStatement":
            used.follow(statement["expression"], scope)
    # a variable that longer chains begin with is read as they say; what is defined later may be such a chain
    for statement in reversed(body):
        value = statement.get("init")
        if value is not None and any(_is_read(node, scope, used.calls) for node in walk(value)):
            used.follow(value, scope)
    found = (_bucket_read(chain, time) for chain in used.chains)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _is_read(node: Node, scope: Scope, followed: set[int]) -> bool:
    """Whether a node is a call that reads, and that no chain has shown."""
    return (
        node["type"] == "CallExpression"
        and id(node) not in followed
        and function_path(node["callee"], scope) in _READERS
    )


def _bucket_read(chain: Sequence[Stage], time: ScriptTime) -> BucketRead | None:
    reader = chain[0]
    names = [string_value(reader.arguments.get(one), reader.scope) for one in ("bucket", "bucketID")]
    spans: list[ReadSpan] = []
    allowed: list[frozenset[str]] = []
    are_as_stored = True
    for stage in chain:
        are_as_stored = are_as_stored and stage.function in _ROW_BY_ROW | _READERS
        if not are_as_stored and spans:
            break
        if stage.function in RANGES:
            spans.append(read_span(stage, time))
        let_through = _measurements(stage)
        if let_through is not None and are_as_stored:
            allowed.append(let_through)
    if not spans or names == [None, None]:
        return None
    bucket, bucket_id = names
    return BucketRead(
        bucket=bucket,
        bucket_id=bucket_id,
        spans=tuple(spans),
        measurements=frozenset.intersection(*allowed) if allowed else None,
        reads_all=not any(_may_choose(stage) for stage in chain),
    )


def _measurements(stage: Stage) -> frozenset[str] | None:
    """The measurements that a stage lets through; None when it leaves that open."""
    if stage.function in _MEASUREMENT_FILTERS:
        name = string_value(stage.arguments.get("measurement"), stage.scope)
        return None if name is None else frozenset({name})
    if stage.function == "filter":
        return texts_allowed("_measurement", stage.arguments.get("fn"), stage.scope)
    return None


def _may_choose(stage: Stage) -> bool:
    """Whether a stage may choose a measurement: it reads that column of the rows, or leaves open what it does."""
    if stage.function in _MEASUREMENT_FILTERS or stage.function in stage.scope.variables:
        return True
    if stage.function in _CHOOSES_NONE:
        return False
    given = [resolved(one, stage.scope) for one in stage.arguments.values()]
    nodes = [node for one in given for node in walk(one)]
    if stage.function == "map":
        # one that gives the column a value does not read it
        keys = {id(node["key"]) for node in nodes if node["type"] == "Property"}
        nodes = [node for node in nodes if id(node) not in keys]
    if any("_measurement" in (node.get("name"), node.get("value")) for node in nodes):
        return True
    return stage.function == "filter" and not all(_is_of_columns(one) for one in given if one is not None)


def _is_of_columns(node: Node) -> bool:
    """Whether a function says by its columns which rows it wants, and gives no row as a whole to another one."""
    if node["type"] != "FunctionExpression":
        # such as onEmpty: "keep"
        return bool(node["type"] == "StringLiteral")
    rows = {key_of(item) for item in node.get("params") or []}
    below = list(walk(node["body"]))
    columns = {id(one["object"]) for one in below if one["type"] == "MemberExpression"}
    return not any(
        one["type"] == "Identifier" and one["name"] in rows and id(one) not in columns for one in below
    )


@dataclass(slots=True)
class _Used:
    """The chains that make what a script returns, in the scopes in which they are used.

    :param chains: those that begin with a read
    :param calls: identities of all calls in chains
    """

    chains: list[list[Stage]] = field(default_factory=list)
    calls: set[int] = field(default_factory=set)
    _seen: dict[tuple[int, int], Scope] = field(default_factory=dict)
    _left: Iterator[int] = field(default_factory=lambda: iter(range(_MOST_CHAINS)))

    def follow(self, expression: Node, scope: Scope) -> None:
        """Add the chains at and below an expression."""
        waiting = [(expression, scope)]
        while waiting and len(self._seen) < _MOST_NODES:
            node, inside = waiting.pop()
            if (id(node), id(inside)) not in self._seen:
                # kept, so that no other scope gets its identity
                self._seen[id(node), id(inside)] = inside
                waiting += self._below(unwrapped(node), inside)

    def _below(self, node: Node, scope: Scope) -> Iterable[tuple[Node, Scope]]:
        if node["type"] in ("PipeExpression", "CallExpression"):
            return self._arguments(node, scope)
        if node["type"] == "FunctionExpression":
            return ((one, _inside_of(node, scope)) for one in [returned(node)] if one is not None)
        found = resolved(node, scope)
        if found is not None and found is not node:
            return [(found, scope)]
        if node["type"] == "Property":
            return [(node.get("value") or node["key"], scope)]
        below = [node["object"]] if node["type"] == "MemberExpression" else children(node)
        return ((one, scope) for child in below for one in _nodes(child))

    def _arguments(self, node: Node, scope: Scope) -> Iterable[tuple[Node, Scope]]:
        """Take a chain; what its calls are given may hold others."""
        chain = stages(node, scope) if next(self._left, None) is not None else []
        self.calls.update(id(stage.call) for stage in chain)
        if chain and chain[0].function in _READERS:
            self.chains.append(chain)
        return ((one, stage.scope) for stage in chain for one in stage.arguments.values())


def _inside_of(function: Node, scope: Scope) -> Scope:
    """The scope inside of a function whose arguments are not known."""
    unknown = {key_of(item) for item in function.get("params") or []}
    known = {name: value for name, value in scope.variables.items() if name not in unknown}
    block = function["body"]
    return Scope({**known, **(block_variables(block) if block["type"] == "Block" else {})}, scope.imports)


def _nodes(child: object) -> Iterator[Node]:
    for one in child if isinstance(child, list) else [child]:
        if isinstance(one, Mapping) and "type" in one:
            yield one
