"""What the simulator of ``tests/simulation`` answers to queries of points is what a real InfluxDB answers, on random data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.column_read import RecomputedColumn, StoredColumn
from airflow_provider_influx_rollup.flux.field_names import FieldNames
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource, extreme_chains
from airflow_provider_influx_rollup.flux.source_read import (
    FieldSeries,
    FieldTotals,
    FieldTypes,
    RawPoints,
    SeriesAtMost,
    WindowCounts,
)
from airflow_provider_influx_rollup.flux.source_schema import OF_EVERY_SOURCE, TagKeys
from airflow_provider_influx_rollup.flux.source_size import SourceSizes, WindowPoints
from airflow_provider_influx_rollup.flux.target_read import TargetTotals, TargetValues
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from tests.scenes.examples import examples
from tests.scenes.rollup_runs import Place, interval, make_place
from tests.simulation.conformance import Both, points_in

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
SPAN = interval("2025-03-08T00:00", "2025-03-08T04:00")
HOURS = [Interval(SPAN.start + number * HOUR, SPAN.start + (number + 1) * HOUR) for number in range(4)]
HOUR_NS = 3600 * 10**9
# the field's type is a part of its name: f float, i integer, u unsigned, b boolean, s string
FIELDS = ("f1", "f2_sum", "i1_count", "u1_max", "b1", "s1_last")
NUMBERS = [name for name in FIELDS if name[0] in "fiu"]
FUNCTIONS = {"f": ("count", "sum", "min", "max", "mean", "first", "last"), "b": ("count", "first", "last")}
TAGS = ("", ",device=a", ",device=b", ",device=a,site=x", ",site=y")
SOURCES: tuple[dict[str, tuple[str, ...]], ...] = (
    {},
    {"device": ("a",)},
    {"device": ("a", "b"), "site": ("",)},
    {"site": ("x", "")},
)

# a difference is read as it was found: to shrink it takes thousands of requests
SETTINGS = settings(
    max_examples=examples(12), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)

times = st.sampled_from(
    [
        SPAN.start_ns + hour * HOUR_NS + at
        for hour in range(5)
        for at in (0, 1, 999, 1800 * 10**9, HOUR_NS - 1)
    ]
    + [SPAN.start_ns - 1]
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Tags, one or two fields, time."""
    names = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2, unique=True))
    values = ",".join(f"{name}={draw(value_texts(name[0]))}" for name in names)
    return f"{draw(st.sampled_from(TAGS))} {values} {draw(times)}"


def value_texts(kind: str) -> st.SearchStrategy[str]:
    """Sums of the floats are exact."""
    return {
        "f": st.integers(-40, 40).map(lambda n: repr(n * 0.25)),
        "i": st.integers(-9, 9).map(lambda n: f"{n}i"),
        "u": st.integers(0, 9).map(lambda n: f"{n}u"),
        "b": st.sampled_from(("true", "false")),
        "s": st.sampled_from(('"x"', '"a \\"b\\" \\\\"', '""')),
    }[kind]


@st.composite
def deletes(draw: st.DrawFn) -> tuple[Interval, dict[str, str], tuple[str, ...]]:
    """Of an hour, an instant or all; now and then not of series that have another tag."""
    hour = draw(st.sampled_from(HOURS))
    instant = Interval(hour.start, hour.start + MICROSECOND)
    span = draw(st.sampled_from([hour, instant, SPAN]))
    tags = draw(st.sampled_from([{}, {"device": "a"}, {"device": "a", "site": "x"}, {"site": "q"}]))
    return span, tags, draw(st.sampled_from([(), (), ("site",)])) if "site" not in tags else ()


changes = st.lists(st.one_of(lines(), lines(), lines(), lines(), deletes()), max_size=25)


@pytest.fixture(scope="module")
def place(influx: Any, client: InfluxClient) -> Place:
    return make_place(influx, client)


def changed(client: InfluxClient, bucket: str, some: list[Any]) -> Both:
    both = Both(client, (bucket,))
    written: list[str] = []
    for change in [*some, None]:
        if isinstance(change, str):
            written.append(both.measurement + change)
            continue
        if written:
            both.do(Write(bucket, tuple(written)))
            written = []
        if change is not None:
            both.do(Delete(bucket, change[0], both.measurement, change[1], lacking=change[2]))
    return both


@given(some=changes, tags=st.sampled_from(SOURCES), data=st.data())
@SETTINGS
def test_source_reads_are_equal_when_points_come_and_go(
    client: InfluxClient, place: Place, some: list[Any], tags: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    both = changed(client, place.source, some)
    source = RollupSource(place.source, both.measurement, tags)
    span = data.draw(st.sampled_from([SPAN, *HOURS]))
    fields = data.draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True))
    runs = equal_runs(data.draw(st.sampled_from([HOURS, HOURS[1:], [HOURS[0], *HOURS[2:]], [SPAN]])))
    for query in (
        FieldTotals(source, span),
        FieldTotals(source, span, fields),
        FieldSeries(source, span, fields),
        WindowCounts(source, runs, fields),
        RawPoints(source, span, fields),
    ):
        both.require_equal(query)
    # the server may count series whose points are in the shards of the span, and not in the span
    real, simulated = both.ask(SeriesAtMost(source, span))
    assert simulated <= real <= len(TAGS)
    for parts in ([span], HOURS):
        real, simulated = both.ask(FieldTypes(source, parts))
        # of several series that begin at the same time the server takes any
        assert typed_points(simulated) == typed_points(real)
    real, simulated = both.ask(WindowPoints(source, runs))
    assert sorted(real) == sorted(simulated)
    real, simulated = both.ask(SourceSizes(source, [span, HOURS[0]]))
    assert (real.points, real.series) == (simulated.points, simulated.series)
    real, simulated = both.ask(FieldNames(place.source, both.measurement))
    assert set(simulated) <= set(real)
    real, simulated = both.ask(TagKeys(source, span))
    # the server's index still has keys of series that were deleted, and its own columns depend on the filters
    assert set(simulated) <= {*real, *OF_EVERY_SOURCE}


def typed_points(frames: list[Frame]) -> list[Any]:
    """The part that a frame is about, and its points without their values; a single part has no name."""
    names = {frame.result for frame in frames}
    assert len(names) < 2 or "" not in names
    return sorted(
        ("" if frame.result == "_result" else frame.result, *point[:-1])
        for frame in frames
        for point in points_in(frame)
    )


@given(some=changes, tags=st.sampled_from(SOURCES), data=st.data())
@SETTINGS
def test_what_the_server_computes_is_equal(
    client: InfluxClient, place: Place, some: list[Any], tags: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    both = changed(client, place.source, some)
    source = RollupSource(place.source, both.measurement, tags)
    runs = equal_runs(data.draw(st.sampled_from([HOURS, HOURS[1:], [HOURS[0], *HOURS[2:]], [SPAN]])))
    chains = [
        Chain(
            field=name, flux_function=function, is_pushed=True, column=f"{name}_{function}", is_written=False
        )
        for name in FIELDS
        for function in FUNCTIONS["f" if name in NUMBERS else "b"]
    ]
    chosen = data.draw(st.lists(st.sampled_from(chains), min_size=1, max_size=4, unique=True))
    chosen += extreme_chains(data.draw(st.lists(st.sampled_from(NUMBERS), max_size=1)))
    real, simulated = both.ask(
        RollupChains(source=source, chains=chosen, runs=runs, target_bucket="", target_measurement="")
    )
    assert comparable_chains(simulated) == comparable_chains(real)
    for name in data.draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=2, unique=True)):
        for keeps_times in (False, True):
            query = PartialAggregates(
                source=source, runs=runs, names=FUNCTIONS["f"], field=name, keeps_times=keeps_times
            )
            both.require_equal(query)


def comparable_chains(answer: Any) -> Any:
    """Extremes by their values: which of several series has them, the server leaves open."""
    return sorted(
        (chain.column, chain.is_extreme, [p[-2:] if chain.is_extreme else p for p in points([frame])])
        for chain, frame in answer
    )


def points(frames: list[Frame]) -> list[tuple[Any, ...]]:
    return sorted((point for frame in frames for point in points_in(frame)), key=repr)


@given(some=changes, tags=st.sampled_from(SOURCES), data=st.data())
@SETTINGS
def test_target_reads_are_equal(
    client: InfluxClient, place: Place, some: list[Any], tags: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    both = changed(client, place.source, some)
    span = data.draw(st.sampled_from([SPAN, *HOURS, Interval(SPAN.start, SPAN.start + MICROSECOND)]))
    place_of = {"bucket": place.source, "measurement": both.measurement, "interval": span, "tags": tags}
    for names in (None, ("sum",), ("count", "max", "last")):
        both.require_equal(TargetValues(**place_of, aggregate_names=names))
    both.require_equal(TargetTotals(**place_of, aggregate_names=("count", "sum")))
    both.require_equal(TargetTotals(**place_of, aggregate_names=("count",), count_fields=("i1_count",)))


@given(some=changes, spoiled=st.lists(lines(), max_size=2), data=st.data())
@SETTINGS
def test_digests_are_equal_on_the_simulator_when_they_are_on_the_server(
    client: InfluxClient, place: Place, some: list[Any], spoiled: list[str], data: st.DataObject
) -> None:
    both = changed(client, place.source, some)
    name = data.draw(st.sampled_from(NUMBERS))
    function = data.draw(st.sampled_from(FUNCTIONS["f"]))
    source = RollupSource(place.source, both.measurement, {})
    chain = Chain(
        field=name, flux_function=function, is_pushed=True, column=f"{name}_{function}", is_written=False
    )
    runs = equal_runs(HOURS)
    both.simulated.ensure(place.target)
    ((_, frame),) = both.ask(
        RollupChains(source=source, chains=[chain], runs=runs, target_bucket="", target_measurement="")
    )[1] or [(None, None)]
    if frame is not None:
        mark = {"i": "i", "u": "u"}.get(frame.values.dtype.kind, "")
        rows = [
            f"{both.measurement}{''.join(f',{k}={v}' for k, v in frame.tag_sets[series])} "
            f"{chain.column}={value!r}{mark} {time}"
            for series, time, value in zip(frame.series, frame.time_ns, frame.values.tolist(), strict=True)
        ]
        both.do(Write(place.target, rows))
    stored = StoredColumn(
        bucket=place.target,
        measurement=both.measurement,
        column=chain.column,
        intervals=[Interval.of_starts(run.windows) for run in runs],
        tags={},
    )
    for _ in range(2):
        one, other = (both.ask(query) for query in (RecomputedColumn(source, chain, runs), stored))
        assert (one[0] == other[0]) == (one[1] == other[1])
        if spoiled:
            both.do(Write(place.source, [both.measurement + line for line in spoiled]))
