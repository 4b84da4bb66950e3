"""The Flux of a rollup: one pushed-down chain per field and aggregate, each with its own ``from()``.

A ``from()`` that several aggregates share is read raw once and loses every pushdown (37 times slower), so each
chain has its own. ``wideTo`` sorts the tags; ``to`` keeps the order of the columns, and a rerun would then write a
second series key. A chain of one field needs no pivot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

WIDE_TO_IMPORT = 'import "influxdata/influxdb"'
VALUE = "_value"
# the yield's name says which field it is: a column less to send and to read
RETURNED = '  |> group()\n  |> drop(columns: ["_start", "_stop", "_measurement", "_field"])\n'
NEW_LINE = "\n"
ORDERED = frozenset({"first", "last"})


@dataclass(frozen=True, slots=True)
class RollupSource:
    """The source of a rollup.

    :param tags: tag values to keep, per tag key
    """

    bucket: str
    measurement: str
    tags: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One field of the target.

    :param field: field of the source
    :param flux_function: the Flux calls that compute one window
    :param is_pushed: whether ``aggregateWindow`` may run it in the storage engine
    :param column: name of the field in the target
    :param is_written: False returns the values only
    :param is_extreme: return the smallest or largest value of all windows and series only
    :param is_joined: whether points of one tag set are taken together although they have several series keys
    """

    field: str
    flux_function: str
    is_pushed: bool
    column: str
    is_written: bool = True
    is_extreme: bool = False
    is_joined: bool = False

    @property
    def value_column(self) -> str:
        """The column that holds the value in the rows that it returns."""
        return self.column if self.is_written else VALUE


def extreme_chains(fields: Iterable[str]) -> list[Chain]:
    """The chains that return the smallest and the largest value of fields."""
    return [
        Chain(
            field=name,
            flux_function=function,
            is_pushed=True,
            column=f"{name}_{function}",
            is_written=False,
            is_extreme=True,
        )
        for name in fields
        for function in ("min", "max")
    ]


def render_source(source: RollupSource, interval: Interval, fields: Iterable[str] | None = None) -> str:
    """``from |> range |> filter`` in the form that the storage engine takes over whole."""
    lines = [
        f"from(bucket: {literals.string(source.bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        measurement_filter(source.measurement).strip(),
    ]
    if fields is not None:
        lines.append(field_filter(fields).strip())
    if source.tags:
        lines.append(tag_filter(source.tags).strip())
    return "\n  ".join(lines)


def render_window(run: EqualRun, chain: Chain) -> str:
    """The aggregation step of a chain: rows at the start of their window, none for empty windows."""
    if chain.is_pushed and not chain.is_joined:
        return (
            f"|> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
            f'fn: {chain.flux_function}, createEmpty: false, timeSrc: "_start")'
        )
    # window() joins the tables of one tag set; the value decides between points of one time
    joined = '|> sort(columns: ["_time", "_value"]) ' if chain.is_joined else ""
    calls = f"{chain.flux_function}()" if chain.is_pushed else chain.flux_function
    return (
        f"|> window(every: {run.every_ns}ns, offset: {run.offset_ns}ns) {joined}"
        f'|> {calls} |> duplicate(column: "_start", as: "_time") |> window(every: inf)'
    )


def render_chain(source: RollupSource, run: EqualRun, chain: Chain) -> str:
    """A chain up to its rows, one for each series and window; of an extreme one for each series."""
    return (
        f"{render_source(source, run.interval, [chain.field])}\n"
        f"  {render_window(_in_one(run) if chain.is_extreme else run, chain)}"
    )


def render_rollup(
    source: RollupSource,
    chains: Sequence[Chain],
    runs: Sequence[EqualRun],
    target_bucket: str,
    target_measurement: str,
) -> str:
    """The script that rolls up runs of windows and returns the rows; a chain that is written is written first.

    The yields are named by the run and the chain. Written rows have their value in the target's column, the others in
    ``_value``, in one table: the server is faster with one than with one for each series.

    :param chains: what to compute
    :param runs: runs of equal windows; each becomes one chain per entry of ``chains``
    """
    renamed = target_measurement if target_measurement != source.measurement else None
    statements = [
        f"{render_chain(source, run, chain)}\n"
        f"{_written(chain, target_bucket, renamed) if chain.is_written else RETURNED}"
        f"{f'  |> {chain.flux_function}()' + NEW_LINE if chain.is_extreme else ''}"
        f'  |> yield(name: "{run_number}:{number}")'
        for run_number, run in enumerate(runs)
        for number, chain in enumerate(chains)
    ]
    imports = [WIDE_TO_IMPORT] if any(chain.is_written for chain in chains) else []
    return "\n\n".join([*imports, *statements]) + "\n"


def _in_one(run: EqualRun) -> EqualRun:
    """One window for all of a run's, of which the server returns one row for each series."""
    length_ns = run.interval.stop_ns - run.interval.start_ns
    return replace(run, every_ns=length_ns, offset_ns=run.interval.start_ns % length_ns)


def _written(chain: Chain, target_bucket: str, renamed: str | None) -> str:
    """The end of a chain that writes; the value has the target's column then.

    :param renamed: the target's measurement where it is another one
    """
    measurement = (
        "" if renamed is None else f'  |> set(key: "_measurement", value: {literals.string(renamed)})\n'
    )
    return (
        '  |> drop(columns: ["_start", "_stop", "_field"])\n'
        f"{measurement}"
        f"  |> rename(columns: {{_value: {literals.string(chain.column)}}})\n"
        f"  |> influxdb.wideTo(bucket: {literals.string(target_bucket)})\n"
    )


def render_partials(
    source: RollupSource,
    runs: Sequence[EqualRun],
    names: Sequence[str],
    field: str,
    *,
    keeps_times: bool,
) -> str:
    """The partial aggregates of one field per series and cell, to be merged over cells or series.

    :param keeps_times: give ``first`` and ``last`` the time of the point itself, which decides between series, and the
        cell's start in ``_start``; ``aggregateWindow``, which takes half the time, has the cell's start in ``_time``
    """
    statements: list[str] = []
    for run in runs:
        for name in names:
            has_times = keeps_times and name in ORDERED
            statements.append(
                f"{render_source(source, run.interval, [field])}\n"
                f"{_partial_with_time(run, name) if has_times else _partial(run, name)}"
                f'  |> yield(name: "{name}:{len(statements)}")'
            )
    return "\n\n".join(statements) + "\n"


def _partial(run: EqualRun, name: str) -> str:
    return (
        f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, fn: {name}, "
        'createEmpty: false, timeSrc: "_start")\n'
        '  |> group(columns: ["_field"])\n'
        '  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
    )


def _partial_with_time(run: EqualRun, name: str) -> str:
    return (
        f"  |> window(every: {run.every_ns}ns, offset: {run.offset_ns}ns)\n"
        f"  |> {name}()\n"
        '  |> group(columns: ["_field"])\n'
        '  |> drop(columns: ["_stop", "_measurement"])\n'
    )
