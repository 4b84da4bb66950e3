"""Parameters with a type: what a template or a run gives as text becomes a value of that type."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.templates.filters import instant
from airflow_provider_influx_rollup.windows.duration import Duration

_TRUTHS = {"true": True, "false": False}
_NOTHING = ("", "none", "null")


@dataclass(frozen=True, slots=True)
class FluxParam:
    """A value for ``params_flux`` that has a type, and may have a default.

    :param kind: ``"string"``, ``"int"``, ``"float"``, ``"bool"``, ``"time"`` or ``"duration"``, or one of them in
        brackets for a list: ``"[string]"``
    :param value: the value, or a template of it
    :param default: what None, or an empty text where ``kind`` is not ``"string"``, stands for
    :raises ConfigurationError: when there is no such kind, or the default is not of it
    """

    kind: str
    value: Any = None
    default: Any = None

    def __post_init__(self) -> None:
        if self.kind.removeprefix("[").removesuffix("]") not in _KINDS or self.kind not in (
            *_KINDS,
            *(f"[{kind}]" for kind in _KINDS),
        ):
            what = f"there is no type {self.kind!r} of parameters"
            fix = f"use one of: {', '.join(_KINDS)}, or one of them in brackets for a list"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if self.default is not None:
            self.of_kind(self.default, "the default")

    def bound(self, value: object, name: str) -> object:
        """The value, or the default where there is none, with its type.

        :param value: what a run has made of ``value``
        :param name: of the parameter, for messages
        :raises ConfigurationError: when it is not of the type, or there is neither a value nor a default
        """
        is_missing = value is None or (
            self.kind != "string" and isinstance(value, str) and value.strip().lower() in _NOTHING
        )
        if not is_missing:
            return self.of_kind(value, f"the parameter {name}")
        if self.default is None:
            what = f"the parameter {name} has no value and no default"
            raise ConfigurationError(what, written="nothing", fix=f"give it a {self.kind}, or a default")
        return self.of_kind(self.default, f"the parameter {name}")

    def of_kind(self, value: object, name: str) -> object:
        """The value with its type.

        :param name: what it is, for messages
        :raises ConfigurationError: when it is not of the type
        """
        if not self.kind.startswith("["):
            return _KINDS[self.kind](value, name)
        elements = _elements(value, name)
        return [
            _KINDS[self.kind[1:-1]](element, f"{name}[{index}]") for index, element in enumerate(elements)
        ]


def bound_params(params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Parameters with those that have a type as plain values.

    :raises ConfigurationError: when one is not of its type
    """
    if params is None or not any(isinstance(value, FluxParam) for value in params.values()):
        return params
    return {
        name: value.bound(value.value, name) if isinstance(value, FluxParam) else value
        for name, value in params.items()
    }


def _elements(value: object, name: str) -> list[Any]:
    """A list, or the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise _wrong(name, value, "a list") from error
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list")
    return list(value)


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(name, value, "a text")


def _int(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError as error:
            raise _wrong(name, value, "a whole number") from error
    raise _wrong(name, value, "a whole number")


def _float(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(name, value, "a number")
    try:
        return float(value)
    except (ValueError, OverflowError) as error:
        raise _wrong(name, value, "a number") from error


def _bool(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUTHS:
        return _TRUTHS[value.strip().lower()]
    raise _wrong(name, value, "true or false")


def _duration(value: object, name: str) -> timedelta | Duration:
    if isinstance(value, timedelta | Duration):
        return value
    if not isinstance(value, str):
        raise _wrong(name, value, "a duration")
    return Duration.of(value, allow_zero=True)


def _wrong(name: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{name} is {value!r}, not {wanted}", written="nothing", fix=f"give {wanted}")


_KINDS: dict[str, Callable[[object, str], Any]] = {
    "string": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "time": instant,
    "duration": _duration,
}
