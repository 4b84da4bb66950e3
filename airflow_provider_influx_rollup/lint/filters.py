"""What the filters of a pipeline compare."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_influx_rollup.flux.syntax import Node, Stage, resolved, returned, unwrapped
from airflow_provider_influx_rollup.lint.script import Chain


def leading_filters(chain: Chain) -> list[Stage]:
    """The filters right after the range of a read."""
    found = []
    for stage in chain[1:]:
        if stage.function == "filter":
            found.append(stage)
        elif stage.function != "range":
            break
    return found


def predicate(stage: Stage) -> Node | None:
    """Return the condition of a filter; None when it is no function of the script."""
    function = resolved(stage.arguments.get("fn"), stage.scope)
    if function is None or function["type"] != "FunctionExpression":
        return None
    return returned(function)


def conjuncts(node: Node) -> Iterator[Node]:
    """The parts that ``and`` joins."""
    node = unwrapped(node)
    if node["type"] == "LogicalExpression" and node["operator"] == "and":
        yield from conjuncts(node["left"])
        yield from conjuncts(node["right"])
    else:
        yield node


def column_of(node: Node) -> str | None:
    """The column of ``r.column``, for a name that functions of filters usually have."""
    node = unwrapped(node)
    if node["type"] != "MemberExpression" or node["object"].get("name") != "r":
        return None
    return str(node["property"].get("name", node["property"].get("value")))


def measurements_asked(chain: Chain) -> frozenset[str] | None:
    """Return the measurements that the filters right after a read let pass; None when it is not known."""
    for stage in leading_filters(chain):
        condition = predicate(stage)
        for part in conjuncts(condition) if condition is not None else ():
            names = _measurements(part)
            if names is not None:
                return frozenset(names)
    return None


def _measurements(node: Node) -> list[str] | None:
    """The names that a condition compares ``_measurement`` with, joined by ``or``."""
    node = unwrapped(node)
    if node["type"] == "LogicalExpression" and node["operator"] == "or":
        left, right = _measurements(node["left"]), _measurements(node["right"])
        return None if left is None or right is None else left + right
    if (
        node["type"] != "BinaryExpression"
        or node["operator"] != "=="
        or column_of(node["left"]) != "_measurement"
    ):
        return None
    compared = unwrapped(node["right"])
    return [str(compared["value"])] if compared["type"] == "StringLiteral" else None
