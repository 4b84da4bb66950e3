from __future__ import annotations

import json

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.lifecycle.target.block import weighed_points
from airflow_provider_influx_rollup.lifecycle.target.set_aside import (
    CHARACTERS_PER_PART,
    VALUES_PER_PART,
    _parts,
)


def columns_of(*names: str, parts: tuple[str, ...] = ()) -> list[Column]:
    return [
        Column(field="x", field_type="float", aggregate=find_aggregate(name), parts=parts) for name in names
    ]


def test_points_weigh_more_when_they_make_sketches() -> None:
    totals = {"x": 100, "x_quantile_sketch": 7}
    assert weighed_points(columns_of("count", "p99"), totals) == 100
    assert weighed_points(columns_of("count", "p99_approx", "quantile_sketch"), totals) == 1000
    assert weighed_points(columns_of("p99_approx", parts=("x_quantile_sketch",)), totals) == 700


def test_values_are_put_aside_in_more_parts_when_they_are_long() -> None:
    numbers = [[[], 0, "count", "", index] for index in range(450)]
    assert [len(part) for part in _parts(numbers)] == [VALUES_PER_PART, VALUES_PER_PART, 50]
    texts = [[[], 0, "sketch", "", "A" * 20_000] for _ in range(5)]
    parts = list(_parts(texts))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert all(len(json.dumps(part)) <= CHARACTERS_PER_PART for part in parts)
    assert list(_parts([])) == []
