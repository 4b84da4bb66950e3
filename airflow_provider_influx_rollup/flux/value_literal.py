"""The Flux literal of any value, by the same types as the values that are sent beside a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.extern import Node, value_node
from airflow_provider_influx_rollup.flux.literals import RawFlux
from airflow_provider_influx_rollup.flux.syntax import key_of
from airflow_provider_influx_rollup.windows.duration import Duration


def value_literal(value: object, name: str) -> RawFlux:
    """Return the literal of a value. A negative number is in parentheses, beside whatever sign it stands.

    :param value: str, bool, int, float, aware datetime, timedelta, ``Duration``, or a list or mapping of these
    :param name: what it is, for messages
    :raises ConfigurationError: for a value without a Flux type; the message begins with the name
    """
    return _text(value_node(value, name))


def _text(node: Node) -> RawFlux:
    return _WRITERS[node["type"]](node)


def _integer(node: Node) -> RawFlux:
    text = literals.integer(int(node["value"]))
    return RawFlux(f"({text})") if text.startswith("-") else text


def _float(node: Node) -> RawFlux:
    # float(v: "1.5"), see extern.py
    (argument,) = node["arguments"][0]["properties"]
    text = literals.float_(float(argument["value"]["value"]))
    return RawFlux(f"({text})") if text.startswith("-") else text


def _duration(node: Node) -> RawFlux:
    (part,) = node["values"]
    magnitude, unit = part["magnitude"], part["unit"]
    return RawFlux(f"{magnitude}{unit}" if unit != "ns" else Duration(0, magnitude).to_flux())


_WRITERS: Mapping[str, Callable[[Any], RawFlux]] = {
    "StringLiteral": lambda node: literals.string(node["value"]),
    "BooleanLiteral": lambda node: literals.boolean(node["value"]),
    "IntegerLiteral": _integer,
    "CallExpression": _float,
    "DateTimeLiteral": lambda node: RawFlux(node["value"]),
    "DurationLiteral": _duration,
    "UnaryExpression": lambda node: RawFlux(f"(-{_text(node['argument'])})"),
    "ArrayExpression": lambda node: literals.array(map(_text, node["elements"])),
    "ObjectExpression": lambda node: literals.record(
        {key_of(item): _text(item["value"]) for item in node["properties"]}
    ),
}
