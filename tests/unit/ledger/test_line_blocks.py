"""Many lines at once: the same lines as one by one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.ledger.line_blocks import FieldValues, encode_rows
from airflow_provider_influx_rollup.ledger.line_protocol import UInt, encode_line

TAG_SETS = [
    (("device", "a 1"), ("site", "são, paulo = 1")),
    (("device", "b"),),
    (),
]
TIMES = [-(2**62), 0, 1_700_000_000_000_000_001]
FLOAT = re.compile(r"(?<=f=)[^ ,]+")
KINDS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "f": (st.floats(allow_nan=False, allow_infinity=False), np.float64),
    "i": (st.integers(-(2**63), 2**63 - 1), np.int64),
    "u": (st.integers(0, 2**64 - 1), np.uint64),
    "b": (st.booleans(), np.bool_),
    "s, =": (st.text(st.characters(exclude_categories=["Cs"]), max_size=9), object),
}


def column(name: str, cells: dict[tuple[int, int], Any]) -> FieldValues:
    values = np.empty(len(cells), KINDS[name][1])
    values[:] = list(cells.values())
    series, window = (np.array([key[i] for key in cells], np.int64) for i in (0, 1))
    return FieldValues(series, window, values, is_unsigned=name == "u")


def exact(line: str) -> str:
    """The line with its float as Python prints it: both texts are the shortest, but not the same."""
    return FLOAT.sub(lambda found: repr(float(found[0])), line)


@given(st.data())
def test_lines_are_those_of_one_by_one_when_any_cells_are_missing(data: st.DataObject) -> None:
    keys = st.tuples(st.integers(0, len(TAG_SETS) - 1), st.integers(0, len(TIMES) - 1))
    chosen = {
        name: data.draw(st.dictionaries(keys, values, max_size=6), label=name)
        for name, (values, _) in KINDS.items()
    }
    filled = {name: cells for name, cells in chosen.items() if cells}
    if not filled:
        return
    rows = sorted({key for cells in filled.values() for key in cells})
    expected = []
    for series, time in rows:
        fields = {name: cells[series, time] for name, cells in filled.items() if (series, time) in cells}
        if "u" in fields:
            fields["u"] = UInt(fields["u"])
        expected.append(encode_line("m 1", dict(TAG_SETS[series]), fields, TIMES[time]))
    lines = encode_rows("m 1", TAG_SETS, TIMES, {name: column(name, cells) for name, cells in filled.items()})
    assert [exact(line) for line in lines] == [exact(line) for line in expected]


@pytest.mark.parametrize(
    ("measurement", "tags", "field"),
    [("#m", (), "f"), ("m", (("device", "a\\"),), "f"), ("m", (("_time", "a"),), "f"), ("m", (), "time")],
)
def test_a_name_is_refused_when_a_line_cannot_hold_it(measurement: str, tags: Any, field: str) -> None:
    one = np.zeros(1, np.int64)
    with pytest.raises(InvalidName):
        encode_rows(measurement, [tags], [0], {field: FieldValues(one, one, np.ones(1))})
