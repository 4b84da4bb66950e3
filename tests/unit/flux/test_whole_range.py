"""No query of the package has a form that InfluxDB never ends: a bare aggregate of a range that ends by 1970."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup import flux
from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.inventory import SeriesSource
from airflow_provider_influx_rollup.flux.query import FluxText, Together
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.flux.whole_texts import Parted
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import EPOCH, STORABLE, Interval, storable_part

DAY = timedelta(days=1)
OLD = Interval(EPOCH - DAY, EPOCH)
RUNS = equal_runs(Grid.of("1h").tile(OLD))
SOURCE = RollupSource("raw", "m", {"site": ("a",)})
# what a parameter of a query's function gets, by its name
ARGUMENTS: dict[str, Any] = {
    "source": SOURCE,
    "copies": SOURCE,
    "interval": OLD,
    "at": OLD,
    "starts": OLD,
    "written": OLD,
    "looked": OLD,
    "windows": OLD,
    "intervals": [OLD],
    "parts": [OLD],
    "slices": [OLD],
    "cells": [OLD],
    "runs": RUNS,
    "run": RUNS[0],
    "chain": Chain(field="v", flux_function="count", is_pushed=True, column="v_count"),
    "chains": [
        Chain(field="v", flux_function="count", is_pushed=True, column="v_count"),
        Chain(field="v", flux_function="median()", is_pushed=False, column="v_median"),
    ],
    "looks": [(what, OLD, what) for what in ("count", "last", "types", "total")],
    "fields_by_part": {OLD: ["v"]},
    "tags": {"site": ("a",)},
    "fields": ["v"],
    "mixed_fields": ["w"],
    "names": ["count", "first"],
    "group_by": ["site"],
    "tag_keys": ["site"],
    "aggregate_names": ["count"],
    "count_fields": ["v_count"],
    "points": 1,
    "keeps_times": True,
    "most_events": 10,
    "newest": None,
    "first": OLD.start,
    "last": OLD.stop,
    "queries": {},
    "usual": {},
    "parted": Parted("", 'from(bucket: "b")'),
}
ARGUMENTS["rollup"] = RollupChains(
    source=SOURCE, chains=ARGUMENTS["chains"], runs=RUNS, target_bucket="rolled", target_measurement="m"
)
# pushed down as one endless window when nothing but filters stands between it and the range
BARE = re.compile(r"\|> range\([^\n]*\)\s*(?:\|> filter\([^\n]*\)\s*)*\|> (count|sum|mean)\(")


def queries() -> dict[str, str]:
    """Every query of ``flux/``, and what else is rendered there, over a range that ends with 1969."""
    rendered = {}
    for found in pkgutil.iter_modules(flux.__path__):
        module = importlib.import_module(f"{flux.__name__}.{found.name}")
        for name, made in vars(module).items():
            if getattr(made, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(made) and (name.endswith("_query") or name.startswith("render_")):
                rendered[f"{found.name}.{name}"] = str(made(**arguments_of(made)))
            if is_query(made):
                rendered[f"{found.name}.{name}"] = made(**arguments_of(made)).flux()
    return rendered


def is_query(made: Any) -> bool:
    """Whether something is a query that can be asked for; ``Together`` is as good as its parts."""
    is_whole = inspect.isclass(made) and not inspect.isabstract(made) and made is not Together
    return is_whole and issubclass(made, FluxText) and is_dataclass(made)


def arguments_of(function: Any) -> dict[str, Any]:
    """One of each parameter; a text for those that are names."""
    chosen: dict[str, Any] = {}
    for name, parameter in inspect.signature(function, eval_str=False).parameters.items():
        if "SeriesSource" in str(parameter.annotation):
            chosen[name] = SeriesSource("raw", "m", ("v*",), {"site": ("a",)})
        elif name == "run" and "EqualRun" not in str(parameter.annotation):
            continue
        elif name in ARGUMENTS:
            chosen[name] = ARGUMENTS[name]
        elif "bool" in str(parameter.annotation):
            chosen[name] = True
        else:
            chosen[name] = "count" if name == "function" else "0123456789abcdef"
    return chosen


QUERIES = queries()


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_has_a_bare_aggregate_when_its_range_ends_by_1970(name: str) -> None:
    assert not BARE.search(QUERIES[name]), QUERIES[name]


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_makes_empty_windows(name: str) -> None:
    # a tiny window in a range of centuries would be as endless
    text = QUERIES[name]
    assert text.count("createEmpty: false") == text.count("aggregateWindow(")
    assert "createEmpty: true" not in text


def test_queries_are_found_and_the_pattern_knows_the_form() -> None:
    assert len(QUERIES) > 50
    assert BARE.search(
        'from(bucket: "b")\n  |> range(start: a, stop: b)\n  |> filter(fn: (r) => true)\n  |> count()'
    )


@pytest.mark.parametrize("start", [STORABLE.start, EPOCH - 7 * DAY, EPOCH - DAY / 2])
def test_a_range_from_before_1970_is_one_window_of_its_own(start: datetime) -> None:
    span = Interval(start, start + DAY)
    text = render_aggregate(span, "count")
    every, offset = (int(one) for one in re.findall(r"(-?\d+)ns", text))
    assert every == 86_400 * 10**9
    assert (span.start_ns - offset) % every == 0
    # what the server subtracts from every time must not leave 64 bits
    assert span.start_ns - offset >= -(2**63)


def test_a_range_from_1970_on_is_aggregated_bare() -> None:
    assert render_aggregate(Interval(EPOCH, EPOCH + DAY), "sum") == "  |> sum()"


def test_a_range_that_no_duration_can_hold_is_aggregated_bare() -> None:
    assert render_aggregate(STORABLE, "count") == "  |> count()"
    longest = Interval(STORABLE.start, EPOCH)
    assert "window(every: 9223372036854775000ns" in render_aggregate(longest, "count")


def test_what_is_around_a_window_is_cut_where_there_can_be_no_points() -> None:
    assert storable_part(Interval(STORABLE.start - DAY, STORABLE.start + DAY)) == Interval(
        STORABLE.start, STORABLE.start + DAY
    )
    assert storable_part(Interval(STORABLE.stop, STORABLE.stop + DAY)) is None
    inside = Interval(datetime(1960, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC))
    assert storable_part(inside) == inside
