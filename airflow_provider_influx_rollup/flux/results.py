"""Which results of a script are the rows that it writes, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.flux.columns import WRITERS
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    identifiers_used,
    pipelines,
    resolved,
    stages,
    string_value,
    unwrapped,
)

DEFAULT_RESULT = "_result"
_YIELDS = frozenset({"yield", "experimental.yield"})
# with these the rows in the target are not those that to() returns, or they are on another server
_ROWS_DIFFER = frozenset({"fieldFn", "measurementColumn", "timeColumn", "host"})
# what the server calls the result of a pipeline that ends with a write
_LONG, _WIDE = "to", "wide-to"
_ENDS_WITH_WRITE = re.compile(rf"({_LONG}|{_WIDE})\d+")
_WRITES_WIDE = frozenset({"influxdata/influxdb.wideTo", "experimental.to"})
# of unions in unions; a variable may name itself
_MAX_UNIONS = 5


@dataclass(frozen=True, slots=True)
class UnreadWrite:
    """A write whose rows the script does not return as they are in the target.

    :param function: the name of the function
    :param line: line number in the script
    """

    function: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResults:
    """Results of a script, by their names.

    :param beside: names of results that are not the rows of a write
    :param wide: names of results that are the rows of ``wideTo()``: each column is a tag or a field
    :param unread: the writes of which no result has the rows
    :param hidden_ends: what the server calls the results of pipelines that end with a write, where one of them is not read
        back and has such a name too
    """

    beside: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    unread: tuple[UnreadWrite, ...] = ()
    hidden_ends: frozenset[str] = frozenset()

    def is_written(self, name: str) -> bool:
        """Whether the rows of a result are those of a write; one that the text does not name plainly counts as such.

        :param name: of the result, as the server returns it
        """
        end = _ENDS_WITH_WRITE.fullmatch(name)
        return name not in self.beside and (end is None or end[1] not in self.hidden_ends)

    def is_wide(self, name: str) -> bool:
        """Whether the rows of a result that is written have a column for each field.

        :param name: of the result, as the server returns it
        """
        end = _ENDS_WITH_WRITE.fullmatch(name)
        return name in self.wide or (end is not None and end[1] == _WIDE)


def script_results(body: Sequence[Node], scope: Scope, calls: Iterable[Stage]) -> ScriptResults:
    """Follow the rows of each pipeline from its writes to its results.

    :param body: the statements of the script
    :param scope: what names mean at its top
    :param calls: all its calls: a write that no pipeline shows is not read back
    """
    followed = _Followed()
    for chain in _chains(body, scope):
        followed.follow(chain)
    followed.note_unnamed()
    writes = [call for call in calls if call.function in WRITERS]
    strays = [write for write in writes if id(write.call) not in followed.writes]
    ends = [write for write in followed.ends if id(write.call) not in followed.taken]
    hidden_ends = {_end_of(write) for write in (*ends, *strays) if not _returns_its_rows(write)}
    hidden = {id(write.call) for write in ends if _end_of(write) in hidden_ends} - followed.shown
    read = followed.returned - (followed.changed - followed.named) - hidden
    return ScriptResults(
        beside=frozenset(followed.beside - followed.written),
        wide=frozenset(followed.wide),
        unread=tuple(
            dict.fromkeys(
                UnreadWrite(write.short_name, write.line) for write in writes if id(write.call) not in read
            )
        ),
        hidden_ends=frozenset(hidden_ends),
    )


def _chains(body: Sequence[Node], scope: Scope) -> list[list[Stage]]:
    """The pipelines that the server runs: expressions, and what is assigned as far as it writes or has a name.

    What is assigned beyond that is a result only as a part of an expression, which shows it.
    """
    expressions = [unwrapped(one["expression"]) for one in body if one["type"] == "ExpressionStatement"]
    results = [stages(node, scope) for node in expressions]
    if not all(results):
        # what decides between tables, such as an if, may return any of them
        return [stages(node, scope) for node in pipelines(list(body))]
    assigned = [one for one in body if one["type"] != "ExpressionStatement"]
    return results + [_until_seen(stages(node, scope)) for node in pipelines(assigned)]


def _until_seen(chain: Sequence[Stage]) -> list[Stage]:
    """A pipeline up to its last write or name."""
    seen = [place for place, stage in enumerate(chain, 1) if stage.function in WRITERS | _YIELDS]
    return [*chain[: max(seen, default=0)]]


@dataclass(slots=True, kw_only=True)
class _Followed:
    """What the pipelines show; calls by their identities.

    :param written: names of results that are the rows of writes
    :param beside: names of results that are not
    :param wide: names of results that are the rows of ``wideTo()``
    :param unnamed: the last calls of pipelines without a name, and the writes whose rows they return
    :param writes: all writes that pipelines show
    :param ends: the writes that end a pipeline
    :param returned: writes whose rows may be a result
    :param changed: writes whose rows another call has made others of
    :param shown: writes whose rows are a part of a result with a name
    :param named: writes whose rows are a result with a name, as they are
    :param taken: the last calls of pipelines that are an argument of another call, so that they are no result
    :param inputs: arguments that have been followed
    """

    written: set[str] = field(default_factory=set)
    beside: set[str] = field(default_factory=set)
    wide: set[str] = field(default_factory=set)
    unnamed: list[tuple[Stage, list[Stage]]] = field(default_factory=list)
    writes: set[int] = field(default_factory=set)
    ends: list[Stage] = field(default_factory=list)
    returned: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    shown: set[int] = field(default_factory=set)
    named: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    inputs: set[tuple[int, int]] = field(default_factory=set)

    def follow(self, chain: Sequence[Stage]) -> None:
        """Follow one pipeline whose rows are a result."""
        writes = self._follow(chain)
        if chain and chain[-1].function in WRITERS:
            self.ends.append(chain[-1])
        elif chain and chain[-1].function not in _YIELDS:
            self.unnamed.append((chain[-1], writes))

    def note_unnamed(self) -> None:
        """Note the results without a name, when all pipelines have shown what is none."""
        for end, writes in self.unnamed:
            if id(end.call) not in self.taken:
                self._note(DEFAULT_RESULT, writes)

    def _follow(self, chain: Sequence[Stage]) -> list[Stage]:
        """Return the writes whose rows a pipeline ends with."""
        writes: list[Stage] = []
        for stage in chain:
            if stage.function in WRITERS:
                # what has a column for each field is no result of the other form
                self.changed |= {id(one.call) for one in writes if _is_wide(one) != _is_wide(stage)}
                writes = [*(one for one in writes if _is_wide(one) == _is_wide(stage)), stage]
                self.writes.add(id(stage.call))
                self.returned |= {id(stage.call)} if _returns_its_rows(stage) else set()
            elif stage.function in _YIELDS:
                self._show(stage, writes, is_plain=stage is not chain[0])
            else:
                writes = self._pass_on(stage, writes)
        return writes

    def _show(self, stage: Stage, writes: Sequence[Stage], *, is_plain: bool) -> None:
        """Note a result with a name; where the text does not show what it is made of, it counts as written."""
        name = _name(stage)
        self.shown |= {id(write.call) for write in writes}
        if name is not None and is_plain:
            self._note(name, writes)
        elif any(map(_is_wide, writes)):
            # nobody can tell what its columns are
            self.changed |= {id(write.call) for write in writes}

    def _note(self, name: str, writes: Sequence[Stage]) -> None:
        is_written = bool(writes) and _is_of_one_form(writes) and all(map(_returns_its_rows, writes))
        (self.written if is_written else self.beside).add(name)
        if is_written:
            self.named |= {id(write.call) for write in writes}
            self.wide |= {name} if _is_wide(writes[0]) else set()
        else:
            self.changed |= {id(write.call) for write in writes}

    def _pass_on(self, stage: Stage, writes: Sequence[Stage]) -> list[Stage]:
        """Return the writes whose rows a call returns unchanged."""
        united = _united(stage)
        inputs = [chain for chain in _inputs(stage) if chain]
        self.taken |= {id(chain[-1].call) for chain in inputs}
        before = [*writes, *(write for chain in inputs for write in self._taken(chain))]
        kept = {id(write.call) for write in united}
        self.returned |= kept
        self.changed |= {id(write.call) for write in before} - kept
        return united

    def _taken(self, chain: Sequence[Stage]) -> list[Stage]:
        """Follow a pipeline that is an argument, once."""
        place = id(chain[-1].call), id(chain[-1].caller)
        if place in self.inputs:
            return _carried(chain)
        self.inputs.add(place)
        return self._follow(chain)


def _inputs(stage: Stage) -> list[list[Stage]]:
    """The pipelines that a call takes as arguments, also by the names of variables."""
    found: list[list[Stage]] = []
    for argument in stage.arguments.values():
        node = resolved(argument, stage.scope)
        variables = (stage.scope.variables.get(name) for name in identifiers_used(node))
        nodes = [*pipelines(node), *(value for value in variables if value is not None)]
        found += [stages(one, stage.scope) for one in nodes]
    return found


def _carried(chain: Sequence[Stage], depth: int = 0) -> list[Stage]:
    """The writes whose rows a pipeline ends with."""
    writes: list[Stage] = []
    for stage in chain:
        if stage.function in WRITERS:
            writes.append(stage)
        elif stage.function not in _YIELDS:
            writes = _united(stage, depth + 1)
    return writes


def _united(stage: Stage, depth: int = 0) -> list[Stage]:
    """The writes whose rows ``union()`` returns; none when one of its tables is not written, or as others."""
    tables = resolved(stage.arguments.get("tables"), stage.scope) if stage.function == "union" else None
    if tables is None or tables["type"] != "ArrayExpression" or depth > _MAX_UNIONS:
        return []
    parts = [_carried(stages(one, stage.scope), depth) for one in tables.get("elements") or []]
    writes = [write for part in parts for write in part]
    is_written = all(parts) and _is_of_one_form(writes) and all(map(_returns_its_rows, writes))
    return writes if is_written else []


def _returns_its_rows(write: Stage) -> bool:
    return not _ROWS_DIFFER & {*write.arguments}


def _is_wide(write: Stage) -> bool:
    """Whether a write takes a column for each field, and not ``_field`` and ``_value``."""
    return write.function in _WRITES_WIDE


def _is_of_one_form(writes: Iterable[Stage]) -> bool:
    return len({_is_wide(write) for write in writes}) < 2


def _end_of(write: Stage) -> str:
    """What the server calls the result of a pipeline that ends with a write, without its number."""
    return _WIDE if _is_wide(write) else _LONG


def _name(stage: Stage) -> str | None:
    """Name of a result; None when it is computed."""
    given = stage.arguments.get("name")
    return DEFAULT_RESULT if given is None else string_value(given, stage.scope)
