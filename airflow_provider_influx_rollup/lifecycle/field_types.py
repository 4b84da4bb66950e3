"""The type of each field, from one typed value of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def field_types(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """``"float"``, ``"integer"``, ``"string"`` or ``"boolean"`` of each field.

    :param rows: one row for each field, with ``_field`` and ``_value``
    """
    return {row["_field"]: _type_of(row["_value"]) for row in rows}


def _type_of(value: float | int | str | bool) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float):
        return "float"
    return "integer" if isinstance(value, int) else "string"
