"""Read which rollup a task is: one from(), range(), filter(), aggregateWindow(), to(), and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.flux.columns import READERS, WRITERS
from airflow_provider_influx_rollup.flux.equalities import equalities_of
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    arguments_of,
    function_path,
    key_of,
    pipelines,
    resolved,
    returned,
    script_body,
    script_scope,
    stages,
    string_value,
    unwrapped,
)
from airflow_provider_influx_rollup.windows.duration import Duration

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.flux.script import TaskOption

#: functions of aggregateWindow() that give what the aggregate of the same name gives
SAME_AGGREGATES = frozenset({"count", "sum", "min", "max", "first", "last", "mean", "spread", "stddev"})
_ORDER = ("from", "range", "filter", "aggregateWindow", "set", "to")
_WINDOW_PARAMETERS = frozenset({"every", "fn", "offset", "timeSrc", "createEmpty"})
_NOT_TAGS = frozenset({"_value", "_time", "_start", "_stop"})
_NOTHING = Duration(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTask:
    """A task that is one rollup.

    :param fields: the fields that it keeps; None keeps all
    :param tags: the tag values that it keeps, by tag key
    :param function: of aggregateWindow(), which is an aggregate of the same name
    :param every: length of a window
    :param is_stamped_at_stop: whether a row's time is its window's stop; else it is the window's start
    :param creates_empty: whether windows without a point have a row, which only a count can write
    :param reach: how far before ``now()`` it begins to read; None: at ``v.timeRangeStart``
    :param target_measurement: None writes that of the source
    """

    source_bucket: str
    target_bucket: str
    measurement: str
    fields: tuple[str, ...] | None
    tags: Mapping[str, tuple[str, ...]]
    function: str
    every: Duration
    offset: Duration
    is_stamped_at_stop: bool
    creates_empty: bool
    reach: Duration | None
    target_measurement: str | None

    def names(self) -> tuple[str, ...]:
        """All names and texts that it has of its user."""
        tags = [text for name, texts in self.tags.items() for text in (name, *texts)]
        buckets = self.source_bucket, self.target_bucket
        measurements = self.measurement, self.output_measurement
        return tuple(dict.fromkeys((*buckets, *measurements, *(self.fields or ()), *tags)))

    @property
    def output_measurement(self) -> str:
        """The measurement of its rows."""
        return self.target_measurement or self.measurement


@dataclass(slots=True, kw_only=True)
class _Draft:
    """Calls of a task as far as they are read.

    :param equal: the texts that columns may have, of all filters
    :param reasons: why it is no rollup, one sentence each
    """

    task: TaskOption
    source_bucket: str = ""
    target_bucket: str = ""
    target_measurement: str | None = None
    reach: Duration | None = None
    function: str = ""
    every: Duration = _NOTHING
    offset: Duration = _NOTHING
    is_stamped_at_stop: bool = True
    creates_empty: bool = True
    equal: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def plain_task(package: Node, task: TaskOption) -> tuple[PlainTask | None, tuple[str, ...]]:
    """Read a task.

    :param package: the syntax tree of its script
    :param task: its ``option task``
    :return: the rollup; or None, and why it is none, one sentence for each reason
    """
    draft = _Draft(task=task)
    chain = _only_chain(package, draft)
    for stage in chain:
        _READ.get(stage.function, _other)(stage, draft)
    _require_order(chain, draft)
    if draft.reasons:
        return None, tuple(dict.fromkeys(draft.reasons))
    measurement = draft.equal["_measurement"][0]
    renamed = draft.target_measurement
    found = PlainTask(
        source_bucket=draft.source_bucket,
        target_bucket=draft.target_bucket,
        measurement=measurement,
        fields=draft.equal.get("_field"),
        tags={name: some for name, some in draft.equal.items() if name not in ("_measurement", "_field")},
        function=draft.function,
        every=draft.every,
        offset=draft.offset,
        is_stamped_at_stop=draft.is_stamped_at_stop,
        creates_empty=draft.creates_empty,
        reach=draft.reach,
        target_measurement=None if renamed == measurement else renamed,
    )
    return found, ()


def _only_chain(package: Node, draft: _Draft) -> list[Stage]:
    """Return the stages of the pipeline that writes; none unless it is the only one."""
    scope, body = script_scope(package), script_body(package)
    for statement in body:
        if statement["type"] == "OptionStatement":
            name = (statement["assignment"].get("id") or {}).get("name") or "of a package"
            draft.reasons += [] if name == "task" else [f"it sets the option {name}"]
    chains = [stages(node, scope) for node in pipelines(body)]
    writing = [chain for chain in chains if any(stage.function in WRITERS for stage in chain)]
    writers = [stage for chain in writing for stage in chain if stage.function in WRITERS]
    if len(writers) == 1:
        return writing[0]
    if writers:
        lines = ", ".join(str(stage.line) for stage in writers)
        draft.reasons.append(
            f"it writes {len(writers)} times, on lines {lines}: each would be a rollup of its own"
        )
    else:
        draft.reasons.append("it writes nothing with to()")
    return []


def _require_order(chain: Sequence[Stage], draft: _Draft) -> None:
    """Each call of a rollup is there, once but for filters, and in order."""
    if not chain:
        return
    found = [kind for stage in chain if (kind := _KINDS.get(stage.function))]
    twice = [kind for kind in ("range", "aggregateWindow", "set") if found.count(kind) > 1]
    missing = [kind for kind in _ORDER[:4] if kind not in found]
    draft.reasons += [f"it calls {kind}() {found.count(kind)} times" for kind in twice]
    draft.reasons += [f"it has no {kind}()" for kind in missing]
    if sorted(found, key=_ORDER.index) != found:
        draft.reasons.append(f"its calls do not come in the order {', '.join(_ORDER)}")
    measurements = draft.equal.get("_measurement")
    if measurements is None:
        draft.reasons.append("no filter says r._measurement == ..., and a rollup is of one measurement")
    elif len(measurements) != 1:
        draft.reasons.append(f"it reads {len(measurements)} measurements, and a rollup is of one")


def _other(stage: Stage, draft: _Draft) -> None:
    name = f"{stage.short_name}()" if stage.short_name else "a computed function"
    draft.reasons.append(f"it calls {name} on line {stage.line}, which a rollup does not have")


def _from(stage: Stage, draft: _Draft) -> None:
    name = string_value(stage.arguments.get("bucket"), stage.scope)
    if name is None or set(stage.arguments) != {"bucket"}:
        draft.reasons.append(f"the from() on line {stage.line} is not of the name of a bucket alone")
    draft.source_bucket = name or ""


def _to(stage: Stage, draft: _Draft) -> None:
    name = string_value(stage.arguments.get("bucket"), stage.scope)
    more = sorted(set(stage.arguments) - {"bucket", "org"})
    if stage.function not in ("to", "influxdata/influxdb.to"):
        draft.reasons.append(f"it writes with {stage.short_name}() of a package on line {stage.line}")
    elif name is None:
        draft.reasons.append(f"the to() on line {stage.line} does not name its bucket")
    elif more:
        draft.reasons.append(f"the to() on line {stage.line} sets {', '.join(more)}")
    draft.target_bucket = name or ""


def _range(stage: Stage, draft: _Draft) -> None:
    start, stop = stage.arguments.get("start"), stage.arguments.get("stop")
    ends = stop is None or _is_member(stop, "v", "timeRangeStop") or _is_call(stop, "now", stage.scope)
    if _is_member(start, "v", "timeRangeStart") and ends:
        return
    draft.reach = _before_now(start, stage.scope, draft.task)
    if draft.reach is None or not ends:
        draft.reasons.append(
            f"the range() on line {stage.line} is neither that of v, nor from a duration before now() to now()"
        )


def _filter(stage: Stage, draft: _Draft) -> None:
    found = equalities_of(stage.arguments.get("fn"), stage.scope)
    if found is None or _NOT_TAGS & set(found) or set(stage.arguments) - {"fn", "onEmpty"}:
        draft.reasons.append(
            f"the filter() on line {stage.line} does more than compare _measurement, _field and tags with == "
            "(and between names, or between values of one name)"
        )
        return
    if any("" in texts for texts in found.values()):
        # a rollup takes it for "has no such tag", which Flux's == never finds
        draft.reasons.append(f"the filter() on line {stage.line} compares with an empty text")
    for name, texts in found.items():
        before = draft.equal.get(name, texts)
        draft.equal[name] = tuple(one for one in before if one in texts)
    for name in (name for name, texts in draft.equal.items() if not texts):
        draft.reasons.append(f"its filters keep no {name} at all")


def _window(stage: Stage, draft: _Draft) -> None:
    place = f"the aggregateWindow() on line {stage.line}"
    arguments, scope = stage.arguments, stage.scope
    more = sorted(set(arguments) - _WINDOW_PARAMETERS)
    if more:
        draft.reasons.append(f"{place} sets {', '.join(more)}")
    every = _duration(arguments.get("every"), scope, draft.task)
    offset = _duration(arguments["offset"], scope, draft.task) if "offset" in arguments else _NOTHING
    if every is None or offset is None or every.is_zero:
        draft.reasons.append(f"{place} has an every or offset that is no positive duration")
    draft.every, draft.offset = every or _NOTHING, offset or _NOTHING
    draft.function = _aggregate(arguments.get("fn"), scope)
    if draft.function not in SAME_AGGREGATES:
        exact = ", which is an estimate where a rollup's is exact" if draft.function == "median" else ""
        told = f"{draft.function}(){exact}" if draft.function else "a function of its own"
        draft.reasons.append(f"{place} computes {told}: no aggregate of a rollup gives the same")
    column = string_value(arguments["timeSrc"], scope) if "timeSrc" in arguments else "_stop"
    if column not in ("_stop", "_start"):
        draft.reasons.append(f"{place} takes the time of a row from another column than _start or _stop")
    draft.is_stamped_at_stop = column == "_stop"
    created = resolved(arguments.get("createEmpty"), scope)
    draft.creates_empty = created is None or created.get("name", created.get("value")) not in ("false", False)


def _set(stage: Stage, draft: _Draft) -> None:
    key, value = (string_value(stage.arguments.get(name), stage.scope) for name in ("key", "value"))
    if key != "_measurement" or not value:
        draft.reasons.append(f"the set() on line {stage.line} sets another column than _measurement")
    draft.target_measurement = value


def _yield(_stage: Stage, _draft: _Draft) -> None:
    """Says only how the answer is called."""


_READ: Mapping[str, Callable[[Stage, _Draft], None]] = {
    **dict.fromkeys(READERS, _from),
    **dict.fromkeys(WRITERS, _to),
    "range": _range,
    "filter": _filter,
    "aggregateWindow": _window,
    "set": _set,
    "yield": _yield,
}
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(READERS, "from"),
    **dict.fromkeys(WRITERS, "to"),
    **{name: name for name in _ORDER[1:5]},
}


def _aggregate(node: Node | None, scope: Scope) -> str:
    """Return the aggregate's name; also of ``(tables=<-, column) => tables |> mean()``; ``""`` for anything else."""
    found = resolved(node, scope)
    if found is None:
        return ""
    if found["type"] != "FunctionExpression":
        return function_path(found, scope)
    body = returned(found)
    piped = [
        key_of(item)
        for item in found.get("params") or []
        if (item.get("value") or {}).get("type") == "PipeLiteral"
    ]
    if body is None or body["type"] != "PipeExpression" or body["argument"].get("name") not in piped:
        return ""
    given = arguments_of(body["call"])
    is_plain = set(given) <= {"column"} and given.get("column", {}).get("name", "column") == "column"
    return function_path(body["call"]["callee"], scope) if is_plain else ""


def _before_now(node: Node | None, scope: Scope, task: TaskOption) -> Duration | None:
    """Return the duration of ``-1h`` or ``-task.every``."""
    found = resolved(node, scope)
    if found is None or found["type"] != "UnaryExpression" or found["operator"] != "-":
        return None
    return _duration(found["argument"], scope, task)


def _duration(node: Node | None, scope: Scope, task: TaskOption) -> Duration | None:
    if node is None:
        return None
    if _is_member(node, "task", "every"):
        return task.every
    found = resolved(node, scope)
    if found is None or found["type"] != "DurationLiteral":
        return None
    try:
        return Duration.parse(
            "".join(f"{p['magnitude']}{p['unit']}" for p in found["values"]), allow_zero=True
        )
    except InvalidDuration:
        return None


def _is_member(node: Node | None, owner: str, name: str) -> bool:
    if node is None or (node := unwrapped(node))["type"] != "MemberExpression":
        return False
    member = node["property"].get("name", node["property"].get("value"))
    return unwrapped(node["object"]).get("name") == owner and member == name


def _is_call(node: Node, function: str, scope: Scope) -> bool:
    found = unwrapped(node)
    return found["type"] == "CallExpression" and function_path(found["callee"], scope) == function
