"""Parameters as a DAG gives them: plain values, or text that a template has rendered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_influx_rollup.declared_values import is_nothing
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.windows.duration import flux_text

#: the operator's parameters that become options
OPTIONS = ("heal", "heal_max_windows", "force", "windows_per_block", "on_window_error", "execution")

TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def parsed_options(values: dict[str, Any]) -> RollupOptions:
    """Options from the operator's parameters.

    :param values: by the names in ``OPTIONS``
    :raises ConfigurationError: when one is not possible
    """
    given: dict[str, Any] = {name: None if is_nothing(value) else value for name, value in values.items()}
    given["heal"] = flux_text(given["heal"])
    for name in ("heal_max_windows", "windows_per_block"):
        if given[name] is not None:
            given[name] = whole_number(name, given[name])
    given["force"] = truth("force", given["force"])
    defaults = ("heal_max_windows", "on_window_error", "execution")
    return RollupOptions(
        **{name: value for name, value in given.items() if value is not None or name not in defaults}
    )


def whole_number(name: str, value: object) -> int:
    """A number that may have been rendered to text.

    :raises ConfigurationError: when it is none
    """
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    what = f"{name}={value!r} is not possible"
    raise ConfigurationError(what, written="nothing", fix="give a whole number, 1 or more")


def truth(name: str, value: object) -> bool:
    """True or False, which may have been rendered to text.

    :raises ConfigurationError: when it is neither
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in TRUTHS:
        return TRUTHS[value.strip().lower()]
    what = f"{name}={value!r} is neither true nor false"
    raise ConfigurationError(
        what, written="nothing", fix="give True or False, or a template that renders to one"
    )


def plain_truth(name: str, value: object) -> bool:
    """True or False, and no template: any text would count as true.

    :raises ConfigurationError: when it is neither
    """
    if isinstance(value, bool):
        return value
    what = f"{name}={value!r} is neither True nor False"
    raise ConfigurationError(what, written="nothing", fix="give one of them: this parameter is no template")


def texts(values: str | Sequence[str]) -> tuple[str, ...]:
    """One text or several as a tuple."""
    return (values,) if isinstance(values, str) else tuple(values)
