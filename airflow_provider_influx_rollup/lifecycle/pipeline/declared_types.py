"""The types of declared values: texts, mappings, and values of the classes that are declared inside of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_file import part_of


def require_types(declared: object, *, may_come_in_a_run: bool = False) -> None:
    """Refuse a parameter of another type than its class says. Durations, choices and lists of texts tell of themselves.

    :param declared: a dataclass
    :param may_come_in_a_run: whether the result of another task may stand for a text
    :raises ConfigurationError: naming the class, the parameter and its type
    """
    made: Any = type(declared)
    for name, hint in _hints(made).items():
        value = getattr(declared, name)
        if may_come_in_a_run and hasattr(value, "resolve"):
            continue
        place, wrong, fix = _wrong(name, hint, value)
        if fix:
            what = f"{place} of {made.__name__} is of the type {type(wrong).__name__}"
            raise ConfigurationError(what, written="nothing", fix=fix)


@cache
def _hints(made: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(made)
    return {one.name: hints[one.name] for one in fields(made)}


def _wrong(name: str, hint: Any, value: Any) -> tuple[str, Any, str]:
    """The parameter, or the entry of a list, that is of a wrong type, its value, and what to give; without that all is well."""
    choices = {one for one in (get_args(hint) or (hint,)) if one is not NoneType}
    part, is_several = part_of(hint)
    fix = ""
    if value is None and NoneType in get_args(hint):
        return name, value, fix
    if is_several:
        return _wrong_entry(name, part, value)
    if part is not None:
        fix = "" if isinstance(value, part) else f"give {part.__name__}(...)"
    elif choices == {str}:
        fix = "" if isinstance(value, str) else "give a text"
    elif get_origin(hint) is Mapping:
        fix = "" if isinstance(value, Mapping) else "give a dict"
    return name, value, fix


def _wrong_entry(name: str, part: Any, values: Any) -> tuple[str, Any, str]:
    fix = f"give a list of {part.__name__}(...)"
    if isinstance(values, str) or not isinstance(values, Sequence | Set):
        return name, values, fix
    for number, one in enumerate(values):
        if not isinstance(one, part):
            return f"{name}[{number}]", one, fix
    return name, values, ""
