"""Find the columns that a write needs and an earlier stage of its pipeline drops."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Stage,
    key_of,
    resolved,
    returned,
    string_list,
    string_value,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

WRITERS = frozenset({"to", "influxdata/influxdb.to", "influxdata/influxdb.wideTo", "experimental.to"})
READERS = frozenset({"from", "influxdata/influxdb.from"})

_PLAIN_PATTERN = re.compile(r"\^?[\w.*+|()]*\$?")
_ALL = ("_measurement", "_field", "_time", "_value")
_GROUP_KEY = frozenset({"_measurement", "_field"})

_AGGREGATES = frozenset({"count", "sum", "mean", "stddev", "spread", "integral", "skew", "mode"})
_KEEPS_ALL = frozenset(
    """range filter window sort limit tail yield fill first last min max top bottom unique timeShift difference
    derivative nonNegativeDifference elapsed cumulativeSum truncateTimeColumn increase movingAverage
    toFloat toInt toString toUInt toBool toTime experimental.window""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class LostColumns:
    """Columns that one stage drops and a later write needs."""

    dropper: Stage
    columns: tuple[str, ...]
    writer: Stage

    @property
    def message(self) -> str:
        """Message of an error, with both lines."""
        return (
            f"{self.dropper.short_name}() on line {self.dropper.line} dropped {' and '.join(self.columns)}, "
            f"which {self.writer.short_name}() on line {self.writer.line} needs"
        )

    @property
    def fix(self) -> str:
        """Fix of an error."""
        columns = " and ".join(self.columns)
        quoted = " and ".join(f'"{column}"' for column in self.columns)
        return {
            "keep": f"add {quoted} to the columns of keep(), or remove keep()",
            "drop": f"take {quoted} out of the columns of drop()",
            "map": f"begin the record with 'r with', or add {columns} to it",
        }.get(
            self.dropper.short_name,
            f"set {columns} again before {self.writer.short_name}(), or group by what is needed",
        )


@dataclass(slots=True)
class _Flow:
    """The columns known at one place of a Flux pipeline.

    :param lost: column -> the stage that dropped it
    :param group: the columns of the group key among those a write needs; None when unknown
    """

    lost: dict[str, Stage] = field(default_factory=dict)
    group: frozenset[str] | None = _GROUP_KEY

    def lose(self, columns: Iterable[str], stage: Stage) -> None:
        for column in columns:
            self.lost.setdefault(column, stage)

    def regain(self, columns: Iterable[str]) -> None:
        for column in columns:
            self.lost.pop(column, None)

    def forget(self) -> None:
        """Assume nothing: an unknown function may add any column."""
        self.lost.clear()
        self.group = None


def lost_columns(pipeline: Sequence[Stage]) -> list[LostColumns]:
    """Return what the writes of one pipeline will miss.

    Only what is certain is reported: stages that may add any column end the search.

    :param pipeline: its stages in order
    """
    if not pipeline or pipeline[0].function not in READERS:
        return []
    flow, found = _Flow(), []
    for stage in pipeline[1:]:
        if stage.function in WRITERS:
            found.extend(_missing(flow, stage))
        else:
            _apply(stage, flow)
    return found


def _missing(flow: _Flow, writer: Stage) -> list[LostColumns]:
    """Return what a write misses, one entry for each stage that dropped something."""
    needed = _needed(writer)
    droppers = dict.fromkeys(id(flow.lost[column]) for column in needed if column in flow.lost)
    by_id = {id(stage): stage for stage in flow.lost.values()}
    return [
        LostColumns(by_id[key], tuple(c for c in needed if id(flow.lost.get(c)) == key), writer)
        for key in droppers
    ]


def _needed(writer: Stage) -> tuple[str, ...]:
    """Return the columns a write needs."""
    renamed = {"_measurement": "measurementColumn", "_time": "timeColumn"}
    wide = (
        writer.short_name == "wideTo" or writer.function == "experimental.to" or "fieldFn" in writer.arguments
    )
    columns = _ALL if not wide else ("_measurement", "_time")
    return tuple(column for column in columns if renamed.get(column) not in writer.arguments)


def _apply(stage: Stage, flow: _Flow) -> None:
    """Follow one stage."""
    if stage.function in _KEEPS_ALL:
        return
    if stage.function in _AGGREGATES:
        _aggregate(stage, flow, keeps=("_value",))
        return
    effect = _EFFECTS.get(stage.function)
    if effect is None:
        flow.forget()
    else:
        effect(stage, flow)


def _aggregate(stage: Stage, flow: _Flow, keeps: Iterable[str]) -> None:
    """Return an aggregate keeps the group key and its result."""
    if flow.group is None:
        flow.forget()
    else:
        flow.lose((c for c in _ALL if c not in flow.group and c not in keeps), stage)


def _aggregate_window(stage: Stage, flow: _Flow) -> None:
    function = resolved(stage.arguments.get("fn"), stage.scope)
    is_aggregate = function is not None and function.get("name") in _AGGREGATES
    if is_aggregate and flow.group is not None:
        _aggregate(stage, flow, keeps=("_time", "_value"))


def _chosen(stage: Stage) -> list[str] | None:
    """The columns that keep() or drop() is about, as far as a write needs them; None when that is not plain."""
    columns = string_list(stage.arguments.get("columns"), stage.scope)
    if columns is not None:
        return columns
    function = resolved(stage.arguments.get("fn"), stage.scope)
    predicate = (
        returned(function) if function is not None and function["type"] == "FunctionExpression" else None
    )
    if predicate is None:
        return None
    answers = {column: _holds_for(unwrapped(predicate), column) for column in _ALL}
    return None if None in answers.values() else [column for column in _ALL if answers[column]]


def _holds_for(predicate: Node, column: str) -> bool | None:
    """Whether ``column == "x"`` or ``column =~ /x/`` is true of a column; None when it is something else."""
    literal = unwrapped(predicate["right"]) if predicate["type"] == "BinaryExpression" else None
    if literal is None or predicate["left"].get("name") != "column":
        return None
    if predicate["operator"] == "==" and literal["type"] == "StringLiteral":
        return bool(literal["value"] == column)
    if predicate["operator"] == "=~" and literal["type"] == "RegexpLiteral":
        return _matches(literal["value"], column)
    return None


def _matches(pattern: str, column: str) -> bool | None:
    """Whether a plain pattern is found in a column; None for what the server may read in another way."""
    return None if not _PLAIN_PATTERN.fullmatch(pattern) else re.search(pattern, column) is not None


def _keep(stage: Stage, flow: _Flow) -> None:
    columns = _chosen(stage)
    if columns is not None:
        flow.lose((c for c in _ALL if c not in columns), stage)
        flow.group = None if flow.group is None else flow.group & set(columns)


def _drop(stage: Stage, flow: _Flow) -> None:
    columns = _chosen(stage)
    if columns is not None:
        flow.lose((c for c in _ALL if c in columns), stage)
        flow.group = None if flow.group is None else flow.group - set(columns)


def _group(stage: Stage, flow: _Flow) -> None:
    mode = stage.arguments.get("mode")
    columns = string_list(stage.arguments.get("columns"), stage.scope)
    is_by = mode is None or string_value(mode, stage.scope) == "by"
    is_literal = columns is not None or "columns" not in stage.arguments
    flow.group = frozenset(columns or ()) if is_by and is_literal else None


def mapped_record(stage: Stage) -> Node | None:
    """The record that the function of a ``map()`` returns; None when it is no literal."""
    function = resolved(stage.arguments.get("fn"), stage.scope)
    body = returned(function) if function is not None and function["type"] == "FunctionExpression" else None
    record = unwrapped(body) if body is not None else None
    return None if record is None or record["type"] != "ObjectExpression" else record


def _map(stage: Stage, flow: _Flow) -> None:
    record = mapped_record(stage)
    if record is None:
        flow.forget()
        return
    keys = {key_of(item) for item in record.get("properties") or []}
    flow.regain(keys)
    if not record.get("with"):
        flow.lose((c for c in _ALL if c not in keys), stage)


def _set(stage: Stage, flow: _Flow) -> None:
    _regain_or_forget(string_value(stage.arguments.get("key"), stage.scope), flow)


def _duplicate(stage: Stage, flow: _Flow) -> None:
    _regain_or_forget(string_value(stage.arguments.get("as"), stage.scope), flow)


def _regain_or_forget(column: str | None, flow: _Flow) -> None:
    if column is None:
        flow.forget()
    else:
        flow.regain([column])


def _rename(stage: Stage, flow: _Flow) -> None:
    record = resolved(stage.arguments.get("columns"), stage.scope)
    if record is None or record["type"] != "ObjectExpression":
        flow.forget()
        return
    pairs = {key_of(p): string_value(p["value"], stage.scope) for p in record.get("properties") or []}
    flow.lose((c for c in _ALL if c in pairs), stage)
    flow.regain(name for name in pairs.values() if name is not None)
    flow.group = None


def _pivot(stage: Stage, flow: _Flow) -> None:
    keys = string_list(stage.arguments.get("columnKey"), stage.scope)
    value = string_value(stage.arguments.get("valueColumn"), stage.scope)
    if keys is None or value is None:
        flow.forget()
        return
    flow.lose((c for c in _ALL if c in (*keys, value)), stage)
    flow.group = None if flow.group is None else flow.group - set(keys)


def _fields_as_columns(stage: Stage, flow: _Flow) -> None:
    flow.lose(("_field", "_value"), stage)
    flow.group = None if flow.group is None else flow.group - {"_field"}


def _reduce(stage: Stage, flow: _Flow) -> None:
    identity: Node | None = resolved(stage.arguments.get("identity"), stage.scope)
    if identity is None or identity["type"] != "ObjectExpression":
        flow.forget()
        return
    keys = [key_of(item) for item in identity.get("properties") or []]
    flow.regain(keys)
    _aggregate(stage, flow, keeps=keys)


_EFFECTS: dict[str, Callable[[Stage, _Flow], None]] = {
    "keep": _keep,
    "drop": _drop,
    "group": _group,
    "map": _map,
    "set": _set,
    "duplicate": _duplicate,
    "rename": _rename,
    "pivot": _pivot,
    "influxdata/influxdb/schema.fieldsAsCols": _fields_as_columns,
    "reduce": _reduce,
    "aggregateWindow": _aggregate_window,
}
