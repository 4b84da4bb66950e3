"""Retention, deletes, late points and reruns in any order: a rollup is never replaced by a poorer one in silence.

The source is a model of the server's: retention drops whole shard groups, at any time after their last instant is too
old, and refuses writes that are older than itself. ``tests/live/test_retention.py`` shows that the server does so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.flux.source_read import WindowCounts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim, Ownership
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.frozen import count_notes, frozen_windows
from airflow_provider_influx_rollup.lifecycle.run.margins import RETENTION_MARGIN
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.interval import Interval

BEGIN = datetime(2025, 3, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIELDS = ("temp", "load")
SPECS = {
    fields: RollupSpec(
        source_bucket="raw",
        target_bucket="rolled",
        measurement="m",
        grid=GridSpec("2h"),
        aggregates=("count",),
        fields=fields,
        pipeline="mine",
    )
    for fields in (("temp",), FIELDS)
}


@dataclass
class Source:
    """Points by field and minute. ``lost`` are those that retention took: no person wanted them gone."""

    bucket: Bucket
    points: dict[str, set[datetime]] = field(default_factory=lambda: {name: set() for name in FIELDS})
    lost: dict[str, set[datetime]] = field(default_factory=lambda: {name: set() for name in FIELDS})

    def keeps_from(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self.bucket.retention_seconds)

    def enforce(self, now: datetime) -> None:
        """Drop the shard groups that are too old as a whole."""
        length = timedelta(seconds=self.bucket.shard_group_seconds)
        for name in FIELDS:
            old = {
                moment
                for moment in self.points[name]
                if moment + length - (moment - BEGIN) % length <= self.keeps_from(now)
            }
            self.lost[name] |= old
            self.points[name] -= old

    def counts(self, window: Interval, fields: tuple[str, ...]) -> Counter[str]:
        return Counter({name: sum(map(window.contains, self.points[name])) for name in fields})

    def lacks(self, window: Interval, fields: tuple[str, ...]) -> bool:
        """Whether retention has taken a point of a window."""
        return any(window.contains(moment) for name in fields for moment in self.lost[name])


def table(source: Source, job: RollupBlock) -> pa.Table:
    """What ``WindowCounts`` returns: the points of each field and window that has some."""
    rows = [
        (window.start, name, count)
        for window in job.windows
        for name, count in source.counts(window, job.fields).items()
        if count
    ]
    return pa.table(
        {
            "_time": pa.array([row[0] for row in rows], pa.timestamp("ns", "UTC")),
            "_field": pa.array([row[1] for row in rows], pa.string()),
            "_value": pa.array([row[2] for row in rows], pa.int64()),
        }
    )


class Story:
    """Runs of two specs over a source that forgets."""

    def __init__(self, retention_hours: int, shard_hours: int) -> None:
        self.now = BEGIN + timedelta(days=3)
        self.source = Source(
            Bucket(
                name="raw", retention_seconds=retention_hours * 3600, shard_group_seconds=shard_hours * 3600
            )
        )
        self.receipts: dict[Interval, Receipt] = {}
        for moments in self.source.points.values():
            moments |= {self.now - step * MINUTE for step in range(0, retention_hours * 60, 40)}

    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    def points_come(self, name: str, back: int, length: int) -> None:
        moments = [self.now - (back + step) * MINUTE for step in range(0, length, 25)]
        self.source.points[name] |= {at for at in moments if at >= self.source.keeps_from(self.now)}

    def person_deletes(self, name: str, back: int, length: int) -> None:
        """Inside the retention, which is a change like any other."""
        stop = self.now - back * MINUTE
        start = max(stop - length * MINUTE, self.source.keeps_from(self.now))
        self.source.points[name] = {at for at in self.source.points[name] if not start <= at < stop}

    def run(self, back: int, count: int, fields: tuple[str, ...], slow: int, force: bool) -> None:
        """A run looks, is slow, meets an enforcement, reads, and commits what it has read."""
        spec = SPECS[fields]
        grid = spec.grid.grid()
        stop = grid.floor(self.now) - back * timedelta(hours=2)
        windows = tuple(grid.windows(Interval(stop - count * timedelta(hours=2), stop)))
        columns = tuple(
            Column(field=name, field_type="float", aggregate=find_aggregate("count")) for name in fields
        )
        job = RollupBlock(
            spec=spec, windows=windows, cells=windows, columns=columns, ownership=Ownership(Claim.of(spec))
        )
        book = ReceiptBook(
            ledger_bucket="ledger",
            pipeline="mine",
            stage="rollup",
            spec_hash=spec.spec_hash(),
            run=RunInfo(),
            previous=dict(self.receipts),
        )
        frozen = self.judged(job, book)
        self.now += slow * MINUTE
        self.source.enforce(self.now)
        for window in windows:
            if window not in frozen:
                # the one promise: what is rolled up lacks nothing that retention took
                assert not self.source.lacks(window, fields), window
                self.commit(book, window, fields)
            elif force:
                self.commit(replace(book, forced=frozenset([window])), window, fields)

    def commit(self, book: ReceiptBook, window: Interval, fields: tuple[str, ...]) -> None:
        before = self.receipts.get(window)
        rows_in = sum(self.source.counts(window, fields).values())
        receipt = replace(book.receipt(window, State.COMMITTED, self.now), rows_in=rows_in)
        self.receipts[window] = receipt
        # and a rollup that has become poorer in any other way is told of
        if before and before.spec_hash == receipt.spec_hash and rows_in < before.rows_in:
            assert count_notes({window: before}, [receipt])

    def judged(self, job: RollupBlock, book: ReceiptBook) -> dict[Interval, WindowFrozen]:
        """Act out the verb's question about the windows."""
        steps = frozen_windows(job, book, self.source.bucket, self.now)
        try:
            query = next(steps)
            assert isinstance(query, WindowCounts)
            steps.send(query.read([table(self.source, job)]))
        except StopIteration as end:
            frozen: dict[Interval, WindowFrozen] = end.value
            return frozen
        raise AssertionError("one question is enough")


NAMES = st.sampled_from(FIELDS)
CHANGES = st.one_of(
    st.tuples(st.just(Story.time_passes), st.integers(1, 900)),
    st.tuples(st.just(Story.points_come), NAMES, st.integers(0, 1800), st.integers(1, 600)),
    st.tuples(st.just(Story.person_deletes), NAMES, st.integers(0, 1800), st.integers(1, 90)),
)
RUNS = st.tuples(
    st.just(Story.run),
    st.integers(0, 15),
    st.integers(1, 12),
    st.sampled_from(list(SPECS)),
    st.integers(0, RETENTION_MARGIN // MINUTE - 1),
    st.booleans(),
)


# the shard group goes while the run is slow; and it ended an hour before the window's start + its length
@example(2, 1, [(Story.time_passes, 50), (Story.run, 0, 1, ("temp",), 14, False)])
@example(1, 3, [(Story.time_passes, 70), (Story.run, 0, 1, ("temp",), 0, False)])
@given(
    st.integers(1, 30),
    st.sampled_from([1, 3, 24]),
    st.lists(st.one_of(CHANGES, RUNS), min_size=5, max_size=25),
)
def test_rollup_is_complete_or_forced_when_retention_takes_points_at_any_time(
    retention_hours: int, shard_hours: int, events: list[tuple[Callable[..., None], Any]]
) -> None:
    story = Story(retention_hours, shard_hours)
    for change, *arguments in events:
        change(story, *arguments)
