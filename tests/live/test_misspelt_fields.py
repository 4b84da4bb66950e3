"""A changed spec asks for a field that does not exist: it takes no rows of the field that was meant."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.rollup_runs import RUN, TAGS, Place, interval, make_place, make_points, now, roll

pytestmark = pytest.mark.live

DAY = ("2025-03-08", "2025-03-08T02:00")
SPAN = interval(*DAY)
LATER = interval("2025-03-08T02:00", "2025-03-08T04:00")
AGGREGATES = ("count", "max")


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    """Two hours of two fields, rolled up."""
    made = make_place(influx, client)
    made.write(make_points(*DAY, 900), ("temp", "packets"))
    roll(client, spec_of(made, "temp", "packets"), SPAN)
    return made


def spec_of(place: Place, *fields: str) -> RollupSpec:
    return place.spec(GridSpec("1h"), dict.fromkeys(fields, AGGREGATES))


def differences(place: Place, fields: Iterable[str]) -> list[str]:
    """What pandas makes of the points, compared with the target."""
    points, rules = make_points(*DAY, 900), dict.fromkeys(fields, AGGREGATES)
    expected = rollup(points, TAGS, windows(*DAY, "1h", None), rules, None)
    return compare(place.stored(spec_of(place, "temp").output_measurement), expected)


@pytest.mark.parametrize("asked", [("tmep", "packets"), ("tmep",), ("temp_", "packets")])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_misspelt_field_is_refused_when_windows_have_rows_of_the_right_one(
    client: InfluxClient, place: Place, asked: tuple[str, ...], dry_run: bool
) -> None:
    with pytest.raises(ConfigurationError, match="an earlier version of the spec made of 'temp'") as refused:
        drive(roll_up(spec_of(place, *asked), SPAN, RUN, now, dry_run=dry_run), client, lambda _report: None)
    assert refused.value.window == SPAN
    assert differences(place, ("temp", "packets")) == []
    states = place.states(spec_of(place, "temp", "packets").pipeline_name)
    assert set(states.values()) == {"COMMITTED"}
    # corrected, it goes on
    roll(client, spec_of(place, "temp"), SPAN)
    assert differences(place, ("temp",)) == []


def test_a_misspelt_field_is_noted_only_where_no_rows_would_go(client: InfluxClient, place: Place) -> None:
    steps = roll_up(spec_of(place, "tmep", "packets"), LATER, RUN, now)
    result = drive(steps, client, lambda _report: None)
    assert any("has no field 'tmep'" in note for note in result.notes)
    assert differences(place, ("temp", "packets")) == []


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        # a field that is to come, beside those there are
        (("temp", "packets", "temp2"), ("temp", "packets")),
        # another name altogether, for devices that are to come
        (("humidity", "packets"), ("packets",)),
        # no misspelt name, but a glob
        (("tmep*", "packets"), ("packets",)),
        (("packets",), ("packets",)),
    ],
)
def test_a_field_without_points_is_taken_when_nobody_can_have_meant_another(
    client: InfluxClient, place: Place, asked: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    roll(client, spec_of(place, *asked), SPAN)
    assert differences(place, kept) == []


def test_a_field_that_begins_later_is_taken_when_an_earlier_window_is_run_again(
    client: InfluxClient, place: Place
) -> None:
    place.client.write_lines(place.source, [f"{place.measurement},device=a temp2=1 {LATER.start_ns}"])
    roll(client, spec_of(place, "temp2", "packets"), SPAN)
    assert differences(place, ("packets",)) == []


def test_a_field_is_given_up_for_good_when_windows_were_run_without_it(
    client: InfluxClient, place: Place
) -> None:
    roll(client, spec_of(place, "packets"), SPAN)
    roll(client, spec_of(place, "temp2", "packets"), SPAN)
    assert differences(place, ("packets",)) == []
