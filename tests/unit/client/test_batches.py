"""Batches of lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.batches import split_lines
from airflow_provider_influx_rollup.exceptions import WriteRejected


@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="#"), max_size=30), max_size=30),
    max_lines=st.integers(1, 10),
    max_bytes=st.integers(1, 100),
)
def test_batches_hold_all_lines_in_order_when_cut(lines: list[str], max_lines: int, max_bytes: int) -> None:
    batches = list(split_lines(lines, max_lines=max_lines, max_bytes=max_bytes))
    assert sum(batch.line_count for batch in batches) == len(lines)
    assert "\n".join(batch.payload.decode() for batch in batches) == "\n".join(lines)
    for batch in batches:
        assert 1 <= batch.line_count <= max_lines
        assert len(batch.payload) < max_bytes or batch.line_count == 1


def test_batches_are_full_when_lines_are_many() -> None:
    counts = [batch.line_count for batch in split_lines(f"m v={n}" for n in range(25_000))]
    assert counts == [10_000, 10_000, 5_000]


@pytest.mark.parametrize("line", ["#m v=1", " \t#m v=1"])
def test_line_is_refused_when_the_server_would_drop_it_as_a_comment(line: str) -> None:
    with pytest.raises(WriteRejected, match="takes for a comment"):
        list(split_lines(["m v=1", line]))
