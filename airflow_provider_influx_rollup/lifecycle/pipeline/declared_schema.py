"""The JSON schema of declared values, for editors: names, types, choices, and what the docstrings say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import timedelta
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from airflow_provider_influx_rollup.lifecycle.pipeline.declared_file import part_of, required_fields
from airflow_provider_influx_rollup.windows.duration import TEXT_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PARAMETER = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)
PLAIN = {str: "string", bool: "boolean", NoneType: "null"}
DURATION = {"type": "string", "pattern": TEXT_PATTERN}


def schema_of(made: type[Any], title: str) -> dict[str, Any]:
    """The schema of a dataclass and of those that it is made of.

    It says what a text must look like. What parameters ask of each other, such as windows that fit, only the class knows.

    :param title: what editors call it
    """
    parts: dict[str, Any] = {}
    root = _object(made, parts)
    return {"$schema": DIALECT, "title": title, **root, "$defs": dict(sorted(parts.items()))}


def _object(made: type[Any], parts: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(made)
    told = {name: " ".join(text.split()) for name, text in PARAMETER.findall(cleandoc(made.__doc__ or ""))}
    properties = {}
    for one in fields(made):
        properties[one.name] = {"description": told.get(one.name, ""), **_of(hints[one.name], parts)}
        if one.default is not MISSING and one.default is not None:
            is_list = isinstance(one.default, tuple)
            properties[one.name]["default"] = list(one.default) if is_list else one.default
    return {
        "type": "object",
        "description": cleandoc(made.__doc__ or "").splitlines()[0],
        "properties": properties,
        "required": required_fields(made),
        "additionalProperties": False,
    }


def _of(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    part, _ = part_of(hint) if origin is None else (None, False)
    if part is not None:
        if part.__name__ not in parts:
            parts[part.__name__] = {}
            parts[part.__name__] = _object(part, parts)
        return {"$ref": f"#/$defs/{part.__name__}"}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, UnionType):
        # a text stands for a length of time
        is_length = timedelta in inner
        choices = [
            DURATION if is_length and one is str else _of(one, parts) for one in inner if one is not timedelta
        ]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    return _plain(hint, parts)


def _plain(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Sequence:
        return {"type": "array", "items": _of(inner[0], parts)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(inner[1], parts)}
    return {"type": PLAIN[hint]} if hint in PLAIN else {}
