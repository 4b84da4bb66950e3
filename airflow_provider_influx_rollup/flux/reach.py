"""Where a bound of a range comes from: the window, now(), or a fixed time."""

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

# their answer depends on what the server remembers
_UNKNOWN_CALLS = frozenset({"influxdata/influxdb/tasks.lastSuccess"})
_CLOCK_CALLS = {"now": "now", "today": "now", "system.time": "unknown"}


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
    sources = set(_sources(found, scope, 0))
    for reach in _STRONGEST_FIRST:
        if reach in sources:
            return reach
    return "unknown"


_STRONGEST_FIRST: tuple[Reach, ...] = ("fixed", "unknown", "window", "now")


def _sources(node: Node | None, scope: Scope, depth: int) -> Iterator[Reach]:
    """Yield where each part of an expression comes from; parts without a time of their own yield nothing."""
    found = resolved(node, scope)
    if found is None or depth > 50:
        yield "unknown"
    elif found["type"] in _SIMPLE:
        yield from _SIMPLE[found["type"]]
    elif found["type"] == "MemberExpression":
        yield _member(found, scope, depth)
    elif found["type"] == "CallExpression":
        yield from _call(found, scope, depth)
    else:
        children = [found[key] for key in _CHILDREN.get(found["type"], ()) if found.get(key)]
        if not children:
            yield "unknown"
        for child in children:
            yield from _sources(child, scope, depth + 1)


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


def _member(node: Node, scope: Scope, depth: int) -> Reach:
    """Return the reach of ``v.x``, ``task.x`` or ``params.x``."""
    owner = unwrapped(node["object"])
    name = node["property"].get("name", node["property"].get("value"))
    if owner["type"] != "Identifier":
        return "unknown"
    if owner["name"] in ("v", "task") and owner["name"] not in scope.variables:
        return "window" if owner["name"] == "v" and name != "windowPeriod" else "now"
    record = scope.variables.get(owner["name"])
    if record is None or record["type"] != "ObjectExpression" or depth > 50:
        return "unknown"
    for item in record["properties"]:
        if item["key"].get("name", item["key"].get("value")) == name:
            return reach_of(item["value"], scope)
    return "unknown"


def _call(node: Node, scope: Scope, depth: int) -> Iterator[Reach]:
    """Yield the reaches of a call's arguments, or of the clock it reads."""
    function = function_path(node["callee"], scope)
    arguments = arguments_of(node)
    if function in _CLOCK_CALLS:
        yield "now" if _CLOCK_CALLS[function] == "now" else "unknown"
    elif function in _UNKNOWN_CALLS or function in scope.variables or not function:
        yield "unknown"
    elif function == "time" and string_value(arguments.get("v"), scope) is not None:
        yield "fixed"
    else:
        for argument in arguments.values():
            yield from _sources(argument, scope, depth + 1)
