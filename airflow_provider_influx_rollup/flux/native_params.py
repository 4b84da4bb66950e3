"""Give a task of InfluxDB the ``params`` that a script form's run gets beside its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.native_window import inserted
from airflow_provider_influx_rollup.flux.value_literal import value_literal

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN = "// the values of the deploy; written by influx-rollup"


def with_params(script: str, package: Mapping[str, Any], params: Mapping[str, object]) -> str:
    """Return the script with an ``option params`` after its imports.

    :param package: the server's syntax tree of the script
    :param params: the values, which become literals
    :raises ConfigurationError: for a value without a Flux type; the message names the parameter
    """
    return inserted(
        script, package, f"{BEGIN}\noption params = {value_literal(params, 'the parameter params')}"
    )


__all__ = ["with_params"]
