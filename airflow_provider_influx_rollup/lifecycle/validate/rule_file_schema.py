"""The JSON schema of rule files, for editors: which rules there are, their parameters, and what the docstrings say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import timedelta
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from airflow_provider_influx_rollup.lifecycle.pipeline.declared_schema import DIALECT, PARAMETER
from airflow_provider_influx_rollup.validation.catalog import RULES
from airflow_provider_influx_rollup.validation.rule import SEVERITIES
from airflow_provider_influx_rollup.validation.transformations import TRANSFORMATIONS

PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def rule_file_schema() -> dict[str, Any]:
    """The schema of a list of rules, or of a mapping with ``rules`` and ``transformations``.

    What a value may be beside its type, such as a field type or a pattern, only the reader of rules knows.
    """
    parts = {f"rule.{name}": _entry("rule", name, made) for name, made in RULES.items()}
    parts |= {f"transform.{name}": _entry("transform", name, made) for name, made in TRANSFORMATIONS.items()}
    rules = _list_of("rule", RULES)
    sections = {"rules": rules, "transformations": _list_of("transform", TRANSFORMATIONS)}
    whole = {"properties": sections, "required": ["rules"], "additionalProperties": False}
    # by if, not by anyOf: an editor then says what is wrong in the list, not that it is no mapping
    return {
        "$schema": DIALECT,
        "title": "Rules of a validation",
        "type": ["array", "object"],
        "if": {"type": "array"},
        "then": rules,
        "else": whole,
        "$defs": parts,
    }


def _list_of(key: str, named: Mapping[str, type[Any]]) -> dict[str, Any]:
    """A list of entries, each with the parameters of the one that it names."""
    choices = [
        {
            "if": {"properties": {key: {"const": name}}, "required": [key]},
            "then": {"$ref": f"#/$defs/{key}.{name}"},
        }
        for name in named
    ]
    entry = {
        "type": "object",
        "properties": {key: {"enum": list(named)}},
        "required": [key],
        "allOf": choices,
    }
    return {"type": "array", "items": entry, **({"minItems": 1} if key == "rule" else {})}


def _entry(key: str, name: str, made: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(made)
    texts = [cleandoc(one.__doc__ or "") for one in reversed(made.__mro__)]
    told = {param: " ".join(text.split()) for doc in texts for param, text in PARAMETER.findall(doc)}
    properties: dict[str, Any] = {key: {"const": name}}
    for one in fields(made):
        shape = {"enum": list(SEVERITIES)} if one.name == "severity" else _of(hints[one.name])
        properties[one.name] = {"description": told.get(one.name, ""), **shape}
    is_given = [one for one in fields(made) if one.default is MISSING and one.default_factory is MISSING]
    return {
        "type": "object",
        "description": texts[-1].splitlines()[0],
        "properties": properties,
        "required": [key, *(one.name for one in is_given)],
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        # a length of time is a text in YAML
        choices = [_of(one) for one in inner if one is not timedelta]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if origin in (Sequence, tuple):
        return {"type": "array", "items": _of(inner[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(inner[1])}
    return {"type": PLAIN[hint]} if hint in PLAIN else {}
