"""Parameters as a DAG file gives them: values that are known when it is parsed, and those that come in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike
from airflow_provider_influx_rollup.windows.partition_key import check_key_format

JINJA = "{{"
NOTHING = ("", "none", "null")


def is_plain(value: object) -> bool:
    """Whether a parameter waits neither for Jinja nor for another task's result."""
    if isinstance(value, str):
        return JINJA not in value and "{%" not in value
    if isinstance(value, Mapping):
        return all(is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set):
        return all(is_plain(part) for part in value)
    # an XComArg or another object that Airflow resolves before the task runs
    return value is None or (not hasattr(value, "operator") and not hasattr(value, "resolve"))


def is_nothing(value: object) -> bool:
    """Whether a parameter is None, or the text that a template makes of it."""
    return value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)


@overload
def declared_duration(value: DurationLike) -> DurationLike: ...


@overload
def declared_duration(value: DurationLike | None) -> DurationLike | None: ...


def declared_duration(value: DurationLike | None) -> DurationLike | None:
    """A duration as an operator keeps it: as a Flux text, which Airflow stores with the DAG and shows.

    :param value: what the DAG gives. A text stays as it was written; a template, or another task's result, comes in a run
    :raises InvalidDuration: (when the DAG is parsed) when it is negative, no duration, or months and a fixed length at once
    """
    if value is None or is_nothing(value) or not is_plain(value):
        return value
    duration = Duration.of(value, allow_zero=True)
    return value if isinstance(value, str) else duration.to_flux()


def declared_key_format(key_format: str | None) -> str | None:
    """The format of the time in a partition key; no template.

    :param key_format: as ``strptime`` takes it
    :raises ConfigurationError: (when the DAG is parsed) when it gives no date
    """
    if key_format is not None:
        check_key_format(key_format)
    return key_format
