"""Measurements of a lifecycle: names, and patterns that stand for those that a bucket has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.globs import is_glob, is_match

TAKES_AWAY = "!"


class FoundMeasurement(str):
    """A measurement that a bucket has: nothing in its name stands for others."""

    __slots__ = ()


def patterns_of(names: Sequence[str]) -> tuple[str, ...]:
    """Those that stand for measurements of the bucket: ``*``, ``cpu*``."""
    return tuple(
        name
        for name in names
        if is_glob(name) and not name.startswith(TAKES_AWAY) and not isinstance(name, FoundMeasurement)
    )


def found_measurements(names: Sequence[str], known: Iterable[str]) -> list[FoundMeasurement]:
    """The measurements that some names and patterns stand for: those that are named, and those that the bucket has.

    :param names: of a lifecycle; ``!glob`` takes away from what the patterns stand for
    :param known: the measurements of the bucket
    """
    patterns = patterns_of(names)
    away = [name.removeprefix(TAKES_AWAY) for name in names if _takes_away(name)]
    named = [name for name in names if name not in patterns and not _takes_away(name)]
    matched = [
        name
        for name in sorted(known)
        if any(is_match(glob, name) for glob in patterns) and not any(is_match(glob, name) for glob in away)
    ]
    return [FoundMeasurement(name) for name in dict.fromkeys([*named, *matched])]


def require_distinct(names: Sequence[str]) -> None:
    """Refuse a list of measurements that is empty, or names one twice.

    :raises ConfigurationError: naming it
    """
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or not names:
        what = f"measurement {', '.join(doubled)} is given twice" if doubled else "there is no measurement"
        raise ConfigurationError(what, written="nothing", fix="name each measurement once")
    if any(map(_takes_away, names)) and not patterns_of(names):
        what = f"measurement {names!r} takes away from nothing"
        raise ConfigurationError(what, written="nothing", fix="give a pattern too, such as '*'")


def _takes_away(name: str) -> bool:
    return name.startswith(TAKES_AWAY) and not isinstance(name, FoundMeasurement)
