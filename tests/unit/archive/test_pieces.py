"""Which generations count where windows were compacted, changed since, and compacted again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.catalog import Entry
from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.archive.pieces import cut_pieces
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2026, 1, 1, tzinfo=UTC)
Taken = list[tuple[Interval, list[Interval]]]


def hours(first: int, last: int) -> Interval:
    return Interval(START + timedelta(hours=first), START + timedelta(hours=last))


def entry(window: Interval, generation: int = 1, compacted: dict[Interval, int] | None = None) -> Entry:
    part = Part(
        name="float-x.parquet",
        kind="float",
        rows=1,
        bytes=1,
        sha256="",
        first_ns=window.start_ns,
        last_ns=window.stop_ns - 1,
    )
    return Entry(
        window=window,
        generation=generation,
        created_at=f"2026-02-{generation:02d}T00:00:00Z",
        rows=1,
        bytes=1,
        series=1,
        tags=(),
        parts=(part,),
        compacted=compacted or {},
    )


def taken(*entries: Entry, of: Interval | None = None) -> Taken:
    pieces = cut_pieces(entries, of or hours(0, 100))
    return [(piece.interval, [one.window for one in piece.entries]) for piece in pieces]


HOURS = [hours(number, number + 1) for number in range(4)]
DAY, MONTH = hours(0, 4), hours(0, 8)


def test_gaps_stay_gaps_when_windows_around_them_are_compacted() -> None:
    day = entry(DAY, 1, {HOURS[0]: 1, HOURS[3]: 1})
    assert taken(day) == [(HOURS[0], [DAY]), (HOURS[3], [DAY])]
    assert taken(day, entry(HOURS[1])) == [(HOURS[0], [DAY]), (HOURS[1], [HOURS[1]]), (HOURS[3], [DAY])]
    assert taken(day, of=hours(1, 3)) == []


def test_the_largest_counts_when_nothing_has_changed() -> None:
    small = [entry(one) for one in HOURS]
    day = entry(DAY, 1, dict.fromkeys(HOURS, 1))
    month = entry(MONTH, 1, {DAY: 1, **dict.fromkeys(HOURS, 1)})
    assert taken(*small, day, month) == [(DAY, [MONTH])]


def test_a_changed_hour_counts_until_those_above_know_it() -> None:
    small = [entry(HOURS[0], 2), *(entry(one) for one in HOURS[1:])]
    old_day = entry(DAY, 1, dict.fromkeys(HOURS, 1))
    new_day = entry(DAY, 2, {**dict.fromkeys(HOURS, 1), HOURS[0]: 2})
    old_month = entry(MONTH, 1, {DAY: 1, **dict.fromkeys(HOURS, 1)})
    month_of_hour = entry(MONTH, 2, {DAY: 1, **dict.fromkeys(HOURS, 1), HOURS[0]: 2})
    rest = hours(1, 4)
    assert taken(*small, old_day, old_month) == [(HOURS[0], [HOURS[0]]), (rest, [MONTH])]
    assert taken(*small, new_day, old_month) == [(DAY, [DAY])]
    assert taken(*small, old_day, month_of_hour) == [(DAY, [MONTH])]


def test_the_newest_hour_counts_when_two_compactions_at_once_made_each_other_out_of_date() -> None:
    day = entry(DAY, 2, dict.fromkeys(HOURS, 1))
    month = entry(MONTH, 1, {DAY: 1, HOURS[0]: 2})
    assert taken(entry(HOURS[0], 2), day, month, of=HOURS[0]) == [(HOURS[0], [HOURS[0]])]


@given(st.data())
def test_each_hour_counts_once_and_no_older_than_it_is(data: Any) -> None:
    """Archives and compactions in any order: what counts at an hour was made of its newest generation."""
    newest = dict.fromkeys(HOURS, 1)
    entries: dict[Interval, Entry] = {one: entry(one) for one in HOURS}
    holds: dict[tuple[Interval, int], dict[Interval, int]] = {(one, 1): {one: 1} for one in HOURS}
    for _ in range(data.draw(st.integers(1, 12))):
        window = data.draw(st.sampled_from([*HOURS, DAY, MONTH]))
        if window in HOURS:
            newest[window] += 1
            entries[window] = entry(window, newest[window])
            holds[window, newest[window]] = {window: newest[window]}
            continue
        inside = [one for one in entries.values() if window.covers(one.window)]
        pieces = cut_pieces(inside, window)
        held = {
            one: holds[piece.entries[0].window, piece.entries[0].generation][one]
            for piece in pieces
            for one in HOURS
            if piece.interval.covers(one)
        }
        named: dict[Interval, int] = {}
        for piece in pieces:
            one = piece.entries[0]
            own = {} if one.window == window else {one.window: one.generation}
            for name, number in {**one.compacted, **own}.items():
                if name.overlaps(piece.interval):
                    named[name] = max(number, named.get(name, 0))
        generation = entries[window].generation + 1 if window in entries else 1
        entries[window] = entry(window, generation, named)
        holds[window, generation] = held
    for one in HOURS:
        (piece,) = cut_pieces(list(entries.values()), one)
        (standing,) = piece.entries
        assert holds[standing.window, standing.generation][one] == newest[one]
