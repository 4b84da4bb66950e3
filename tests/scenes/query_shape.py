"""The shape of a query: its syntax tree without what its literals say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_SHAPE = ("location", "comments", "eof", "base", "metadata", "parser", "errors")
LITERALS = (
    "StringLiteral",
    "IntegerLiteral",
    "FloatLiteral",
    "BooleanLiteral",
    "DateTimeLiteral",
    "DurationLiteral",
    "RegexpLiteral",
    "UnsignedIntegerLiteral",
)


def shape(node: Any) -> Any:
    """A tree of which two are equal when the queries differ in literals only.

    :param node: of the server's answer to a parse request
    """
    if isinstance(node, list):
        return [shape(child) for child in node]
    if not isinstance(node, Mapping):
        return node
    kind = node.get("type")
    if kind in LITERALS:
        return kind
    if kind == "ParenExpression":
        return shape(node["expression"])
    if kind == "UnaryExpression" and node["operator"] == "-":
        inner = shape(node["argument"])
        # a sign is a part of the number
        return inner if inner in LITERALS else {"-": inner}
    return {key: shape(child) for key, child in node.items() if key not in NOT_SHAPE}
