"""Expressions of a template as people write them, for messages."""

from __future__ import annotations

from jinja2 import nodes


def shown_expression(node: nodes.Node | None) -> str:
    """An expression, shortened to what is needed to find it in its line."""
    match node:
        case nodes.Name():
            shown = str(node.name)
        case nodes.Const():
            shown = repr(node.value)
        case nodes.Getattr():
            shown = f"{shown_expression(node.node)}.{node.attr}"
        case nodes.Getitem():
            shown = f"{shown_expression(node.node)}[{shown_expression(node.arg)}]"
        case nodes.Filter() if node.node is not None:
            shown = f"{shown_expression(node.node)} | {node.name}"
        case nodes.Call():
            shown = f"{shown_expression(node.node)}({'...' if node.args or node.kwargs else ''})"
        case _:
            shown = "..."
    return shown
