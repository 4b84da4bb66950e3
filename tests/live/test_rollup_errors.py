"""Bad input is a clear error before anything is written; a window that was COMMITTED stays so."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import (
    AggregateNotMergeable,
    AggregateTypeMismatch,
    BucketNotFound,
    ConfigurationError,
    InfluxForbidden,
    InfluxRollupError,
    InfluxUnauthorized,
    InfluxUnavailable,
    InvalidDuration,
    InvalidName,
    InvalidTimezone,
    OrgNotFound,
    SourceIncomplete,
    UnknownAggregate,
    WindowMisaligned,
    WindowNotDue,
    WindowsFailed,
    WindowZeroLength,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.rollup_runs import FIELDS, TAGS, Place, interval, make_place, make_points, roll

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T02:00")
HOURS = windows("2025-03-08", "2025-03-08T02:00", "1h")
RULES = {"temp": ("count", "mean", "p99")}


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return make_points("2025-03-08", "2025-03-08T02:00", 900)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    """A source, and a target whose windows are COMMITTED; a test of a refusal shows that it leaves them so."""
    place = make_place(influx, client)
    place.write(points)
    roll(client, place.spec("1h", RULES, pipeline="mine"), SPAN)
    return place


def api(server: InfluxServer, method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"{server.url}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Token {server.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def token_for(place: Place, **permissions: str) -> str:
    """A token with these permissions only: bucket name or ``"orgs"`` -> ``"read"``, ``"write"`` or ``"read write"``."""
    server = place.server
    org_id = api(server, "GET", f"/api/v2/orgs?org={server.org}")["orgs"][0]["id"]
    wanted = [{"action": "read", "resource": {"type": "orgs", "id": org_id}}]
    for role, actions in permissions.items():
        bucket = api(server, "GET", f"/api/v2/buckets?name={getattr(place, role)}")["buckets"][0]["id"]
        wanted += [
            {"action": action, "resource": {"type": "buckets", "orgID": org_id, "id": bucket}}
            for action in actions.split()
        ]
    answer = api(server, "POST", "/api/v2/authorizations", {"orgID": org_id, "permissions": wanted})
    return str(answer["token"])


def connect(server: InfluxServer, **changes: Any) -> InfluxClient:
    values = {"url": server.url, "org": server.org, "token": server.token} | changes
    token = values.pop("token")
    return InfluxClient(ClientSettings(**values, token=lambda _refresh: token, deadline_seconds=1.0))


class Unchanged:
    """Sees to it that nothing was written: neither rows nor receipts."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.rows = place.stored()
        self.count = place.count_series_keys()
        self.receipts = place.stored("window_receipt", place.ledger)

    def check(self) -> None:
        assert compare(self.place.stored(), self.rows) == []
        assert self.place.count_series_keys() == self.count > 0
        assert compare(self.place.stored("window_receipt", self.place.ledger), self.receipts) == []
        assert set(self.place.states().values()) == {"COMMITTED"}


def refuse(
    place: Place, error: type[InfluxRollupError], match: str | None, run: Callable[[], object]
) -> InfluxRollupError:
    """The run fails with this error, and nothing was written."""
    before = Unchanged(place)
    with pytest.raises(error, match=match) as caught:
        run()
    assert type(caught.value) is error
    assert place.server.token not in str(caught.value) + repr(caught.value)
    before.check()
    return caught.value


@pytest.mark.parametrize("role", ["source_bucket", "target_bucket"])
def test_rollup_fails_for_good_when_a_bucket_is_unknown(place: Place, role: str) -> None:
    spec = replace(place.spec("1h", RULES, pipeline="mine"), **{role: "no such bucket"})
    error = refuse(place, BucketNotFound, "no such bucket", lambda: roll(place.client, spec, SPAN))
    assert error.permanent
    assert "nothing" in str(error)
    assert error.fix


LACKING = {
    "source not readable": ({"target": "read write", "ledger": "read write"}, BucketNotFound),
    "source write only": (
        {"source": "write", "target": "read write", "ledger": "read write"},
        BucketNotFound,
    ),
    "target not writable": ({"source": "read", "target": "read", "ledger": "read write"}, InfluxForbidden),
    "target not readable": ({"source": "read", "target": "write", "ledger": "read write"}, BucketNotFound),
    "ledger not writable": ({"source": "read", "target": "read write", "ledger": "read"}, InfluxForbidden),
}


@pytest.mark.parametrize("compute", [RULES, {"temp": ("p99",)}], ids=["both", "worker"])
@pytest.mark.parametrize("case", LACKING)
def test_committed_windows_stay_so_when_the_token_lacks_a_permission(
    place: Place, case: str, compute: dict[str, tuple[str, ...]]
) -> None:
    permissions, error = LACKING[case]
    with connect(place.server, token=token_for(place, **permissions)) as client:
        spec = place.spec("1h", compute, pipeline="mine")
        assert refuse(place, error, None, lambda: roll(client, spec, SPAN)).permanent


def test_rollup_works_when_the_token_has_just_the_permissions_it_needs(
    place: Place, points: pd.DataFrame
) -> None:
    token = token_for(place, source="read", target="read write", ledger="read write")
    with connect(place.server, token=token) as client:
        result = roll(client, place.spec("1h", RULES, pipeline="mine"), SPAN)
    assert (result["state"], result["rows_in"]) == ("COMMITTED", points["temp"].notna().sum())
    assert place.differences(rollup(points, TAGS, HOURS, RULES)) == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"token": "wrong"}, InfluxUnauthorized),
        ({"token": ""}, ConfigurationError),
        ({"org": "no such org"}, OrgNotFound),
    ],
    ids=["wrong token", "no token", "wrong org"],
)
def test_rollup_fails_for_good_when_the_connection_is_wrong(
    place: Place, changes: dict[str, str], error: type[InfluxRollupError]
) -> None:
    with connect(place.server, **changes) as client:
        spec = place.spec("1h", RULES, pipeline="mine")
        assert refuse(place, error, None, lambda: roll(client, spec, SPAN)).permanent


def test_rollup_may_be_tried_again_when_the_server_is_down(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with connect(place.server, url=f"http://127.0.0.1:{port}") as client:
        spec = place.spec("1h", RULES, pipeline="mine")
        assert not refuse(place, InfluxUnavailable, None, lambda: roll(client, spec, SPAN)).permanent


@pytest.mark.parametrize(
    ("rules", "named"),
    [({"state": ("mean",)}, "'state'"), ({"online": ("max",)}, "'online'"), ({"stat*": ("p99",)}, "state")],
    ids=["string", "boolean", "a glob that fits nothing else"],
)
def test_rollup_fails_for_good_when_a_named_field_cannot_have_its_aggregate(
    place: Place, rules: dict[str, tuple[str, ...]], named: str
) -> None:
    spec = place.spec("1h", rules, pipeline="other")
    refuse(place, AggregateTypeMismatch, named, lambda: roll(place.client, spec, SPAN))


@pytest.mark.parametrize("other", ["a", "b"], ids=["one series", "another series"])
def test_only_the_window_of_two_types_fails_when_a_field_changes_its_type_in_a_later_shard(
    place: Place, other: str
) -> None:
    place.client.write_lines(
        place.source,
        [
            f"shifty_{other},device=a level=1i,other=1 {interval('2025-03-01', '2025-03-02').start_ns}",
            f"shifty_{other},device={other} level=2.5,other=1 {SPAN.start_ns}",
        ],
    )
    month = interval("2025-03-01", "2025-04-01")
    spec = replace(place.spec("1mo", {"level": ("count",)}, pipeline="other"), measurement=f"shifty_{other}")
    refuse(place, AggregateTypeMismatch, "'level'", lambda: roll(place.client, spec, month))
    # a field that nobody asked for may do as it likes
    chosen = replace(spec, aggregates={"other": ("count",)}, pipeline="chosen")
    assert roll(place.client, chosen, month)["rows_in"] == 2
    # and windows that have one type each are read one by one
    days = replace(spec, grid=GridSpec("1d"), pipeline="days", target_measurement=f"days_{other}")
    assert roll(place.client, days, month)["rows_in"] == 2
    fours = replace(days, grid=GridSpec("4d"), pipeline="fours", target_measurement=f"fours_{other}")
    with pytest.raises(WindowsFailed, match="2 windows are COMMITTED") as caught:
        roll(place.client, fours, interval("2025-02-25", "2025-03-09"))
    # a shard group begins on Monday, March 3
    assert [window for window, _ in caught.value.failed] == [interval("2025-03-01", "2025-03-05")]
    assert "'level'" in str(caught.value)


def test_fields_are_left_out_with_a_note_when_a_glob_takes_them_but_their_type_does_not_fit(
    place: Place, points: pd.DataFrame
) -> None:
    result = roll(place.client, place.spec("1h", ["mean"], target_measurement="all"), SPAN)
    numbers = ("temp", "packets", "total", FIELDS[-1])
    assert place.differences(rollup(points, TAGS, HOURS, dict.fromkeys(numbers, ("mean",))), "all") == []
    assert any("mean of state (string)" in note and "online (boolean)" in note for note in result["notes"])


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"aggregates": ("average",)}, UnknownAggregate, "'average'"),
        ({"aggregates": ("p101",)}, UnknownAggregate, "'p101'"),
        ({"aggregates": {"temp": ("count", "nope")}}, UnknownAggregate, "'nope'"),
        ({"aggregates": ()}, ConfigurationError, "aggregates"),
        ({"grid": GridSpec("1 hour")}, InvalidDuration, "1 hour"),
        ({"grid": GridSpec("")}, InvalidDuration, None),
        ({"grid": GridSpec("0s")}, InvalidDuration, "0s"),
        ({"grid": GridSpec("-1h")}, InvalidDuration, "-1h"),
        ({"grid": GridSpec("1h", offset="x")}, InvalidDuration, "x"),
        ({"grid": GridSpec("1h", period="90m")}, InvalidDuration, "1h30m"),
        ({"grid": GridSpec("1h", period="30m")}, InvalidDuration, "30m"),
        ({"grid": GridSpec("1h", timezone="Mars/Base")}, InvalidTimezone, "Mars/Base"),
        ({"lateness": "soon"}, InvalidDuration, "soon"),
        ({"compute": "gpu"}, ConfigurationError, "gpu"),
        ({"empty_windows": "ignore"}, ConfigurationError, "ignore"),
        ({"group_by": ("site",), "aggregates": ("mean",)}, AggregateNotMergeable, "mean"),
        ({"group_by": ("site",), "aggregates": ("p99",)}, AggregateNotMergeable, "p99"),
        ({"target_bucket": "rollup_ledger", "ledger_bucket": "rollup_ledger"}, ConfigurationError, "ledger"),
    ],
    ids=str,
)
def test_nothing_is_written_when_a_parameter_is_not_possible(
    place: Place, change: dict[str, Any], error: type[InfluxRollupError], match: str | None
) -> None:
    def run() -> None:
        roll(place.client, replace(place.spec("1h", RULES, pipeline="mine"), **change), SPAN)

    assert refuse(place, error, match, run).permanent


def test_nothing_is_written_when_the_target_is_the_source(place: Place) -> None:
    def run() -> None:
        roll(place.client, replace(place.spec("1h", RULES), target_bucket=place.source), SPAN)

    refuse(place, ConfigurationError, "the target is the source", run)


def test_rollup_works_when_only_the_measurement_keeps_target_and_source_apart(
    place: Place, points: pd.DataFrame
) -> None:
    spec = replace(place.spec("1h", RULES, target_measurement="hourly"), target_bucket=place.source)
    roll(place.client, spec, SPAN)
    assert compare(place.stored("hourly", place.source), rollup(points, TAGS, HOURS, RULES)) == []


def test_nothing_is_written_when_the_interval_is_misaligned(place: Place) -> None:
    spec = place.spec("1h", RULES, pipeline="mine")
    span = interval("2025-03-08T00:30", "2025-03-08T01:30")
    error = refuse(place, WindowMisaligned, None, lambda: roll(place.client, spec, span))
    assert "2025-03-08T00:00:00Z" in str(error)
    assert "2025-03-08T01:00:00Z" in str(error)


def test_nothing_is_written_when_the_interval_is_empty(place: Place) -> None:
    spec = place.spec("1h", RULES, pipeline="mine")
    run = lambda: roll(place.client, spec, Interval(SPAN.start, SPAN.start))  # noqa: E731
    refuse(place, WindowZeroLength, "zero length", run)


def test_rollup_may_be_tried_again_when_a_window_has_not_ended(place: Place) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    span = Interval(start, start + timedelta(hours=2))
    spec = place.spec("1h", RULES, pipeline="mine")
    assert not refuse(place, WindowNotDue, "future", lambda: roll(place.client, spec, span)).permanent


@pytest.mark.recorded
def test_empty_windows_are_not_committed_when_they_shall_fail(place: Place) -> None:
    place = replace(place, ledger=f"{place.ledger}_of_failures")
    spec = place.spec("1h", RULES, pipeline="other", target_measurement="other", empty_windows="fail")
    span = interval("2025-03-08T01:00", "2025-03-08T03:00")
    with pytest.raises(SourceIncomplete, match="1 of 2 windows"):
        roll(place.client, spec, span)
    assert place.states("other") == {
        "2025-03-08T01:00:00+00:00": "COMMITTED",
        "2025-03-08T02:00:00+00:00": "WRITING",
    }


NAMES = ['quo"ted', "back\\slash", "größe, 早い", "a,b=c d", "${r.x} #", "it's", "tab\there", "_x"]


@pytest.mark.parametrize("name", NAMES)
def test_rollup_equals_pandas_when_names_are_unusual(
    influx: InfluxServer, client: InfluxClient, points: pd.DataFrame, name: str
) -> None:
    """The same odd text names the measurement, the target's measurement, the tag, its value, the field, the pipeline."""
    place = replace(make_place(influx, client), measurement=name)
    few = points[["_time", "temp"]].assign(**{name: name + " x"}).drop_duplicates("_time").dropna()
    escaped = [name.translate(str.maketrans({c: f"\\{c}" for c in specials})) for specials in (", ", ",= ")]
    value = f"{escaped[1]}\\ x"
    lines = [
        f"{escaped[0]},{escaped[1]}={value} {escaped[1]}_f={temp!r} {time.as_unit('ns').value}"
        for time, temp in zip(few["_time"], few["temp"], strict=True)
    ]
    client.write_lines(place.source, lines)
    rules = {f"{name}_f": ("count", "mean", "last", "p99")}
    renamed = few.rename(columns={"temp": f"{name}_f"})
    for more in (
        {},
        {"tags": {name: (f"{name} x",)}, "target_measurement": f"{name} out", "pipeline": f"{name}->x"},
    ):
        spec = place.spec("1h", rules, **more)
        result = roll(client, spec, SPAN)
        assert result["rows_in"] == len(few)
        assert place.differences(rollup(renamed, [name], HOURS, rules), spec.output_measurement) == []
    client.delete(
        place.source, SPAN, f'_measurement="{name}"'.replace("\\", "\\\\").replace('quo"', 'quo\\"')
    )
    roll(client, spec, SPAN)
    assert len(place.stored(spec.output_measurement)) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"measurement": "line\nfeed"},
        {"measurement": "null\0"},
        {"measurement": "ends with \\"},
        {"measurement": ""},
        {"target_measurement": "line\nfeed"},
        {"source_bucket": 'quo"te'},
        {"tags": {"time": ("x",)}},
        {"tags": {"line\nfeed": ("x",)}},
        {"group_by": ("_field",), "aggregates": ("count",)},
    ],
    ids=str,
)
def test_nothing_is_written_when_influxdb_cannot_hold_a_name(place: Place, change: dict[str, Any]) -> None:
    def run() -> None:
        roll(place.client, replace(place.spec("1h", RULES, pipeline="mine"), **change), SPAN)

    refuse(place, InvalidName, None, run)


@pytest.mark.parametrize(
    "change",
    [
        {"tags": {"site": ("half \ud83d",)}},
        {"pipeline": "line\nfeed"},
        {"aggregates": {"line\nfeed": ("count",)}},
    ],
    ids=str,
)
def test_nothing_is_written_when_influxdb_cannot_hold_a_value_a_field_or_a_pipeline(
    place: Place, change: dict[str, Any]
) -> None:
    def run() -> None:
        roll(place.client, replace(place.spec("1h", RULES, pipeline="mine"), **change), SPAN)

    refuse(place, InvalidName, None, run)
