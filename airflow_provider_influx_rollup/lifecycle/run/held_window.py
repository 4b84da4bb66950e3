"""A window as a place holds it after a run, whoever wrote it: for stages that leave no receipts of windows."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldWindow:
    """What is in a window now.

    :param rows_out: values, or points
    :param checksum: of these, 16 hex digits; the same rows have the same one
    :param generation: of an archive; 0 where there are none
    :param series: None where nobody counted them
    """

    window: Interval
    rows_out: int
    checksum: str
    generation: int = 0
    series: int | None = None
