"""Read a slice in pieces, where one query needs more memory or time than the server gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.archive import PointsOf, SliceCounts
from airflow_provider_influx_rollup.flux.query import PointsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.source.slices import Slice
from airflow_provider_influx_rollup.lifecycle.source.value_groups import (
    FIELD,
    PARTS,
    filterable,
    groups_of,
    values_in,
)
from airflow_provider_influx_rollup.step import Step
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, split_interval

A = TypeVar("A")
StepOf = Callable[[Slice, tuple[PointsQuery, ...]], Step[A]]

# what so few points need is no matter of how many there are
LEAST_ROWS = 1_000


@dataclass(slots=True)
class ReadSize:
    """What a run has seen of the server's limits.

    :param most: points that one query may return; None: as many as a slice has
    :param is_by_series: whether there are so many series that they are read in groups
    """

    most: int | None = None
    is_by_series: bool = False


@dataclass(frozen=True, slots=True)
class PointsSource:
    """A measurement that is read in pieces.

    :param tags: its tag keys
    :param size: what earlier reads of the run have shown
    """

    bucket: str
    measurement: str
    tags: tuple[str, ...]
    size: ReadSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a slice; the pieces of a slice have no point in common, and together all points it had when it was cut.

    :param rows: points that it has, counted or guessed
    :param chosen: names of fields, and values of tags, that it is made of; empty: all
    """

    interval: Interval
    rows: int
    by_field: bool = False
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_slices(source: PointsSource, some: Sequence[Slice], step_of: StepOf[A]) -> Steps[list[A]]:
    """Ask a step for each slice, at the same time; a slice whose queries reach a limit is read in smaller pieces.

    :param step_of: makes the step of a slice and the queries that together return its points
    :raises QueryLimitReached: when queries of so few points reach it that fewer would not help
    """
    pieces: dict[Slice, list[Piece]] = {}
    for one in some:
        pieces[one] = yield from _pieces(source, one)
    steps = [step_of(one, tuple(_query(source, piece) for piece in cut)) for one, cut in pieces.items()]
    try:
        return list((yield from ask(Gather(tuple(steps)))))
    except QueryLimitReached as error:
        yield from _make_smaller(source, [piece for cut in pieces.values() for piece in cut], error)
    found: list[A] = []
    for one in some:
        found += yield from read_slices(source, [one], step_of)
    return found


def _query(source: PointsSource, piece: Piece) -> PointsOf:
    tags = {key: values for key, values in piece.chosen.items() if key != FIELD}
    return PointsOf(
        bucket=source.bucket,
        measurement=source.measurement,
        interval=piece.interval,
        by_field=piece.by_field,
        fields=piece.chosen.get(FIELD, ()),
        tags=tags,
    )


def _make_smaller(source: PointsSource, pieces: Sequence[Piece], error: QueryLimitReached) -> Steps[None]:
    """Let queries return fewer points from now on."""
    largest = max(pieces, key=lambda one: one.rows)
    smaller = [] if largest.rows <= LEAST_ROWS else (yield from _cut(source, largest))
    if len(smaller) < 2:
        raise error
    source.size.most = max(LEAST_ROWS, largest.rows // PARTS)
    what = f"{largest.interval} is read in pieces of up to {source.size.most:,} points: {error.what}"
    yield from ask(Report(what, level="warning"))


def _pieces(source: PointsSource, one: Slice) -> Steps[list[Piece]]:
    """A slice in pieces that are small enough, as far as it can be cut."""
    most = source.size.most
    if most is None:
        return [Piece(interval=one.interval, rows=one.rows, by_field=one.by_field)]
    # one table for each field needs more memory than one for each series
    waiting = [Piece(interval=one.interval, rows=one.rows)]
    done: list[Piece] = []
    while waiting:
        piece = waiting.pop()
        smaller = [piece] if piece.rows <= most else (yield from _cut(source, piece))
        if len(smaller) < 2:
            done.append(piece)
        else:
            waiting += reversed(smaller)
    return done


def _cut(source: PointsSource, piece: Piece) -> Steps[list[Piece]]:
    """A piece in smaller ones: in time, as long as its points can be counted; else by fields and tags, and in time at last."""
    is_short = piece.interval.duration <= MICROSECOND
    if not (is_short or piece.chosen or source.size.is_by_series):
        try:
            return (yield from _cut_in_time(source, piece))
        except QueryLimitReached:
            # the counts of all series do not fit: a shorter interval has as many series
            source.size.is_by_series = True
    smaller = yield from _cut_by_values(source, piece)
    if len(smaller) > 1 or is_short:
        return smaller
    parts = split_interval(piece.interval, PARTS)
    return [replace(piece, interval=part, rows=-(-piece.rows // len(parts))) for part in parts]


def _cut_in_time(source: PointsSource, piece: Piece) -> Steps[list[Piece]]:
    parts = split_interval(piece.interval, PARTS)
    counts = yield from ask(SliceCounts(_every(source), parts))
    return [Piece(interval=part, rows=rows) for part, rows in zip(parts, counts, strict=True)]


def _cut_by_values(source: PointsSource, piece: Piece) -> Steps[list[Piece]]:
    for column in (FIELD, *filterable(source.tags)):
        values = piece.chosen.get(column) or (yield from values_in(_every(source), piece.interval, column))
        if len(values) > 1:
            return [
                replace(
                    piece,
                    rows=-(-piece.rows * len(some) // len(values)),
                    chosen={**piece.chosen, column: some},
                )
                for some in groups_of(values)
            ]
    return [piece]


def _every(source: PointsSource) -> RollupSource:
    return RollupSource(source.bucket, source.measurement, {})
