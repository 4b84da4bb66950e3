"""Which results of a script are the rows that it writes, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.flux.columns import WRITERS
from airflow_provider_influx_rollup.flux.syntax import Stage, string_value

DEFAULT_RESULT = "_result"
_YIELDS = frozenset({"yield", "experimental.yield"})
# with these the rows in the target are not those that to() returns, or they are on another server
_ROWS_DIFFER = frozenset({"fieldFn", "measurementColumn", "timeColumn", "host"})
# what the server calls the result of a pipeline that ends with to()
_ENDS_WITH_TO = re.compile(r"to\d+")


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


def script_results(chains: Iterable[Sequence[Stage]], calls: Iterable[Stage]) -> ScriptResults:
    """Follow the rows of each pipeline from its writes to its results.

    :param chains: the pipelines of the script
    :param calls: all its calls: a write that no pipeline shows is not read back
    """
    written: set[str] = set()
    beside = {DEFAULT_RESULT}
    returned: dict[int, bool] = {}
    hides_ends = False
    for chain in chains:
        writes: list[Stage] = []
        for stage in chain:
            if stage.function in WRITERS:
                writes.append(stage)
                returned.setdefault(id(stage.call), _returns_its_rows(stage))
            elif stage.function in _YIELDS:
                name = _name(stage)
                if name is not None:
                    (written if writes and all(map(_returns_its_rows, writes)) else beside).add(name)
            else:
                returned |= {id(write.call): False for write in writes}
                writes = []
        hides_ends = hides_ends or any(_is_to(one) and not _returns_its_rows(one) for one in chain[-1:])
    unread = [call for call in calls if call.function in WRITERS and not returned.get(id(call.call), False)]
    return ScriptResults(
        beside=frozenset(beside - written),
        unread=tuple(dict.fromkeys(UnreadWrite(call.short_name, call.line) for call in unread)),
        hides_ends=hides_ends,
    )


def _returns_its_rows(write: Stage) -> bool:
    return _is_to(write) and not _ROWS_DIFFER & {*write.arguments}


def _is_to(write: Stage) -> bool:
    """Whether a write takes the columns ``_field`` and ``_value``."""
    return write.function in ("to", "influxdata/influxdb.to")


def _name(stage: Stage) -> str | None:
    """Name of a result; None when it is computed."""
    given = stage.arguments.get("name")
    return DEFAULT_RESULT if given is None else string_value(given, stage.scope)
