"""Rows that a script says it wrote, and a target that lacks some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.exceptions import PartialWrite
from airflow_provider_influx_rollup.flux.results import ScriptResults
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.lifecycle.rollup_script.read_back import read_back
from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import ScriptRows
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 1, 1, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))


def wide(site: str | None = "a", **fields: Any) -> Row:
    columns = {"_start": START, "_stop": WINDOW.stop, "_time": START, "_measurement": "m", "site": site or ""}
    key = frozenset({"_start", "_stop", "_measurement", "site"})
    return Row({**columns, **fields}, yield_name="wide-to3", group_key=key)


def stored(field: str, value: Any, **tags: str) -> Row:
    return Row({"_time": START, "_measurement": "m", "_field": field, "_value": value, **tags})


def looked_up(returned: Sequence[Row], there: Sequence[Row]) -> tuple[ScriptRows, str]:
    """Run the verb, with what the target holds."""
    steps = read_back("b", ScriptResults(), returned, WINDOW)
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: tuple[ScriptRows, str] = end.value
            return result
        answer = list(there) if isinstance(step, PointsThere) else None


def test_each_field_of_a_wide_row_is_a_point_when_all_are_there() -> None:
    there = [stored("n", 3, site="a"), stored("label", "x", site="a")]
    rows, checksum = looked_up([wide(n=3, label="x", gone=None)], there)
    assert set(rows.points.values()) == {3, "x"}
    # as to() would have told of the same points
    assert checksum == ScriptRows.of(there).checksum


@pytest.mark.parametrize(
    "there",
    [
        [stored("n", 3, site="a")],
        [stored("n", 3, site="a"), stored("label", "x", site="b")],
        [],
    ],
)
def test_field_of_a_wide_row_is_missed_when_the_target_lacks_it(there: list[Row]) -> None:
    with pytest.raises(PartialWrite, match="of the points that the script wrote are not in 'b'"):
        looked_up([wide(n=3, label="x")], there)


def test_text_is_a_field_when_it_is_not_in_the_group_key() -> None:
    rows, _ = looked_up([wide(None, device="d1")], [stored("device", "d1")])
    assert list(rows.points) == [("m", "device", START, ())]
