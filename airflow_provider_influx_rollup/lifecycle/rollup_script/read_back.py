"""The rows that a script says it wrote, looked up in the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import PartialWrite, ScriptInvalid
from airflow_provider_influx_rollup.flux.results import ScriptResults
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import ScriptRows
from airflow_provider_influx_rollup.lifecycle.rollup_script.wide_rows import WideRows
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
    wide = WideRows.of(row for row in said if results.is_wide(row.yield_name))
    long = [row for row in said if not results.is_wide(row.yield_name)]
    rows = ScriptRows.of(long, wide)
    if not results.unread:
        yield from _tell_of_no_rows(rows, said, long, len(returned), window)
    yield from _tell_of_fields(wide, window)
    _refuse_left_out(rows, window)
    for measurement in rows.measurements:
        yield from _require_there(target_bucket, rows, measurement, window)
    is_known = not results.unread and not wide.empty and bool(rows.points or not long)
    return rows, rows.checksum if is_known else ""


def _tell_of_no_rows(
    rows: ScriptRows, said: Sequence[Row], long: Sequence[Row], returned: int, window: Interval
) -> Steps[None]:
    """Say why nothing is looked up, although the script has returned rows.

    :param said: the rows of its writes
    :param long: those that have a value in ``_value``
    :param returned: how many rows of all results
    """
    if long and not rows.points:
        message = f"The script returned no rows with _field in {window}: what it wrote was not read back"
        yield from ask(Report(message, level="warning"))
    if returned and not said:
        message = f"No write of the script returned rows in {window}: {returned} rows of other results are not looked for"
        yield from ask(Report(message))


def _tell_of_fields(wide: WideRows, window: Interval) -> Steps[None]:
    """Name what ``wideTo()`` leaves out, or may leave out."""
    if wide.not_finite:
        message = f"wideTo() leaves out values that are not finite, as {wide.not_finite} are in {window}: they are not looked for"
        yield from ask(Report(message, level="warning"))
    if wide.empty:
        message = (
            f"{wide.empty} fields that the script returned in {window} have an empty text or none, which an answer does not tell "
            "apart: they are not looked for, and the commit counts as a change of its window"
        )
        yield from ask(Report(message))


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
