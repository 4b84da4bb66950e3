"""What the simulator of ``tests/simulation`` answers to queries of checks and sensors is what a real InfluxDB answers, on random data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.completeness import SeriesCounts
from airflow_provider_influx_rollup.flux.deadman import LastStatuses, NewestStatus, WholeStatuses
from airflow_provider_influx_rollup.flux.inventory import LastSeen, SeriesSource, Watermark
from airflow_provider_influx_rollup.flux.ledger_read import LastLook
from airflow_provider_influx_rollup.ledger.looks import SourceLook, encode_look
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import (
    LEVELS,
    Check,
    Status,
    write_of_statuses,
)
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.live.test_simulator_conformance import (
    FIELDS,
    HOURS,
    SETTINGS,
    SOURCES,
    SPAN,
    changed,
    changes,
)
from tests.scenes.rollup_runs import Place, interval, make_place
from tests.simulation.conformance import Both

pytestmark = pytest.mark.live

EVERYTHING = interval("1970-01-01T00:00", "2030-01-01T00:00")
CHECKS = (Check("one", "m"), Check('an "other" one', "m"))
SERIES = ((), (("device", "a"),), (("device", "a"), ("site", "x y")))
checks = st.sampled_from(CHECKS)
series = st.sampled_from(SERIES)
hours = st.sampled_from(HOURS)


@pytest.fixture(scope="module")
def place(influx: Any, client: InfluxClient) -> Place:
    return make_place(influx, client)


@given(some=changes, tags=st.sampled_from(SOURCES), data=st.data())
@SETTINGS
def test_last_points_and_counts_of_series_are_equal(
    client: InfluxClient, place: Place, some: list[Any], tags: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    both = changed(client, place.source, some)
    fields = data.draw(st.none() | st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True))
    source = SeriesSource(place.source, both.measurement, None if fields is None else tuple(fields), tags)
    span = data.draw(st.sampled_from([SPAN, *HOURS]))
    for group_by in (None, ("device",), ("site", "device")):
        both.require_equal(LastSeen(source, span, group_by))
    both.require_equal(Watermark(source, span))
    for run in equal_runs(data.draw(st.sampled_from([HOURS, HOURS[1:], [SPAN]]))):
        real, simulated = both.ask(SeriesCounts(source, run))
        assert sorted(simulated, key=repr) == sorted(real, key=repr)


@given(
    statuses=st.lists(st.tuples(checks, series, st.sampled_from(LEVELS), hours), max_size=8),
    gone=st.none() | st.tuples(checks, st.sampled_from(LEVELS), hours),
    looks=st.lists(st.tuples(st.sampled_from(["w1", "w2"]), hours, st.integers(0, 5)), max_size=4),
)
@SETTINGS
def test_statuses_and_looks_are_equal(
    client: InfluxClient, place: Place, statuses: list[Any], gone: Any, looks: list[Any]
) -> None:
    client.ensure_bucket(place.ledger)
    both = Both(client, (place.ledger,))
    for kind in ("statuses", "window_look"):
        both.do(Delete(place.ledger, EVERYTHING, kind))
    for check, tags, level, hour in statuses:
        status = Status(
            series=tags,
            level=level,
            message=f"it is {level}",
            source_time=hour.start,
            is_dead=level == "crit",
        )
        # some say who has checked, others do not
        told = replace(check, checked_by=None if level == "ok" else hour.start.hour)
        both.do(write_of_statuses(place.ledger, told, [status], hour.stop))
    if gone is not None:
        tags = {"_check_id": gone[0].id, "_level": gone[1]}
        both.do(Delete(place.ledger, Interval(gone[2].start, gone[2].stop), "statuses", tags))
    for watch, hour, minutes in looks:
        look = SourceLook(watch, hour, f"found {minutes}", hour.stop + timedelta(minutes=minutes))
        both.do(Write(place.ledger, [encode_look(look)]))
    for check in CHECKS:
        for span in (SPAN, Interval(HOURS[1].start, HOURS[2].start)):
            real, simulated = both.ask(LastStatuses(place.ledger, check.id, span))
            assert sorted(simulated, key=repr) == sorted(real, key=repr)
            real, simulated = both.ask(WholeStatuses(place.ledger, check.id, span))
            assert sorted(map(_comparable, simulated)) == sorted(map(_comparable, real))
            both.require_equal(NewestStatus(place.ledger, check.id, span))
    for watch in ("w1", "w2", "w3"):
        both.require_equal(LastLook(place.ledger, watch, HOURS[0]))
        both.require_equal(LastLook(place.ledger, watch, Interval(HOURS[0].start, HOURS[1].stop)))


def _comparable(status: Any) -> str:
    return repr((status.tags, status.time, sorted(status.fields.items())))
