"""What the simulator of ``tests/simulation`` answers to queries of validations is what a real InfluxDB answers, on random data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.erase import CopiesRecords
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.validate import (
    CellCounts,
    CopyCounts,
    FieldExtremes,
    LastPoints,
    RecordedRules,
    SeriesLooks,
    TotalLooks,
)
from airflow_provider_influx_rollup.ledger.copies import CopiedTo
from airflow_provider_influx_rollup.ledger.validation import RuleResult, encode_validation
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from tests.live.test_simulator_conformance import (
    FIELDS,
    HOURS,
    NUMBERS,
    SETTINGS,
    SOURCES,
    SPAN,
    changed,
    changes,
)
from tests.scenes.rollup_runs import Place, interval, make_place
from tests.simulation.conformance import Both, points_in

pytestmark = pytest.mark.live

EVERYTHING = interval("1970-01-01T00:00", "2030-01-01T00:00")
names = st.sampled_from(["one", 'tw "o"'])


@pytest.fixture(scope="module")
def place(influx: Any, client: InfluxClient) -> Place:
    return make_place(influx, client)


def looks(frames: Any) -> list[Any]:
    """The name of each look, with its points but for their times, which the server says of some only."""
    return sorted(
        ((frame.result, *point[:2], *point[4:]) for frame in frames for point in points_in(frame)), key=repr
    )


def kinds(frames: Any) -> set[Any]:
    """The type of each field, by look."""
    return {(frame.result, name, frame.values.dtype.kind) for frame in frames for name in frame.fields}


@given(some=changes, tags=st.sampled_from(SOURCES), data=st.data())
@SETTINGS
def test_counts_for_rules_are_equal(
    client: InfluxClient, place: Place, some: list[Any], tags: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    both = changed(client, place.source, some)
    source = RollupSource(place.source, both.measurement, tags)
    span = data.draw(st.sampled_from([SPAN, *HOURS]))
    for what in ("count", "last"):
        real, simulated = both.ask(SeriesLooks(source, [(what, span, "0:0"), (what, HOURS[0], "0:1")]))
        assert looks(simulated) == looks(real)
    real, simulated = both.ask(SeriesLooks(source, [("types", span, "0"), ("types", HOURS[1], "1")]))
    assert kinds(simulated) == kinds(real)
    real, simulated = both.ask(TotalLooks(source, [("total", span, "0"), ("total", HOURS[2], "1")]))
    assert sorted(simulated, key=repr) == sorted(real, key=repr)
    fields = data.draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True))
    both.require_equal(CellCounts(source, HOURS, fields))
    numbers = data.draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=2, unique=True))
    real, simulated = both.ask(FieldExtremes(source, {span: numbers, HOURS[0]: numbers[:1]}))
    # which of several series has the extreme, the server leaves open
    assert [one[::2] for one in extremes(simulated)] == [one[::2] for one in extremes(real)]
    for points in (1, 2):
        query = LastPoints(source=source, interval=span, fields=fields, points=points)
        both.require_equal(query)
    copies = RollupSource(place.source, both.measurement, {"device": ("a", "b")})
    both.require_equal(CopyCounts(copies, span, "device"))


def extremes(frames: Any) -> list[Any]:
    """Look, tags, field, type and value of each."""
    return sorted(
        ((f.result, p[0], p[1], None, p[4], None, p[5]) for f in frames for p in points_in(f)),
        key=lambda one: repr(one[::2]),
    )


@given(
    results=st.lists(st.tuples(names, names, st.sampled_from(HOURS)), max_size=6),
    copied=st.lists(st.tuples(names, st.booleans(), st.booleans()), max_size=4),
)
@SETTINGS
def test_records_of_validations_are_equal(
    client: InfluxClient, place: Place, results: list[tuple[str, str, Interval]], copied: list[Any]
) -> None:
    client.ensure_bucket(place.ledger)
    both = Both(client, (place.ledger,))
    for kind in ("validation_results", "validation_copies"):
        both.do(Delete(place.ledger, EVERYTHING, kind))
    for validation, rule, window in results:
        result = RuleResult(
            name=rule,
            kind="range",
            severity="error",
            checked=1,
            violations=0,
            unit="points",
            is_violated=False,
            quarantined=0,
            examples=(),
        )
        both.do(Write(place.ledger, encode_validation(validation, "m", window, [result], {"dag_id": "d"})))
    for validation, has_ids, is_changed in copied:
        one = CopiedTo(
            validation=validation,
            source_bucket="raw",
            source_measurement="m",
            bucket="clean",
            measurement="m",
            changed_tags=("device",) if is_changed else (),
            source_id="0123456789abcdef" if has_ids else "",
            copy_id="0123456789abcde0" if has_ids else "",
        )
        both.do(Write(place.ledger, [one.line()]))
    at = Interval(HOURS[0].start, HOURS[0].start + MICROSECOND)
    for name in ("one", 'tw "o"'):
        tags = {"validation": name, "measurement": "m"}
        both.require_equal(RecordedRules(place.ledger, tags, at))
    real, simulated = both.ask(CopiesRecords(place.ledger, {"measurement": "m"}, EVERYTHING))
    assert sorted(simulated, key=repr) == sorted(real, key=repr)
