"""Filters of thousands of values, and names as long as InfluxDB holds them: they work, or are refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InvalidName, WriteRejected
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.plain_rows import stored_values
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import make_place, roll

pytestmark = pytest.mark.live

START = datetime(2025, 3, 8, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))
# together longer than a tag value may be
MANY = tuple(f"device-{number:04d}-{'x' * 1_000}" for number in range(70))
# of measurement, tags and field together
MOST = 65_531


def test_filter_longer_than_a_tag_works_when_no_name_is_given(
    influx: InfluxServer, client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    place = make_place(influx, client)
    lines = [f"readings,device={device} v={number} {WINDOW.start_ns}" for number, device in enumerate(MANY)]
    client.write_lines(place.source, [*lines, f"readings,device=other v=1 {WINDOW.start_ns}"])
    spec = place.spec("1h", ["sum"], tags={"device": MANY})
    for _ in range(2):
        assert roll(client, spec, WINDOW)["state"] == "COMMITTED"
    right = {((("device", d),), "v_sum", WINDOW.start_ns): float(n) for n, d in enumerate(MANY)}
    assert stored_values(influx, place.target, "readings") == right
    assert sweep(client, spec, WINDOW)["is_clean"]
    deadman = DeadmanSpec(
        bucket=place.source, measurement="readings", tags={"device": MANY}, status_bucket=bucket_factory()
    )
    hours = [
        Interval(WINDOW.stop + n * WINDOW.duration, WINDOW.stop + (n + 1) * WINDOW.duration) for n in (0, 1)
    ]
    told = [drive(check_deadman(deadman, hour), client, lambda _report: None).as_json() for hour in hours]
    assert [(one["dead_count"], one["newly_dead_count"]) for one in told] == [(70, 70), (70, 0)]


def test_server_says_why_when_a_name_is_too_long(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    with pytest.raises(WriteRejected, match=r"max key length exceeded: [0-9]+ > 65535"):
        client.write_lines(bucket_factory(), [f"m,t={'é' * 40_000} v=1 1"])


def test_longest_measurement_is_rolled_up(influx: InfluxServer, client: InfluxClient) -> None:
    place = replace(make_place(influx, client), measurement="m" * 65_000)
    client.write_payload(place.source, f"{place.measurement},t=x v=2 {WINDOW.start_ns}".encode())
    assert roll(client, place.spec("1h", ["sum"], target_measurement="n"), WINDOW)["state"] == "COMMITTED"
    stored = stored_values(influx, place.target, "n")
    assert stored == {((("t", "x"),), "v_sum", WINDOW.start_ns): 2.0}


def test_longest_field_is_refused_before_anything_is_written_when_its_target_would_be_longer(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    field = "v" * (MOST - len("readings,t=x"))
    client.write_payload(place.source, f"readings,t=x {field}=2 {WINDOW.start_ns}".encode())
    with pytest.raises(InvalidName, match="65531 bytes"):
        roll(client, place.spec("1h", ["sum"]), WINDOW)
    assert stored_values(influx, place.target, "readings") == {}
    assert place.states() == {}


@pytest.mark.parametrize(
    ("names", "compute"), [(["sum"], "auto"), (["sum", "p50"], "auto"), (["sum"], "server")]
)
def test_other_series_are_right_and_the_result_says_so_when_a_target_row_would_be_too_long(
    influx: InfluxServer, client: InfluxClient, names: list[str], compute: str
) -> None:
    place = make_place(influx, client)
    hours = [Interval(WINDOW.start, WINDOW.stop), Interval(WINDOW.stop, WINDOW.stop + WINDOW.duration)]
    both = Interval(WINDOW.start, hours[1].stop)
    # one byte too long for a sum; as long as a sum may be; several tags that are too long together
    spare = MOST - len("readings,t=v")
    tags = {
        "long": [("t", "x" * spare)],
        "just": [("t", "é" * ((spare - 4) // 2) + "y" * ((spare - 4) % 2))],
        "many": [(f"t{n:02d}", "z" * 1_290) for n in range(50)],
        "short": [("t", "a")],
    }
    tags["many"][-1] = ("t49", "z" * (1_290 + MOST - len("readings,v") - 50 * 1_295 + 1))
    for number, some in enumerate(tags.values()):
        text = ",".join(f"{key}={value}" for key, value in some)
        for hour in hours:
            client.write_payload(place.source, f"readings,{text} v={number} {hour.start_ns}".encode())
    right = {
        (tuple(tags[name]), f"v_{aggregate}", hour.start_ns): float(list(tags).index(name))
        for name in ("just", "short")
        for aggregate in names
        for hour in hours
    }
    spec = place.spec("1h", names, compute=compute)
    for _ in range(2):
        result = roll(client, spec, both)
        assert (result["state"], result["rows_in"]) == ("COMMITTED", 8)
        assert any("v_sum is left out for some series in 2 windows" in note for note in result["notes"])
        assert stored_values(influx, place.target, "readings") == right
    assert sweep(client, spec, both)["is_clean"]
    assert set(place.states().values()) == {"COMMITTED"}
    # the way out that the note tells
    roll(client, place.spec("1h", ["sum"], group_by=(), target_measurement="all"), both)
    whole = {((), "v_sum", hour.start_ns): 6.0 for hour in hours}
    assert stored_values(influx, place.target, "all") == whole
