"""Series and windows that an answer has more than once."""

from __future__ import annotations

import numpy as np

from airflow_provider_influx_rollup.aggregates.doubled import Doubled, repeated_keys, repeated_times
from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet
from airflow_provider_influx_rollup.aggregates.windowed import Block

A: TagSet = (("host", "a"),)
B: TagSet = (("host", "b"),)


def block(tag_sets: list[TagSet], series: list[int], window: list[int], values: list[int]) -> Block:
    return Block(
        column="v_count",
        tag_sets=tag_sets,
        series=np.array(series),
        window=np.array(window),
        values=np.array(values),
    )


def rows_of(blocks: list[Block]) -> list[tuple[TagSet, int, int]]:
    return [
        (one.tag_sets[series], window, value)
        for one in blocks
        for series, window, value in zip(
            one.series.tolist(), one.window.tolist(), one.values.tolist(), strict=True
        )
    ]


def test_nothing_is_doubled_when_each_series_and_window_is_there_once() -> None:
    assert Doubled.of([], 3) is None
    assert Doubled.of([block([A, B], [0, 1, 0], [0, 0, 1], [1, 2, 3])], 2) is None
    assert Doubled.of([block([A], [0], [0], [1]), block([A, B], [0, 1], [1, 0], [1, 1])], 2) is None


def test_rows_are_told_apart_when_one_series_is_doubled_in_one_window() -> None:
    blocks = [block([A], [0, 0], [0, 1], [1, 2]), block([B, A], [0, 1], [1, 1], [3, 4])]
    doubled = Doubled.of(blocks, 2)
    assert doubled is not None
    assert (doubled.tag_sets, doubled.windows) == ([A], [1])
    assert rows_of(doubled.only(blocks)) == [(A, 1, 2), (A, 1, 4)]
    assert rows_of(doubled.without(blocks)) == [(A, 0, 1), (B, 1, 3)]
    other = [block([(("host", "c"),), A], [0, 1], [1, 1], [7, 8])]
    assert rows_of(doubled.only(other)) == [(A, 1, 8)]


def test_keys_are_named_once_when_they_are_there_three_times() -> None:
    assert repeated_keys(np.array([5, 1, 5, 3, 5, 1])).tolist() == [1, 5]
    assert repeated_keys(np.zeros(0, np.int64)).tolist() == []


def test_series_and_time_are_named_when_a_row_is_there_twice() -> None:
    def frame(series: list[int], times: list[int]) -> Frame:
        zeros = np.zeros(len(series), np.int64)
        return Frame(
            tag_sets=[A, B],
            series=np.array(series, np.int64),
            fields=["v"],
            field=zeros,
            time_ns=np.array(times, np.int64),
            values=zeros,
        )

    assert repeated_times(frame([], [])) is None
    assert repeated_times(frame([0, 1, 0], [10, 10, 20])) is None
    assert repeated_times(frame([0, 1, 0, 1], [10, 10, 20, 10])) == (B, 10)
