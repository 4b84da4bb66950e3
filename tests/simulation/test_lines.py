"""The simulator reads line protocol as the package writes it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.ledger.line_protocol import UInt, encode_line
from tests.scenes.examples import examples
from tests.simulation.lines import Unsigned, parse_lines

names = st.text(alphabet="ab ,=\"\\é'", min_size=1, max_size=5)
values = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1).map(UInt),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(alphabet='ab ,="\\\n', max_size=6),
)


@given(
    measurement=names,
    tags=st.dictionaries(names, names, max_size=2),
    fields=st.dictionaries(names, values, min_size=1, max_size=3),
    time=st.integers(-(2**63), 2**63 - 1),
)
@settings(max_examples=examples(100), deadline=None)
def test_point_is_the_same_when_it_is_read(
    measurement: str, tags: dict[str, str], fields: dict[str, object], time: int
) -> None:
    try:
        line = encode_line(measurement, tags, fields, time)  # type: ignore[arg-type]
    except InfluxRollupError:
        return
    found = list(parse_lines([f"{line}\n{line}"]))
    assert found[0] == found[1]
    assert (found[0].measurement, dict(found[0].tags), found[0].time_ns) == (measurement, tags, time)
    assert dict(found[0].fields) == fields
    kinds = {UInt: Unsigned}
    assert {name: type(value) for name, value in found[0].fields} == {
        name: kinds.get(type(value), type(value))
        for name, value in fields.items()  # type: ignore[call-overload]
    }
