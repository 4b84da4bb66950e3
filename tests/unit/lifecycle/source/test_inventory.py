"""Which series are expected, without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError
from airflow_provider_influx_rollup.flux.inventory import LastSeen, SeriesSource
from airflow_provider_influx_rollup.lifecycle.source.inventory import Inventory, called_inventory
from airflow_provider_influx_rollup.lifecycle.source.inventory_read import named_by, read_expected
from airflow_provider_influx_rollup.steps.influx import Query
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.sent_flux import flux_of

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)
SOURCE = SeriesSource("raw", "fleet")
A, B = ((("device", name), ("site", "x")) for name in "ab")


def expected(inventory: Inventory, *answers: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """The series, and the queries that were asked."""
    steps, asked = read_expected(inventory, SOURCE, WINDOW), []
    try:
        step = next(steps)
        for answer in answers:
            assert isinstance(step, Query | LastSeen)
            asked.append(step)
            step = steps.send(step.read(answer) if isinstance(step, LastSeen) else answer)
    except StopIteration as end:
        return end.value, asked
    raise AssertionError(step)


def seen(*devices: str, **more: Any) -> list[dict[str, Any]]:
    return [{"_time": START - HOUR, "device": device, "site": "x", **more} for device in devices]


def test_list_asks_nothing_and_keeps_its_order_without_what_is_retired() -> None:
    listed = [{"device": "b", "site": "x"}, {"device": "a", "site": "x"}, {"device": "c", "site": ""}]
    inventory = Inventory.of(listed, retired=[{"device": "b"}])
    assert expected(inventory) == ((A, (("device", "c"),)), [])


def test_seen_series_are_expected_without_what_is_retired() -> None:
    found, (query,) = expected(Inventory.of("inventory", retired=[{"device": "b"}]), seen("b", "a", "a"))
    assert found == (A,)
    assert "start: 2024-04-29T10:00:00Z, stop: 2024-05-06T10:00:00Z" in flux_of(query)


def test_series_is_retired_by_its_silence_when_that_is_shorter_than_the_lookback() -> None:
    _, (query,) = expected(Inventory.of(None, lookback="7d", retire_after="6h"), [])
    assert "start: 2024-05-06T04:00:00Z, stop: 2024-05-06T10:00:00Z" in flux_of(query)


def test_query_names_series_by_its_text_columns() -> None:
    inventory = Inventory.of({"flux": "registry", "params": {"site": "x"}, "retired": [{"device": "b"}]})
    rows = [
        {
            "_field": "f",
            "device": "a",
            "site": "x",
            "installed": START,
            "n": 1.5,
        },
        {"device": "a", "site": "x"},
        {"device": "b", "site": "x"},
        {"device": None, "site": ""},
    ]
    found, (query,) = expected(inventory, rows)
    assert found == (A,)
    assert query.now == WINDOW.stop
    assert '"params"' in json.dumps(query.extern)


def test_function_is_called_with_the_bounds() -> None:
    def registry(start: datetime, stop: datetime) -> Any:
        return ({"device": str((stop - start) // HOUR)} for _ in range(1))

    assert called_inventory(registry, WINDOW) == ({"device": "1"},)
    given = (12, None, "inventory", {"flux": "x"}, ({"device": "a"},))
    assert tuple(called_inventory(one, WINDOW) for one in given) == given
    with pytest.raises(ConfigurationError, match="returned None"):
        called_inventory(lambda _start, _stop: None, WINDOW)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "inventory",
        [{"device": "a"}],
        {"flux": "x", "params": {"n": 1}},
        {"lookback": "2d", "retire_after": "1d"},
    ],
)
def test_inventory_is_the_same_after_a_trip_through_json(value: Any) -> None:
    inventory = Inventory.of(value, retired=[{"device": "z"}])
    assert Inventory.from_json(json.loads(json.dumps(inventory.as_json()))) == inventory
    assert Inventory.of(inventory) is inventory


@pytest.mark.parametrize(
    "value",
    [
        "all",
        3,
        [],
        ["d1"],
        {"device": "a"},
        {"flux": ""},
        {"lookback": "soon"},
        {"retired": [{}]},
        {"retired": [1]},
    ],
)
def test_inventory_is_refused_when_it_is_of_no_known_shape(value: Any) -> None:
    with pytest.raises(InfluxRollupError):
        Inventory.of(value)


def test_ten_thousand_series_are_matched_with_a_thousand_retired_in_a_moment() -> None:
    series = [(("device", f"d{number}"), ("site", "x")) for number in range(10_000)]
    inventory = Inventory(retired=tuple({"device": f"d{number}"} for number in range(0, 10_000, 10)))
    assert len(inventory.without_retired(series)) == 9_000


def test_rows_without_tags_name_nothing() -> None:
    assert named_by([{"table": 0, "_value": 1.0, "_field": "f"}]) == ()
