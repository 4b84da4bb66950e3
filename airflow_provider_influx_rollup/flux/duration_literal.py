"""The length of a duration as it stands in a script."""

from __future__ import annotations

from airflow_provider_influx_rollup.flux.syntax import Node
from airflow_provider_influx_rollup.windows.duration import Duration


def duration_of(literal: Node) -> Duration | None:
    """The length of a ``DurationLiteral``; None of ``1mo2d``, which has no length of its own.

    :raises InvalidDuration: when it is too long for the database
    """
    months = nanoseconds = 0
    for part in literal["values"]:
        one = Duration.parse(f"{part['magnitude']}{part['unit']}", allow_zero=True)
        months, nanoseconds = months + one.months, nanoseconds + one.nanoseconds
    return None if months and nanoseconds else Duration(months, nanoseconds)
