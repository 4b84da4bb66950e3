"""Write a block of windows: one line for each series and window, or inside InfluxDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.exceptions import QueryFailed
from airflow_provider_influx_rollup.flux.ledger_read import SetAside
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.chains import rollup_scripts
from airflow_provider_influx_rollup.lifecycle.rollup.compute import (
    compute_large_again,
    compute_windows,
    computed_by,
    fields_in_reach,
    join_doubled,
)
from airflow_provider_influx_rollup.lifecycle.rollup.computed import Computed
from airflow_provider_influx_rollup.lifecycle.rollup.last_look import last_look
from airflow_provider_influx_rollup.lifecycle.rollup.native import NativeWay, OvertakenError
from airflow_provider_influx_rollup.lifecycle.rollup.verify import source_totals
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetRows, computed_rows
from airflow_provider_influx_rollup.lifecycle.target.write import rows_lost_inside, write_of_rows
from airflow_provider_influx_rollup.rejections import is_key_too_long
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The rows computed and written.

    :param rows: in the form of what is read back
    :param totals: source points of each field, counted after all reads; None when they were not counted
    :param overtaken: windows that another run claimed before any row was written, so that none was
    :param aside: values of others that runs had put aside which had the windows before, and may be about to delete
    """

    computed: Computed
    rows: TargetRows
    totals: Mapping[str, int] | None = None
    overtaken: tuple[Interval, ...] = ()
    aside: tuple[SetAside, ...] = ()


def write_windows(
    job: RollupBlock,
    totals: Mapping[str, int],
    book: ReceiptBook,
    *,
    is_untouched: bool,
    way: NativeWay | None = None,
) -> Steps[Written]:
    """Compute every column of a block and write it to the target.

    The worker writes what InfluxDB computed: half the work of ``wideTo``, and a query that was cut off and goes on in
    the server has nothing to write. Only ``compute="server"`` writes inside InfluxDB, and not when tasks compute.

    :param totals: how many points each field has, so that reads can be bounded
    :param book: has the claim of the run, and the receipts that the windows had before they were WRITING
    :param is_untouched: whether the run has written none of their rows yet
    :param way: lets tasks of InfluxDB compute; None asks by queries
    :raises WindowFrozen: when the windows were purged meanwhile, so that a part may be missing of what was read
    """
    in_influx, *_ = job.fields_by_way()
    is_inside = job.spec.compute == "server" and way is None
    if is_inside:
        in_influx = yield from fields_in_reach(job, in_influx)
        is_inside = bool(in_influx)
    try:
        computed = yield from compute_windows(job, totals, leave_out=in_influx if is_inside else (), way=way)
    except OvertakenError as error:
        nothing = Computed()
        return Written(computed=nothing, rows=computed_rows(job, nothing.blocks), overtaken=error.windows)
    rows = computed_rows(job, computed.blocks)
    look = yield from last_look(job, book, is_untouched=is_untouched)
    if look.taken:
        return Written(computed=computed, rows=rows, overtaken=look.taken)
    counted = None
    if rows.columns:
        write = write_of_rows(job, rows)
        if is_inside or not job.fields:
            yield from ask(write)
        else:
            # all reads are done, so that the source can be counted while the server takes the rows
            _, counted = yield from gather(write, source_totals(job))
    if is_inside:
        computed, rows = yield from _write_inside(job, in_influx, computed, totals)
        # these have read and written at once
        yield from last_look(job, book, is_untouched=False)
    return Written(computed=computed, rows=rows, totals=counted, aside=look.aside)


def _write_inside(
    job: RollupBlock, in_influx: Sequence[str], computed: Computed, totals: Mapping[str, int]
) -> Steps[tuple[Computed, TargetRows]]:
    """Let InfluxDB compute and write, or the worker when there is a key that InfluxDB cannot hold."""
    try:
        return (yield from _write_by_scripts(job, in_influx, computed))
    except QueryFailed as error:
        if not is_key_too_long(error):
            raise
    yield from ask(Report("InfluxDB cannot hold some rows, so the worker writes the others", level="warning"))
    computed = yield from compute_windows(job, totals)
    rows = computed_rows(job, computed.blocks)
    if rows.columns:
        yield from ask(write_of_rows(job, rows))
    return computed, rows


def _write_by_scripts(
    job: RollupBlock, in_influx: Sequence[str], computed: Computed
) -> Steps[tuple[Computed, TargetRows]]:
    """Let InfluxDB compute and write; what it cannot write right itself the worker writes after it."""
    parts = [computed]
    for script in rollup_scripts(job, in_influx, is_written=True):
        found = yield from computed_by(job, script)
        parts.append(found)
    whole, joined_blocks = yield from join_doubled(job, Computed.of(parts), in_influx)
    whole, large = yield from compute_large_again(job, in_influx, whole)
    joined, rows = computed_rows(job, joined_blocks), computed_rows(job, whole.blocks)
    own = {column.name for name in large for column in job.columns_of(name)}
    again = replace(rows, columns={name: column for name, column in rows.columns.items() if name in own})
    for some in (joined, again, rows_lost_inside(rows)):
        if some.columns:
            yield from ask(write_of_rows(job, some))
    return whole, rows
