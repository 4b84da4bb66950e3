"""One of each query of the package, with texts that a test gives wherever a user's text can come in."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

from airflow_provider_influx_rollup import flux
from airflow_provider_influx_rollup.flux.query import FluxText, Together
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun, equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 3, 8, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
# what the type is called in modules that import it for the type checker only
NAMES = {"Interval": Interval, "EqualRun": EqualRun, "Mapping": Mapping, "Sequence": typing.Sequence}
# texts of the package itself, and parts of scripts that are Flux already
OURS: dict[str, Any] = {
    "flux_function": "mean",
    "filters": ['filter(fn: (r) => r.a == "b")'],
    "names": ["count", "sum"],
    "aggregate_names": ["count", "mean"],
    "looks": [("count", DAY, "0"), ("last", DAY, "1"), ("types", DAY, "2"), ("total", DAY, "3")],
}
PLAIN: dict[type[Any], Any] = {
    Interval: DAY,
    EqualRun: equal_runs([DAY])[0],
    datetime: START,
    bool: True,
    int: 3,
}


def query_classes() -> list[type[Any]]:
    """Each class of ``flux/`` that renders itself from values."""
    for module in pkgutil.iter_modules(flux.__path__, f"{flux.__name__}."):
        importlib.import_module(module.name)
    # a dataclass with slots is a second class of the same name
    named = {(one.__module__, one.__qualname__) for one in _below(FluxText) if one.flux is not FluxText.flux}
    found = [getattr(sys.modules[module], name) for module, name in sorted(named)]
    return [one for one in found if is_dataclass(one) and one is not Together]


def _below(cls: type[Any]) -> Iterator[type[Any]]:
    for one in cls.__subclasses__():
        yield one
        yield from _below(one)


def made(cls: type[Any], text: Callable[[], str]) -> Any:
    """An object of a dataclass.

    :param text: gives the next text of a user
    """
    hints = typing.get_type_hints(cls, localns=NAMES)
    values = {
        one.name: OURS[one.name] if one.name in OURS else _value(hints[one.name], text) for one in fields(cls)
    }
    return cls(**values)


def _value(hint: Any, text: Callable[[], str]) -> Any:
    """A value of a type."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if hint is str:
        return text()
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and is_dataclass(hint):
        return made(hint, text)
    if NoneType in arguments:
        return _value(next(one for one in arguments if one is not NoneType), text)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {_value(arguments[0], text): _value(arguments[1], text) for _ in range(2)}
    # a sequence of one type
    return tuple(_value(arguments[0], text) for _ in range(2))
