"""Read the predicate of a filter that compares columns with texts: ``r.host == "a" or r.host == "b"``."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    key_of,
    resolved,
    returned,
    string_value,
    unwrapped,
)

Equalities = Mapping[str, tuple[str, ...]]


def equalities_of(function: Node | None, scope: Scope) -> Equalities | None:
    """Return the texts that each column may have; None when the predicate says anything else.

    :param function: the ``fn`` of a filter
    """
    found = _condition(function, scope)
    return None if found is None else _predicate(*found, scope)


def texts_allowed(column: str, function: Node | None, scope: Scope) -> frozenset[str] | None:
    """Return the texts that a column may have where a predicate holds; None when it leaves that open.

    :param function: the ``fn`` of a filter
    """
    found = _condition(function, scope)
    return None if found is None else _allowed(column, *found, scope)


def _allowed(column: str, node: Node, row: str, scope: Scope) -> frozenset[str] | None:
    node = unwrapped(node)
    if node["type"] == "BinaryExpression" and node["operator"] == "==":
        for one, other in (("left", "right"), ("right", "left")):
            text = string_value(node[other], scope)
            if _column(node[one], row) == column and text is not None:
                return frozenset({text})
    if node["type"] != "LogicalExpression":
        return None
    sides = [_allowed(column, node[side], row, scope) for side in ("left", "right")]
    known = [side for side in sides if side is not None]
    if node["operator"] == "and":
        return frozenset.intersection(*known) if known else None
    return frozenset.union(*known) if len(known) == len(sides) else None


def _condition(function: Node | None, scope: Scope) -> tuple[Node, str] | None:
    """What a predicate returns, and the name that it gives to the row."""
    found = resolved(function, scope)
    if found is None or found["type"] != "FunctionExpression":
        return None
    body = returned(found)
    names = [key_of(item) for item in found.get("params") or []]
    if body is None or len(names) != 1 or len(found["body"].get("body", ())) > 1:
        return None
    return body, names[0]


def _predicate(node: Node, row: str, scope: Scope) -> Equalities | None:
    node = unwrapped(node)
    if node["type"] == "BinaryExpression" and node["operator"] == "==":
        column, text = _column(node["left"], row), string_value(node["right"], scope)
        return None if column is None or text is None else {column: (text,)}
    if node["type"] != "LogicalExpression":
        return None
    left, right = _predicate(node["left"], row, scope), _predicate(node["right"], row, scope)
    if left is None or right is None:
        return None
    return _both(left, right) if node["operator"] == "and" else _either(left, right)


def _both(left: Equalities, right: Equalities) -> Equalities:
    kept = {name: tuple(one for one in left[name] if one in right[name]) for name in left if name in right}
    return {**left, **right, **kept}


def _either(left: Equalities, right: Equalities) -> Equalities | None:
    """Two predicates of one and the same column; of others it would be no product of choices."""
    if len(left) != 1 or set(left) != set(right):
        return None
    ((name, texts),) = left.items()
    return {name: tuple(dict.fromkeys((*texts, *right[name])))}


def _column(node: Node, row: str) -> str | None:
    """The column of ``r.column`` or ``r["column"]``."""
    node = unwrapped(node)
    if node["type"] != "MemberExpression" or unwrapped(node["object"]).get("name") != row:
        return None
    name = node["property"].get("name", node["property"].get("value"))
    return str(name) if name is not None else None
