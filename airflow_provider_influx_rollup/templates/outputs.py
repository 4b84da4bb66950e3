"""Check the outputs of a template: each ends in a Flux filter, or is refused."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from airflow_provider_influx_rollup.exceptions import TemplateInvalid
from airflow_provider_influx_rollup.flux.places import invalid_at
from airflow_provider_influx_rollup.templates.expressions import shown_expression
from airflow_provider_influx_rollup.templates.filters import FILTERS

PLACE = "_place_in_flux"
PLACE_TEXT = "_place_template_text"
# they change nothing but the layout of the template's own text
_LAYOUT_FILTERS = frozenset({"indent", "trim"})
# they stand for text of the template itself
_OWN_TEXT = frozenset({"super", "caller", "self"})


def mark_outputs(template: nodes.Template, name: str, *, takes_words: bool) -> None:
    """Let each output of a template go through the filter that puts it into the script.

    :param template: is changed
    :param name: of the template, for messages
    :param takes_words: whether an output without a filter may put a single word
    :raises TemplateInvalid: for an output that is none of a Flux filter, a macro, or a text of the template
    """
    _require_layout_filters(template, name)
    _name_filtered(template)
    macros = _macros(template)
    for call in template.find_all(nodes.CallBlock):
        if not _is_macro_call(call.call, macros):
            raise _refused(call.call, name, call.lineno)
    for output in template.find_all(nodes.Output):
        output.nodes = [_marked(node, macros, name, takes_words=takes_words) for node in output.nodes]


def _marked(node: nodes.Expr, macros: frozenset[str], name: str, *, takes_words: bool) -> nodes.Expr:
    """Return the output as it goes into the script."""
    if isinstance(node, nodes.TemplateData) or (
        isinstance(node, nodes.Const) and isinstance(node.value, str)
    ):
        return node
    if isinstance(node, nodes.CondExpr) and node.expr2 is not None:
        node.expr1 = _marked(node.expr1, macros, name, takes_words=takes_words)
        node.expr2 = _marked(node.expr2, macros, name, takes_words=takes_words)
        return node
    facts: list[nodes.Expr] = [
        nodes.Const(_expression(node)),
        nodes.Const(name),
        nodes.Const(node.lineno),
    ]
    if isinstance(node, nodes.Filter) and node.name in FILTERS:
        return _filter(node, PLACE, facts)
    if _is_macro_call(node, macros):
        assert isinstance(node, nodes.Call)  # noqa: S101 - _is_macro_call has looked
        return _filter(node, PLACE_TEXT, [node.node, *facts])
    if takes_words:
        return _filter(node, PLACE, facts)
    raise _refused(node, name, node.lineno)


def _filter(node: nodes.Expr, name: str, arguments: list[nodes.Expr]) -> nodes.Filter:
    made = nodes.Filter(node, name, arguments, [], None, None)
    made.set_lineno(node.lineno)
    if node.environment is not None:
        made.set_environment(node.environment)
    return made


def _expression(node: nodes.Expr) -> str:
    return shown_expression(node)


def _refused(node: nodes.Expr, name: str, line: int) -> TemplateInvalid:
    shown = shown_expression(node)
    problem = f"{{{{ {shown} }}}} would be pasted into the Flux, and could change what it does"
    fix = (
        f"write {{{{ {shown} | flux }}}} without quotes around it, | flux_time for a time that is text, such as ds, "
        "or | flux_raw for Flux that you trust"
    )
    return invalid_at(name, line, problem, fix)


def _name_filtered(template: nodes.Template) -> None:
    """Give each Flux filter the expression that it is used on, for messages."""
    for node in template.find_all(nodes.Filter):
        if node.name in FILTERS and node.node is not None and not node.args and not node.kwargs:
            node.args = [nodes.Const(shown_expression(node.node))]


def _require_layout_filters(template: nodes.Template, name: str) -> None:
    """Refuse filters over blocks, which could bring text of their own behind the marks."""
    blocks: Iterator[nodes.FilterBlock | nodes.AssignBlock] = template.find_all(
        (nodes.FilterBlock, nodes.AssignBlock)
    )
    for block in (node.filter for node in blocks):
        if isinstance(block, nodes.Filter) and not _is_layout(block):
            problem = f"the filter {block.name} over a block is not possible in Flux"
            fix = f"use {' or '.join(sorted(_LAYOUT_FILTERS))} with constants, or a macro"
            raise invalid_at(name, block.lineno, problem, fix)


def _is_layout(block: nodes.Filter) -> bool:
    values = [*block.args, *(pair.value for pair in block.kwargs)]
    is_plain = all(isinstance(value, nodes.Const) and not isinstance(value.value, str) for value in values)
    inner_is_layout = not isinstance(block.node, nodes.Filter) or _is_layout(block.node)
    return block.name in _LAYOUT_FILTERS and is_plain and inner_is_layout


def _macros(template: nodes.Template) -> frozenset[str]:
    """Return the names that stand for macros, or for templates with macros, wherever they are used."""
    found = set(_OWN_TEXT) | {macro.name for macro in template.find_all(nodes.Macro)}
    found |= {node.target for node in template.find_all(nodes.Import)}
    for node in template.find_all(nodes.FromImport):
        found |= {name if isinstance(name, str) else name[1] for name in node.names}
    return frozenset(found)


def _is_macro_call(node: nodes.Node, macros: frozenset[str]) -> bool:
    """Whether the name that is called is that of a macro; what it is in a run is looked at in the run."""
    if not isinstance(node, nodes.Call):
        return False
    callee = node.node
    while isinstance(callee, nodes.Getattr):
        callee = callee.node
    return isinstance(callee, nodes.Name) and callee.name in macros
