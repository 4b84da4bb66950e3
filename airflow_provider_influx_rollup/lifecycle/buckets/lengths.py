"""Lengths of time in buckets, as text."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_influx_rollup.windows.duration import Duration

FOREVER = "forever"


def length_text(seconds: int) -> str:
    """A Flux duration, such as ``30d``; ``"forever"`` for 0."""
    return Duration.of(timedelta(seconds=seconds)).to_flux() if seconds else FOREVER
