"""The filters that make Flux of a value, and the ways in which a template may put something into a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Undefined

from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowUndefined
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.extern import KEYWORDS
from airflow_provider_influx_rollup.flux.value_literal import value_literal
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.instants import read_instant

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class FluxLiteral(str):
    """A literal, ready to be put where Flux expects a value."""

    __slots__ = ()


class FluxName(str):
    """An identifier."""

    __slots__ = ()


class FluxText(str):
    """Flux that the author of the template trusts."""

    __slots__ = ()


def flux(value: object, shown: str = "value") -> str:
    """Any value as a literal; what is Flux already stays as it is.

    :param shown: the expression, for messages
    :raises ConfigurationError: when it has no literal
    """
    if isinstance(value, FluxLiteral | FluxName | FluxText):
        return value
    return FluxLiteral(value_literal(_defined(value, shown), shown))


def flux_regex(value: object, shown: str = "value") -> str:
    """A pattern in Go's RE2 syntax as a regular expression literal."""
    return FluxLiteral(literals.regex(_string(value, shown)))


def flux_duration(value: object, shown: str = "value") -> str:
    """A Flux duration such as ``1h30m``, or a timedelta, as a literal."""
    _defined(value, shown)
    span = Duration.of(value, allow_zero=True) if isinstance(value, str) else value
    return FluxLiteral(value_literal(span, shown))


def flux_time(value: object, shown: str = "value") -> str:
    """An RFC 3339 text such as Airflow's ``ts``, a date such as its ``ds`` (midnight UTC), or a datetime as a time literal."""
    if not isinstance(value, str):
        return FluxLiteral(value_literal(_defined(value, shown), shown))
    return FluxLiteral(value_literal(instant(value, shown), shown))


def instant(value: object, shown: str) -> datetime:
    """A time that a run gave, as text or as a datetime.

    :raises ConfigurationError: when it is none
    """
    try:
        return read_instant(value, shown)
    except WindowUndefined as error:
        raise ConfigurationError(error.what, written="nothing", fix=error.fix) from error


def flux_name(value: object, shown: str = "value") -> str:
    """The name of a function, a variable or a column after ``r.``, such as ``mean``.

    :raises ConfigurationError: when it is not one word of letters, digits and underscores
    """
    text = _string(value, shown)
    if not _NAME.fullmatch(text) or text in KEYWORDS:
        what = f"{shown} is {text!r}, which is not a name in Flux"
        raise ConfigurationError(what, fix="give one word of letters, digits and underscores")
    return FluxName(text)


def flux_raw(value: object, shown: str = "value") -> str:
    """Flux text as it is: for parts of scripts that the author of the DAG has written, never for data."""
    return FluxText(_string(value, shown))


def _defined(value: object, shown: str) -> object:
    if isinstance(value, Undefined):
        what = f"{shown} is undefined"
        raise ConfigurationError(what, fix="give it a value, or | default(...) before the filter")
    return value


def _string(value: object, shown: str) -> str:
    if isinstance(_defined(value, shown), str):
        return str(value)
    what = f"{shown} is a {type(value).__name__}, not a text"
    raise ConfigurationError(what, fix="give a text, or use | flux")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "flux": flux,
    "flux_regex": flux_regex,
    "flux_duration": flux_duration,
    "flux_time": flux_time,
    "flux_name": flux_name,
    "flux_raw": flux_raw,
}
