"""Windows of a user's script whose points were purged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

NAMED_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*==""")


def require_not_purged_for_script(
    ledger_bucket: str, buckets: Iterable[str], texts: Sequence[str], windows: Sequence[Interval]
) -> Steps[None]:
    """Refuse windows of a user's script whose points were purged.

    :param buckets: that the script reads
    :param texts: the script, and the values of its parameters
    :param windows: in ascending order
    :raises WindowFrozen: when a measurement that was purged may be what the script reads
    """
    whole = "\n".join(texts)
    for bucket in buckets:
        span = Interval.spanning(windows)
        marks = yield from overlapping_marks(ledger_bucket, bucket, None, span)
        # without a measurement that it names, a script reads all of them
        read = [mark for mark in marks if mark.measurement in whole or not NAMED_MEASUREMENT.search(whole)]
        purged = purged_windows(windows, read)
        if purged:
            raise purged[min(purged)]
