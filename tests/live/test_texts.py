"""Texts that the server's CSV changes: rollups, checks and copies have them as they are, or say what they cannot."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.rollup_runs import Place, make_place, roll

pytestmark = pytest.mark.live

START = datetime(2025, 3, 8, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
HOUR = Interval(START, START + timedelta(hours=1))
MINUTE_NS = 60 * 10**9

Make = Callable[[], str]


def put(influx: InfluxServer, bucket: str, *lines: bytes | str) -> None:
    """Write lines as the bytes that they are; a minute lies between two of them."""
    data = b"\n".join(
        (line if isinstance(line, bytes) else line.encode()) + b" %d" % (START_NS + number * MINUTE_NS)
        for number, line in enumerate(lines)
    )
    query = urllib.parse.urlencode({"org": influx.org, "bucket": bucket, "precision": "ns"})
    _send(influx, f"/api/v2/write?{query}", data)


def _send(influx: InfluxServer, path: str, data: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Token {influx.token}"}
    request = urllib.request.Request(influx.url + path, data, headers)
    with urllib.request.urlopen(request) as answer:
        body: bytes = answer.read()
    return body


def influxql(
    influx: InfluxServer, bucket: str, statement: str, *, changes: bool = False
) -> list[dict[str, Any]]:
    """The series of one InfluxQL statement, whose JSON keeps every character."""
    query = urllib.parse.urlencode({"db": bucket, "q": statement})
    answer = json.loads(_send(influx, f"/query?{query}", b"" if changes else None))
    return answer.get("results", [{}])[0].get("series", [])


def stored(
    influx: InfluxServer, bucket: str, measurement: str = "m"
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows of a measurement by their tags, as ``key=value``, without their times."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for series in influxql(influx, bucket, f'SELECT * FROM "{measurement}" GROUP BY *'):  # noqa: S608 - a name of the test
        tags = tuple(sorted(f"{key}={value}" for key, value in series.get("tags", {}).items() if value))
        for values in series["values"]:
            row = dict(zip(series["columns"], values, strict=True))
            row.pop("time")
            found.setdefault(tags, {}).update({key: value for key, value in row.items() if value is not None})
    return found


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    return Place(influx, client, made.source, made.target, made.ledger, "m")


@pytest.mark.parametrize("compute", ["auto", "server"])
def test_rollup_keeps_carriage_returns_when_values_have_them(
    place: Place, influx: InfluxServer, compute: str
) -> None:
    put(
        influx,
        place.source,
        'm,host=a s="Cisco IOS\r\nSupport"',
        'm,host=a s="a\r"',
        'm,host=a s="a"',
        'm,host=a s="x\ry"',
        'm,host=b s="plain"',
    )
    spec = place.spec("1h", ("first", "last", "count", "distinct"), compute=compute)
    receipt = roll(place.client, spec, HOUR)
    assert receipt["rows_in"] == 5
    assert stored(influx, place.target) == {
        ("host=a",): {"s_first": "Cisco IOS\r\nSupport", "s_last": "x\ry", "s_count": 4, "s_distinct": 4},
        ("host=b",): {"s_first": "plain", "s_last": "plain", "s_count": 1, "s_distinct": 1},
    }


@pytest.mark.parametrize(
    ("compute", "aggregates"),
    [("auto", ("count", "sum", "p50")), ("auto", ("count", "sum")), ("server", ("count", "sum"))],
)
def test_rollup_tells_series_apart_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer, compute: str, aggregates: tuple[str, ...]
) -> None:
    put(influx, place.source, "m,host=srv1 v=4", "m,host=srv1\r v=5", "m,host=srv1\r v=3")
    spec = place.spec("1h", aggregates, compute=compute)
    receipt = roll(place.client, spec, HOUR)
    assert (receipt["rows_in"], receipt["series"]) == (3, 2)
    right = {
        ("host=srv1",): {"v_count": 1, "v_sum": 4, "v_p50": 4},
        ("host=srv1\r",): {"v_count": 2, "v_sum": 8, "v_p50": 4},
    }
    wanted = {f"v_{name}" for name in aggregates}
    assert stored(influx, place.target) == {
        tags: {name: value for name, value in row.items() if name in wanted} for tags, row in right.items()
    }
    assert roll(place.client, spec, HOUR)["checksum"] == receipt["checksum"]


def test_rollup_has_the_row_when_a_field_key_has_a_carriage_return(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, "m,host=a v\r=3", "m,host=a v=5")
    receipt = roll(place.client, place.spec("1h", ("count", "max", "p50")), HOUR)
    assert receipt["rows_in"] == 2
    assert stored(influx, place.target) == {
        ("host=a",): {
            "v_count": 1,
            "v_max": 5,
            "v_p50": 5,
            "v\r_count": 1,
            "v\r_max": 3,
            "v\r_p50": 3,
        }
    }


def test_ghost_goes_and_its_neighbour_stays_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, "m,host=srv1 v=4", "m,host=srv1\r v=5", 'm,host=it\'s\\ "a".*[d)\\ /\r v=6')
    spec = place.spec("1h", ("count", "max"))
    roll(place.client, spec, HOUR)
    influxql(influx, place.source, "DELETE FROM m WHERE host =~ /\\r/", changes=True)
    roll(place.client, spec, HOUR)
    assert stored(influx, place.target) == {("host=srv1",): {"v_count": 1, "v_max": 4}}


def test_rollup_is_refused_when_a_tag_key_has_a_carriage_return(place: Place, influx: InfluxServer) -> None:
    put(influx, place.source, "m,ho\rst=a v=3", "m,host=a v=5")
    with pytest.raises(InvalidName, match=r"'ho\\rst'.*Written: nothing"):
        roll(place.client, place.spec("1h", ("count",)), HOUR)
    roll(place.client, place.spec("1h", ("count",), group_by=("host",)), HOUR)
    assert stored(influx, place.target) == {(): {"v_count": 1}, ("host=a",): {"v_count": 1}}
