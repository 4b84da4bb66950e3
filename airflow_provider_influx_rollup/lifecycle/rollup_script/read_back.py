"""The rows that a script says it wrote, looked up in the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import PartialWrite, ScriptInvalid
from airflow_provider_influx_rollup.flux.results import ScriptResults
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import ScriptRows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


def read_back(
    target_bucket: str, results: ScriptResults, returned: Sequence[Row], window: Interval
) -> Steps[tuple[ScriptRows, str]]:
    """Look every point up that the script says it wrote.

    :param results: which of its results are rows that it wrote
    :param returned: all rows of its results
    :return: the rows that it wrote, and their checksum; none when some of them were not read back
    :raises ScriptInvalid: when ``to()`` has left a value out
    :raises PartialWrite: when a point is not there
    """
    said = [row for row in returned if results.is_written(row.yield_name)]
    rows = ScriptRows.of(said)
    if said and not rows.points and not results.unread:
        message = f"The script returned no rows with _field in {window}: what it wrote was not read back"
        yield from ask(Report(message, level="warning"))
    if returned and not said and not results.unread:
        message = f"No write of the script returned rows in {window}: {len(returned)} rows of other results are not looked for"
        yield from ask(Report(message))
    _refuse_left_out(rows, window)
    for measurement in rows.measurements:
        yield from _require_there(target_bucket, rows, measurement, window)
    is_known = not results.unread and bool(rows.points or not said)
    return rows, rows.checksum if is_known else ""


def _refuse_left_out(rows: ScriptRows, window: Interval) -> None:
    """Refuse values that ``to()`` leaves out without a word.

    :raises ScriptInvalid: with the first of them
    """
    left_out = rows.not_finite
    if not left_out:
        return
    measurement, name, instant, tags = left_out[0]
    series = ",".join([measurement, *(f"{key}={value}" for key, value in tags)])
    what = (
        f"to() leaves out values that are not finite, as {len(left_out)} are that the script computed; the first is "
        f"{rows.points[left_out[0]]} of the field {name!r} of {series} at {format_instant(instant)}"
    )
    written = "all other points of the script; the window stays WRITING in the ledger"
    fix = (
        'leave such rows out before to(), or do not divide by what may be 0: with import "math", '
        "|> filter(fn: (r) => not math.isNaN(f: r._value) and not math.isInf(f: r._value, sign: 0))"
    )
    raise ScriptInvalid(what, window=window, written=written, fix=fix)


def _require_there(target_bucket: str, rows: ScriptRows, measurement: str, window: Interval) -> Steps[None]:
    """Look the points of one measurement up.

    :raises PartialWrite: when one is not there
    """
    stored = ScriptRows.of(
        (yield from ask(PointsThere(target_bucket, measurement, rows.span_of(measurement))))
    )
    lacking = rows.lacking_in(stored, measurement)
    if lacking:
        what = f"{lacking} of the points that the script wrote are not in {target_bucket!r}"
        raise PartialWrite(what, window=window, fix="run the window again")
    twice = len((rows.ambiguous | stored.ambiguous) & rows.points.keys())
    if twice:
        yield from ask(
            Report(
                f"{twice} of the points that the script wrote in {window} have several values in {target_bucket!r}: "
                "to() has stored one series under several keys, see the guide to own scripts",
                level="warning",
            )
        )
