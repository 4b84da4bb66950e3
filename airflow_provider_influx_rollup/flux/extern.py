"""Typed values for a script: a Flux AST file that is sent beside the query text and never pasted into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.literals import (
    require_encodable,
    require_finite,
    require_int64,
    signed_parts,
)
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.rfc3339 import rfc3339

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.interval import Interval

Node = dict[str, Any]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEYWORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "empty",
        "in",
        "import",
        "package",
        "return",
        "option",
        "builtin",
        "test",
        "testcase",
        "if",
        "then",
        "else",
        "exists",
        "with",
    ]
)


def window_values(window: Interval, window_period: Duration | timedelta) -> dict[str, object]:
    """Return what the InfluxDB dashboards call ``v``, for one window.

    :param window: becomes ``timeRangeStart`` and ``timeRangeStop``
    :param window_period: becomes ``windowPeriod``
    """
    return {
        "timeRangeStart": window.start,
        "timeRangeStop": window.stop,
        "windowPeriod": window_period,
    }


def extern_file(
    *,
    v: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
    profilers: Sequence[str] = (),
) -> Node:
    """Return a Flux AST file with ``option v`` and ``option params``.

    Types: str, bool, int, float, aware datetime (time), timedelta or ``Duration`` (duration), list or tuple
    (array of one type), mapping (record).

    :param v: see :func:`window_values`; None leaves ``v`` undefined
    :param params: the values of ``params.<name>``; None leaves ``params`` undefined
    :param profilers: names for ``option profiler.enabledProfilers``, such as ``["query"]``
    :raises ConfigurationError: for a value without a Flux type; the message names the parameter
    """
    body: list[Node] = []
    for name, values in (("v", v), ("params", params)):
        if values is not None:
            body.append(_option(_assign(name, value_node(values, f"the parameter {name}"))))
    if profilers:
        body.append(_option(_enable(profilers)))
    paths = ["profiler"] if profilers else []
    return {
        "type": "File",
        "package": None,
        "imports": [{"type": "ImportDeclaration", "path": _string(path)} for path in paths],
        "body": body,
    }


def parameter_node(params: Mapping[str, object]) -> Node:
    """Return the AST of the record that ``params`` will be in the script.

    :raises ConfigurationError: for a value without a Flux type; the message names the parameter
    """
    return value_node(params, "the parameter params")


def value_node(value: object, name: str) -> Node:
    """Return the AST of a value.

    :param name: what the value is, for messages, such as ``"the parameter params"``
    :raises ConfigurationError: for a value without a Flux type; the message begins with the name
    """
    with _naming(name):
        scalar = _string(value) if isinstance(value, str) else _scalar(value)
    return scalar or _container(value, name)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Let the error of a value name the parameter."""
    try:
        yield
    except ConfigurationError as error:
        what = f"{name}: {error.what}"
        raise ConfigurationError(what, fix=error.fix) from error


def _scalar(value: object) -> Node | None:
    """Return the AST of a single value, None for anything else."""
    # bool before int and datetime before date: each is a subclass of the other
    if isinstance(value, bool):
        return {"type": "BooleanLiteral", "value": value}
    if isinstance(value, int):
        return {"type": "IntegerLiteral", "value": str(int(require_int64(value)))}
    if isinstance(value, float):
        return _float(require_finite(value))
    if isinstance(value, datetime):
        return {"type": "DateTimeLiteral", "value": rfc3339(value)}
    if isinstance(value, Duration | timedelta):
        return _duration(value)
    return None


def _container(value: object, name: str) -> Node:
    """Return the AST of a list or a mapping.

    :raises ConfigurationError: when it is neither
    """
    if isinstance(value, Mapping):
        return {"type": "ObjectExpression", "properties": [_property(k, v, name) for k, v in value.items()]}
    if isinstance(value, list | tuple):
        elements = [value_node(element, f"{name}[{index}]") for index, element in enumerate(value)]
        _require_one_type(elements, name)
        return {"type": "ArrayExpression", "elements": elements}
    what = f"{name} is a {type(value).__name__}, which has no Flux type"
    raise ConfigurationError(what, fix=_advice(value))


def _advice(value: object) -> str:
    """Return what to pass instead of a value without a Flux type."""
    if value is None:
        return "Flux has no null literal: leave the parameter out"
    if isinstance(value, date):
        return "pass an aware datetime instead of a date"
    if isinstance(value, set | frozenset):
        return "pass a sorted list instead of a set"
    return "pass a str, bool, int, float, aware datetime, timedelta, list or dict"


def _property(key: object, value: object, name: str) -> Node:
    """One property of a record; a key that is no identifier is read with ``params["any text"]``."""
    if not isinstance(key, str):
        what = f"{name} has the key {key!r}, which is not a string"
        raise ConfigurationError(what, fix="use strings as keys")
    plain = _IDENTIFIER.fullmatch(key) and key not in KEYWORDS
    with _naming(name):
        label = {"type": "Identifier", "name": key} if plain else _string(key)
    return {"type": "Property", "key": label, "value": value_node(value, f"{name}.{key}")}


def _string(text: str) -> Node:
    return {"type": "StringLiteral", "value": str(require_encodable(text))}


def _float(number: float) -> Node:
    # the server reads JSON numbers one bit off now and then, and drops the sign of -0.0; it parses texts exactly
    text = {"type": "Property", "key": {"type": "Identifier", "name": "v"}, "value": _string(repr(number))}
    return {
        "type": "CallExpression",
        "callee": {"type": "Identifier", "name": "float"},
        "arguments": [{"type": "ObjectExpression", "properties": [text]}],
    }


def _duration(span: Duration | timedelta) -> Node:
    months, nanoseconds = (
        (span.months, span.nanoseconds) if isinstance(span, Duration) else signed_parts(span)
    )
    unit, magnitude = ("mo", months) if months else ("ns", nanoseconds)
    node: Node = {"type": "DurationLiteral", "values": [{"magnitude": abs(magnitude), "unit": unit}]}
    # the server drops the sign of a negative magnitude silently
    return {"type": "UnaryExpression", "operator": "-", "argument": node} if magnitude < 0 else node


def _require_one_type(elements: Sequence[Node], name: str) -> None:
    """Check that the elements of an array have one type.

    :raises ConfigurationError: when they do not
    """
    types = sorted({_type_of(element) for element in elements})
    if len(types) > 1:
        what = f"{name} mixes {' and '.join(types)} in one list"
        raise ConfigurationError(what, fix="give all elements the same type (write 1.0 for a float)")


def _type_of(node: Node) -> str:
    """Return the Flux type of a literal's AST, as people read it."""
    if node["type"] == "UnaryExpression":
        return _type_of(node["argument"])
    if node["type"] == "CallExpression":
        return "Float"
    if node["type"] == "ArrayExpression":
        return f"[{_type_of(node['elements'][0])}]" if node["elements"] else "[]"
    if node["type"] == "ObjectExpression":
        pairs = (
            (p["key"].get("name", p["key"].get("value")), _type_of(p["value"])) for p in node["properties"]
        )
        return "{" + ", ".join(f"{key}: {kind}" for key, kind in sorted(pairs)) + "}"
    return str(node["type"]).removesuffix("Literal")


def _option(assignment: Node) -> Node:
    return {"type": "OptionStatement", "assignment": assignment}


def _assign(name: str, value: Node) -> Node:
    return {"type": "VariableAssignment", "id": {"type": "Identifier", "name": name}, "init": value}


def _enable(profilers: Sequence[str]) -> Node:
    """``profiler.enabledProfilers = [...]``."""
    member = {
        "type": "MemberExpression",
        "object": {"type": "Identifier", "name": "profiler"},
        "property": {"type": "Identifier", "name": "enabledProfilers"},
    }
    names = {"type": "ArrayExpression", "elements": [_string(name) for name in profilers]}
    return {"type": "MemberAssignment", "member": member, "init": names}
