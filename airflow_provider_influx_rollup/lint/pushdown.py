"""Rules about what keeps the storage engine from doing the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.flux.plan import QueryPlan, step_kind
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    function_path,
    resolved,
    unwrapped,
    walk,
)
from airflow_provider_influx_rollup.lint.filters import column_of, conjuncts, leading_filters, predicate
from airflow_provider_influx_rollup.lint.finding import Finding, start_of
from airflow_provider_influx_rollup.lint.rules import (
    CONTAINS_FILTER,
    LATE_FILTER,
    RAW_READ,
    SHARED_VARIABLE,
    UNPRUNED_FILTER,
)
from airflow_provider_influx_rollup.lint.script import Chain, Script

_PUSHED_FIX = (
    "compare a tag, _measurement or _field with a text by == or !=, or with a regular expression by =~ or !~"
)
# what keeps aggregates from the storage engine; a raw read is their consequence
_CAUSES = frozenset({SHARED_VARIABLE.name, CONTAINS_FILTER.name, UNPRUNED_FILTER.name})
# what an aggregate computes; all other columns are as the read found them
_COMPUTED = frozenset({"_value", "_time", "_start", "_stop"})
# what makes fewer rows of those that are read; a copy wants each of them, and a limit some as they are
_REDUCERS = frozenset(
    """aggregateWindow bottom count cov covariance cumulativeSum derivative difference distinct elapsed first group highestAverage
    highestCurrent highestMax histogram increase integral last lowestAverage lowestCurrent lowestMin max mean median min mode
    movingAverage pearsonr pivot quantile reduce sample skew sort spread stateCount stateDuration stddev sum top unique
    window experimental.window""".split()  # noqa: SIM905
)


def shared_variables(script: Script) -> Iterator[Finding]:
    """Variables through which several pipelines read."""
    for statement in script.body:
        if statement["type"] == "VariableAssignment":
            name = statement["id"]["name"]
            if name in script.facts.shared_variables:
                message = f"several pipelines share the variable {name}, so that nothing is pushed down"
                fix = f"make it a function, {name} = () => ..., and call it in each pipeline"
                yield SHARED_VARIABLE.found(statement, message, fix)


def weak_filters(script: Script) -> Iterator[Finding]:
    """Filters right after a range that the storage engine does not understand, and those that come too late."""
    seen: set[int] = set()
    for chain in script.reads:
        for stage in leading_filters(chain):
            if id(stage.call) not in seen:
                seen.add(id(stage.call))
                yield from _weak_parts(stage)
        for stage in _late_filters(chain):
            if id(stage.call) not in seen:
                seen.add(id(stage.call))
                message = "the filter comes after the aggregate, so that series are read for nothing"
                yield LATE_FILTER.found(stage.call, message, "put it right after range()")


@dataclass(frozen=True, slots=True)
class RawRead:
    """A pipeline that reads raw points.

    :param message: what the plan says of it
    """

    chain: Chain
    message: str

    @property
    def is_copy(self) -> bool:
        """Whether each point that is read is wanted."""
        return not any(stage.function in _REDUCERS for stage in self.chain)

    @property
    def finding(self) -> Finding:
        """At the first call that the storage engine does not do."""
        fix = "aggregate right after range() and filter(), by count, sum, mean, min, max, first or last"
        return RAW_READ.found((_culprit(self.chain) or self.chain[0]).call, self.message, fix)


def raw_reads(script: Script, plan: QueryPlan) -> list[RawRead]:
    """The pipelines whose reads are raw.

    :param plan: of the script
    """
    left = list(script.reads)
    found = []
    for node in plan.raw_reads:
        after = plan.steps_after(node)
        chain = next((one for one in left if _first_kind(one) in after), left[0] if left else None)
        if chain is not None:
            left.remove(chain)
            feeds = f"feeds {' and '.join(after)}" if after else "is returned"
            message = f"raw points are read instead of aggregates ({step_kind(node)} {feeds})"
            found.append(RawRead(chain, message))
    return found


def agreeing(script: Script, static: Sequence[Finding], reads: Sequence[RawRead]) -> list[Finding]:
    """The findings of the text that the plan agrees with, and the raw reads that none of them explains.

    :param static: what the text shows
    :param reads: what the plan shows
    """
    causes = [finding for finding in static if finding.name in _CAUSES]
    right = [one for one in causes if any(_explains(script, one, read) for read in reads)]
    unexplained = [
        read for read in reads if not read.is_copy and not any(_explains(script, one, read) for one in right)
    ]
    stay = [finding for finding in static if finding not in causes or finding in right]
    # a function that several pipelines call is one place
    places = {(one.line, one.column): one for one in (read.finding for read in unexplained)}
    return [*stay, *places.values()]


def _explains(script: Script, finding: Finding, read: RawRead) -> bool:
    """Whether a finding is about a read, and so why that is raw."""
    place = (finding.line, finding.column)
    if finding.name == SHARED_VARIABLE.name:
        shared = (one for one in script.body if start_of(one) == place)
        return any(_spans(one, start_of(read.chain[0].call)) for one in shared)
    filters = leading_filters(read.chain)
    predicates = (resolved(stage.arguments.get("fn"), stage.scope) for stage in filters)
    nodes = [*(stage.call for stage in filters), *(one for one in predicates if one is not None)]
    return any(_spans(node, place) for node in nodes)


def _spans(node: Node, place: tuple[int, int]) -> bool:
    """Whether a place is inside of a node."""
    end = node["location"]["end"]
    return start_of(node) <= place < (end["line"], end["column"])


def _culprit(chain: Chain) -> Stage | None:
    """The first stage after the range and the filters."""
    return next((stage for stage in chain[1:] if stage.function not in ("range", "filter")), None)


def _first_kind(chain: Chain) -> str | None:
    stage = _culprit(chain)
    return None if stage is None else stage.short_name


def _late_filters(chain: Chain) -> Iterator[Stage]:
    """Filters by measurement, field or tags after an aggregate, which leaves those columns alone."""
    has_aggregated = False
    for stage in chain[1:]:
        if stage.function == "aggregateWindow":
            has_aggregated = True
        elif stage.function == "filter":
            if has_aggregated and _filters_by_names(stage):
                yield stage
        elif stage.function != "range":
            return


def _filters_by_names(stage: Stage) -> bool:
    """Whether a filter compares measurement, field or tags with texts, and does nothing else."""
    condition = predicate(stage)
    parts = [] if condition is None else list(conjuncts(condition))
    return bool(parts) and all(
        part["type"] == "BinaryExpression"
        and part["operator"] in ("==", "!=", "=~", "!~")
        and column_of(part["left"]) not in (None, *_COMPUTED)
        and part["right"]["type"] in ("StringLiteral", "RegexpLiteral")
        for part in parts
    )


def _weak_parts(stage: Stage) -> Iterator[Finding]:
    condition = predicate(stage)
    for part in conjuncts(condition) if condition is not None else ():
        call = next((one for one in walk(part) if _is_contains(one, stage.scope)), None)
        if call is not None:
            message = (
                "contains() in a filter is not pushed down: all points are read, and compared one by one"
            )
            fix = "join comparisons by or, or use a regular expression, such as r.site =~ /^(a|b)$/"
            yield CONTAINS_FILTER.found(call, message, fix)
        elif (why := _why_weak(part)) is not None:
            yield UNPRUNED_FILTER.found(part, f"the filter is not pushed down: {why}", _PUSHED_FIX)


def _why_weak(node: Node) -> str | None:
    """Reason why the storage engine cannot use a condition; None when it can, or when that is not certain."""
    node = unwrapped(node)
    if node["type"] == "LogicalExpression":
        return _why_weak(node["left"]) or _why_weak(node["right"])
    if node["type"] == "UnaryExpression" and node["operator"] == "not":
        # the planner turns not exists into what the storage engine knows
        return None if unwrapped(node["argument"])["type"] == "UnaryExpression" else "it begins with not"
    if node["type"] in ("CallExpression", "ConditionalExpression"):
        return "it calls a function" if node["type"] == "CallExpression" else "it is a condition"
    return _why_comparison_is_weak(node) if node["type"] == "BinaryExpression" else None


def _why_comparison_is_weak(node: Node) -> str | None:
    left, right = unwrapped(node["left"]), unwrapped(node["right"])
    sides = (left, right)
    if any(one["type"] == "CallExpression" for side in sides for one in walk(side)):
        return "it calls a function"
    if any(side["type"] == "DateTimeLiteral" for side in sides):
        return "it compares with a time"
    if node["operator"] == "==" and any(_is_empty(side) for side in sides):
        return "it compares with an empty text, which means a tag that is not there"
    if all(column_of(side) is not None for side in sides):
        return "it compares two columns"
    if left["type"] == "BinaryExpression":
        return "it computes with a column"
    return None


def _is_empty(node: Node) -> bool:
    return bool(node["type"] == "StringLiteral" and node["value"] == "")


def _is_contains(node: Node, scope: Scope) -> bool:
    return bool(node["type"] == "CallExpression" and function_path(node["callee"], scope) == "contains")
