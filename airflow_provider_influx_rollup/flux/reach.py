"""Origin of a range's bound: the window, now(), or a fixed time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    arguments_of,
    function_path,
    resolved,
    string_value,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Reach = Literal["window", "now", "fixed", "unknown"]
"""``window``: follows ``v``; ``now``: follows ``now()``, as durations do; ``fixed``: always the same time."""

# a time of so many parts is no time
_MOST_PARTS = 200

# their answer depends on what the server remembers
_UNKNOWN_CALLS = frozenset({"influxdata/influxdb/tasks.lastSuccess"})
_CLOCK_CALLS: dict[str, Reach] = {"now": "now", "today": "now", "system.time": "unknown"}


def reach_of(node: Node | None, scope: Scope) -> Reach:
    """Return where a time comes from, through variables, functions of time and ``params``.

    :param node: the expression of ``start`` or ``stop``
    :param scope: what its names mean
    """
    found = resolved(node, scope)
    if found is None:
        return "unknown"
    if found["type"] in ("IntegerLiteral", "UnsignedIntegerLiteral"):
        return "fixed"
    sources = set(_sources(found, scope, {}))
    for reach in _STRONGEST_FIRST:
        if reach in sources:
            return reach
    return "unknown"


_STRONGEST_FIRST: tuple[Reach, ...] = ("fixed", "unknown", "window", "now")


def _sources(node: Node | None, scope: Scope, seen: dict[int, Node]) -> Iterator[Reach]:
    """Yield where each part of an expression comes from; parts without a time of their own yield nothing.

    :param seen: the expressions whose parts have been looked at, by their identities
    """
    found = resolved(node, scope)
    if found is None or len(seen) > _MOST_PARTS:
        yield "unknown"
    elif id(found) not in seen:
        seen[id(found)] = found
        yield from _sources_of(found, scope, seen)


def _sources_of(found: Node, scope: Scope, seen: dict[int, Node]) -> Iterator[Reach]:
    """Yield the sources of an expression that has not been looked at."""
    if found["type"] in _SIMPLE:
        yield from _SIMPLE[found["type"]]
    elif found["type"] == "MemberExpression":
        yield _member(found, scope)
    elif found["type"] == "CallExpression":
        yield from _call(found, scope, seen)
    else:
        children = [found[key] for key in _CHILDREN.get(found["type"], ()) if found.get(key)]
        if not children:
            yield "unknown"
        for child in children:
            yield from _sources(child, scope, seen)


_SIMPLE: dict[str, tuple[Reach, ...]] = {
    "DateTimeLiteral": ("fixed",),
    "DurationLiteral": ("now",),
    "IntegerLiteral": (),
    "StringLiteral": (),
    "BooleanLiteral": (),
    "Identifier": ("unknown",),
}

_CHILDREN = {
    "BinaryExpression": ("left", "right"),
    "UnaryExpression": ("argument",),
    "ConditionalExpression": ("consequent", "alternate"),
}


def _member(node: Node, scope: Scope) -> Reach:
    """Return the reach of ``v.x`` or ``task.x``; members of known records are resolved before."""
    owner = unwrapped(node["object"])
    name = node["property"].get("name", node["property"].get("value"))
    if owner["type"] != "Identifier" or owner["name"] in scope.variables:
        return "unknown"
    if owner["name"] == "v":
        return "now" if name == "windowPeriod" else "window"
    return "now" if owner["name"] == "task" else "unknown"


def _call(node: Node, scope: Scope, seen: dict[int, Node]) -> Iterator[Reach]:
    """Yield the reaches of a call's arguments, or of the clock it reads."""
    function = function_path(node["callee"], scope)
    arguments = arguments_of(node)
    if function in _CLOCK_CALLS:
        yield _CLOCK_CALLS[function]
    elif function in _UNKNOWN_CALLS or function in scope.variables or not function:
        yield "unknown"
    elif function == "time" and string_value(arguments.get("v"), scope) is not None:
        yield "fixed"
    else:
        for argument in arguments.values():
            yield from _sources(argument, scope, seen)
