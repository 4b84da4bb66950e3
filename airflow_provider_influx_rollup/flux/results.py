"""Which results of a script are the rows that it writes, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.flux.columns import WRITERS
from airflow_provider_influx_rollup.flux.syntax import (
    Stage,
    identifiers_used,
    pipelines,
    resolved,
    stages,
    string_value,
)

DEFAULT_RESULT = "_result"
_YIELDS = frozenset({"yield", "experimental.yield"})
# with these the rows in the target are not those that to() returns, or they are on another server
_ROWS_DIFFER = frozenset({"fieldFn", "measurementColumn", "timeColumn", "host"})
# what the server calls the result of a pipeline that ends with to()
_ENDS_WITH_TO = re.compile(r"to\d+")
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
    :param unread: the writes of which no result has the rows
    :param hides_ends: whether one of them ends its pipeline, so that its result is named like that of any other ``to()``
    """

    beside: frozenset[str] = frozenset()
    unread: tuple[UnreadWrite, ...] = ()
    hides_ends: bool = False

    def is_written(self, name: str) -> bool:
        """Whether the rows of a result are those of a write; one that the text does not name plainly counts as such.

        :param name: of the result, as the server returns it
        """
        if self.hides_ends and _ENDS_WITH_TO.fullmatch(name):
            return False
        return name not in self.beside


def script_results(chains: Sequence[Sequence[Stage]], calls: Iterable[Stage]) -> ScriptResults:
    """Follow the rows of each pipeline from its writes to its results.

    :param chains: the pipelines of the script
    :param calls: all its calls: a write that no pipeline shows is not read back
    """
    followed = _Followed()
    for chain in chains:
        followed.follow(chain)
    ends = [chain[-1] for chain in chains if chain and id(chain[-1].call) not in followed.taken]
    hides_ends = any(_is_to(end) and not _returns_its_rows(end) for end in ends)
    hidden = {id(end.call) for end in ends if hides_ends} - followed.shown
    read = followed.returned - followed.changed - hidden
    unread = [call for call in calls if call.function in WRITERS and id(call.call) not in read]
    for end, is_written in followed.unnamed:
        if id(end.call) not in followed.taken:
            (followed.written if is_written else followed.beside).add(DEFAULT_RESULT)
    return ScriptResults(
        beside=frozenset(followed.beside - followed.written),
        unread=tuple(dict.fromkeys(UnreadWrite(call.short_name, call.line) for call in unread)),
        hides_ends=hides_ends,
    )


@dataclass(slots=True, kw_only=True)
class _Followed:
    """What the pipelines show; calls by their identities.

    :param written: names of results that are the rows of writes
    :param beside: names of results that are not
    :param unnamed: the last calls of pipelines without a name, and whether their rows are those of writes
    :param returned: writes whose rows may be a result
    :param changed: writes whose rows another call has made others of
    :param shown: writes whose rows are a result with a name
    :param taken: the last calls of pipelines that are an argument of another call, so that they are no result
    """

    written: set[str] = field(default_factory=set)
    beside: set[str] = field(default_factory=set)
    unnamed: list[tuple[Stage, bool]] = field(default_factory=list)
    returned: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    shown: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)

    def follow(self, chain: Sequence[Stage]) -> None:
        """Follow one pipeline."""
        writes: list[Stage] = []
        for stage in chain:
            if stage.function in WRITERS:
                writes.append(stage)
                self.returned |= {id(stage.call)} if _returns_its_rows(stage) else set()
            elif stage.function in _YIELDS:
                self._show(stage, writes, is_plain=stage is not chain[0])
            else:
                writes = self._pass_on(stage, writes)
        if chain and chain[-1].function not in WRITERS | _YIELDS:
            self.unnamed.append((chain[-1], bool(writes)))

    def _show(self, stage: Stage, writes: Sequence[Stage], *, is_plain: bool) -> None:
        """Note a result; where the text does not show what it is made of, it counts as written."""
        name = _name(stage)
        is_written = bool(writes) and all(map(_returns_its_rows, writes))
        self.shown |= {id(write.call) for write in writes}
        if name is not None and is_plain:
            (self.written if is_written else self.beside).add(name)

    def _pass_on(self, stage: Stage, writes: Sequence[Stage]) -> list[Stage]:
        """Return the writes whose rows a call returns unchanged."""
        united = _united(stage)
        inputs = [chain for chain in _inputs(stage) if chain]
        self.taken |= {id(chain[-1].call) for chain in inputs}
        before = [*writes, *(write for chain in inputs for write in _carried(chain))]
        kept = {id(write.call) for write in united}
        self.returned |= kept
        self.changed |= {id(write.call) for write in before} - kept
        return united


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
    return writes if all(parts) and all(map(_returns_its_rows, writes)) else []


def _returns_its_rows(write: Stage) -> bool:
    return _is_to(write) and not _ROWS_DIFFER & {*write.arguments}


def _is_to(write: Stage) -> bool:
    """Whether a write takes the columns ``_field`` and ``_value``."""
    return write.function in ("to", "influxdata/influxdb.to")


def _name(stage: Stage) -> str | None:
    """Name of a result; None when it is computed."""
    given = stage.arguments.get("name")
    return DEFAULT_RESULT if given is None else string_value(given, stage.scope)
