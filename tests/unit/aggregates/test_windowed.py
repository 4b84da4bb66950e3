"""Points spread over windows, and parts merged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.frame import Frame, concat_frames
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.windowed import (
    Block,
    WindowBounds,
    aggregate_points,
    merge_parts,
    parts_of,
)

MERGEABLE = ("count", "sum", "min", "max", "first", "last")
POINTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 99), st.integers(-50, 50)),
    min_size=1,
    max_size=40,
    unique_by=lambda point: point[:2],
)


def frame_of(points: list[tuple[str, int, int]], starts: list[int] | None = None) -> Frame:
    tag_sets = [(("device", device), ("site", "x" if device < "c" else "y")) for device in "abc"]
    return Frame(
        tag_sets=tag_sets,
        series=np.array(["abc".index(point[0]) for point in points], np.int64),
        fields=["v"],
        field=np.zeros(len(points), np.int64),
        time_ns=np.array([point[1] for point in points], np.int64),
        values=np.array([point[2] for point in points], np.int64),
        start_ns=None if starts is None else np.array(starts, np.int64),
    )


def columns_of(names: tuple[str, ...]) -> list[Column]:
    return [Column(field="v", field_type="integer", aggregate=find_aggregate(name)) for name in names]


def as_dict(block: Block) -> dict[tuple[object, int], object]:
    rows = zip(block.series.tolist(), block.window.tolist(), block.values.tolist(), strict=True)
    return {(block.tag_sets[series], window): value for series, window, value in rows}


def plain(name: str, group: list[tuple[int, int]]) -> int:
    """One aggregate of ``(time, value)`` pairs; ties of time go by value."""
    ordered = sorted(group)
    values = [value for _, value in ordered]
    functions = {"count": len, "sum": sum, "min": min, "max": max}
    return functions[name](values) if name in functions else values[0 if name == "first" else -1]


@given(POINTS)
def test_points_are_in_every_window_that_holds_them_when_windows_slide(
    points: list[tuple[str, int, int]],
) -> None:
    bounds = WindowBounds(np.arange(-20, 90, 10), np.arange(-20, 90, 10) + 30)
    blocks = aggregate_points(frame_of(points), bounds, columns_of(MERGEABLE))
    for name, block in zip(MERGEABLE, blocks, strict=True):
        expected = {}
        for number, (start, stop) in enumerate(zip(bounds.starts, bounds.stops, strict=True)):
            for code, device in enumerate("abc"):
                group = [(t, v) for d, t, v in points if d == device and start <= t < stop]
                if group:
                    expected[block.tag_sets[code], number] = plain(name, group)
        assert as_dict(block) == expected


@given(POINTS, st.sampled_from([None, ("site",), ()]))
def test_merged_parts_equal_the_whole_when_cells_are_merged(
    points: list[tuple[str, int, int]], group_by: tuple[str, ...] | None
) -> None:
    parts: dict[str, list[Frame]] = {}
    for name in MERGEABLE:
        rows = []
        for device, cell in sorted({(d, t // 10) for d, t, _ in points}):
            group = [(t, v) for d, t, v in points if d == device and t // 10 == cell]
            times = sorted(group)
            time = times[0][0] if name == "first" else times[-1][0]
            rows.append((device, time, plain(name, group), cell * 10))
        parts[name] = [frame_of([row[:3] for row in rows], [row[3] for row in rows])]
    bounds = WindowBounds(np.arange(-20, 90, 10), np.arange(-20, 90, 10) + 30)
    blocks = merge_parts(parts, bounds, columns_of((*MERGEABLE, "mean")), group_by)
    for name, block in zip((*MERGEABLE, "mean"), blocks, strict=True):
        expected = {}
        for number, (start, stop) in enumerate(zip(bounds.starts, bounds.stops, strict=True)):
            for tags in block.tag_sets:
                group = [
                    (t, v)
                    for d, t, v in points
                    if start <= t < stop and set(tags) <= {("device", d), ("site", "x" if d < "c" else "y")}
                ]
                if group and name == "mean":
                    expected[tags, number] = sum(v for _, v in group) / len(group)
                elif group:
                    expected[tags, number] = plain(name, group)
        assert as_dict(block) == expected, name


def test_mean_is_read_as_sum_and_count_when_parts_are_chosen() -> None:
    assert parts_of(columns_of(("mean", "last"))) == ["count", "last", "sum"]
    assert parts_of(columns_of(("max",))) == ["count", "max"]


def test_series_are_the_same_when_frames_with_other_series_are_joined() -> None:
    first, second = frame_of([("a", 1, 10)]), frame_of([("c", 2, 20)])
    joined = concat_frames([second, first])
    assert [(joined.tag_sets[s], v) for s, v in zip(joined.series, joined.values, strict=True)] == [
        (second.tag_sets[2], 20),
        (first.tag_sets[0], 10),
    ]


def test_value_is_left_out_when_it_does_not_exist() -> None:
    points = frame_of([("a", 1, 10), ("b", 1, 5), ("b", 2, 7)])
    [block] = aggregate_points(points, WindowBounds(np.array([0]), np.array([10])), columns_of(("stddev",)))
    assert [tags[0][1] for tags, _ in as_dict(block)] == ["b"]


def test_mean_is_left_out_when_the_sum_of_one_series_overflows() -> None:
    # the server answers with an infinite sum; the count of the same series is there
    count = frame_of([("a", 0, 2), ("b", 0, 4)], [0, 0])
    total = replace(count, values=np.array([np.inf, 6.0]))
    bounds = WindowBounds(np.array([0]), np.array([10]))
    blocks = merge_parts({"sum": [total], "count": [count]}, bounds, columns_of(("sum", "mean")), None)
    assert [list(as_dict(block).values()) for block in blocks] == [[6.0], [1.5]]
