"""Find the field of a window that fails."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRejected, InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.write import write_windows
from airflow_provider_influx_rollup.lifecycle.run.window_errors import is_of_windows
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.step import Steps


def with_bad_fields(
    job: RollupBlock, book: ReceiptBook, error: InfluxRollupError
) -> Steps[InfluxRollupError]:
    """Write each field of a window on its own: the good ones are there then, and the error names the others.

    A line that has one value the target refuses is dropped with all its values. The window stays WRITING.

    :param job: one window
    :param book: has the receipts that it had before it was WRITING
    :param error: why it failed
    """
    names = list(dict.fromkeys(column.field for column in job.columns))
    if len(names) < 2 or not isinstance(error, InfluxRejected | ConfigurationError):
        return error
    bad: dict[str, InfluxRollupError] = {}
    for name in names:
        columns = tuple(column for column in job.columns if column.field == name)
        try:
            yield from write_windows(replace(job, columns=columns), {}, book, is_untouched=False)
        except InfluxRollupError as own:
            if not is_of_windows(own):
                raise
            bad[name] = own
    if bad and len(bad) < len(names):
        told = "; ".join(f"field {name!r}: {own.what}" for name, own in bad.items())
        error.what = f"{told}. The other {len(names) - len(bad)} fields are written"
    return error
