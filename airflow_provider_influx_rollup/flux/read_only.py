"""Make a script that writes into one that returns what it would write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    arguments_of,
    function_path,
    script_body,
    script_scope,
    walk,
)

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.flux.script import ScriptFacts

#: of the yields that stand where the script writes
WRITTEN = "_rollup_written_"
_MONITOR = "influxdata/influxdb/monitor"
_WRITERS = frozenset({"to", "influxdata/influxdb.to"})
# what writes may be called, wherever it comes from
_WRITING_NAMES = frozenset({"to", "wideTo", "check", "notify", "stateChanges"})


def why_not_read_only(package: Node, facts: ScriptFacts) -> str:
    """Reason why a script cannot be run without a write; empty when it can."""
    calls, in_functions = _writes(package)
    imports = script_scope(package).imports.values()
    more = sorted({name for call in calls for name in arguments_of(call)} - {"bucket", "org"})
    named = [node.get("name") for node in walk(script_body(package)) if node["type"] == "Identifier"]
    against = {
        "it imports a package that may act outside of InfluxDB": bool(facts.outside_imports),
        "it imports influxdata/influxdb/monitor, which writes statuses": _MONITOR in imports,
        "it writes inside of a function of its own": in_functions,
        "it writes nothing with to()": not calls,
        f"its to() sets {', '.join(more)}": bool(more),
        "it uses the name of a function that writes for something else": (
            sum(name in _WRITING_NAMES for name in named) != len(calls)
        ),
    }
    return next((reason for reason, is_so in against.items() if is_so), "")


def read_only(script: str, package: Node) -> str:
    """Return the script with a ``yield()`` in place of each ``to()``.

    :param package: its syntax tree; see ``why_not_read_only``
    """
    calls, _ = _writes(package)
    lines = [line.encode() for line in script.split("\n")]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    text = script.encode()
    for number, call in reversed(list(enumerate(calls))):
        begin, end = (_offset(starts, call["location"][side]) for side in ("start", "end"))
        text = text[:begin] + f'yield(name: "{WRITTEN}{number}")'.encode() + text[end:]
    return text.decode()


def _offset(starts: Sequence[int], place: Mapping[str, int]) -> int:
    """The byte of a place; the server counts bytes of a line, from 1."""
    return starts[place["line"] - 1] + place["column"] - 1


def _writes(package: Node) -> tuple[list[Node], bool]:
    """Calls of to() in the order of the text, and whether there are others inside of functions."""
    scope, body = script_scope(package), script_body(package)
    shown = [node for node in _outside_of_functions(body) if _is_call(node)]
    calls = [call for call in shown if function_path(call["callee"], scope) in _WRITERS]
    inside = [
        node for node in walk(body) if _is_call(node) and function_path(node["callee"], scope) in _WRITERS
    ]
    calls.sort(key=lambda call: (call["location"]["start"]["line"], call["location"]["start"]["column"]))
    return calls, len(inside) > len(calls)


def _is_call(node: Node) -> bool:
    return bool(node["type"] == "CallExpression")


def _outside_of_functions(node: object) -> Iterator[Node]:
    if isinstance(node, Mapping):
        if node.get("type") == "FunctionExpression":
            return
        if "type" in node:
            yield node
        for key, child in node.items():
            if key not in ("location", "comments"):
                yield from _outside_of_functions(child)
    elif isinstance(node, list):
        for child in node:
            yield from _outside_of_functions(child)
