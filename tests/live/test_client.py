"""The client on a real server: permissions, tokens, errors, buckets, deletes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    ConfigurationError,
    InfluxError,
    InfluxForbidden,
    InfluxRejected,
    InfluxUnauthorized,
    OrgNotFound,
    QueryFailed,
    WriteRejected,
)
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

DAY = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
BucketFactory = Callable[[], str]


def api(influx: Any, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the server itself, without the client."""
    request = urllib.request.Request(
        influx.url + path,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Token {influx.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def limited_token(influx: Any, bucket: str, *actions: str) -> str:
    """A token for one bucket."""
    found = api(influx, f"/api/v2/buckets?org={influx.org}&name={bucket}")["buckets"][0]
    resource = {"type": "buckets", "id": found["id"], "orgID": found["orgID"]}
    permissions = [{"action": action, "resource": resource} for action in actions]
    made = api(influx, "/api/v2/authorizations", {"orgID": found["orgID"], "permissions": permissions})
    return str(made["token"])


@pytest.fixture
def connect(influx: Any) -> Iterator[Callable[..., InfluxClient]]:
    clients = []

    def make(token: str | Callable[[bool], str], org: str | None = None) -> InfluxClient:
        give = token if callable(token) else lambda _: token
        clients.append(
            InfluxClient(
                ClientSettings(url=influx.url, org=org or influx.org, token=give, deadline_seconds=5)
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def all_of(bucket: str) -> str:
    return f'from(bucket: "{bucket}") |> range(start: 0) |> drop(columns: ["_start", "_stop"])'


def test_server_is_described_when_healthy(client: InfluxClient) -> None:
    health = client.health()
    assert (health.name, health.status) == ("influxdb", "pass")
    assert health.version.lstrip("v").startswith("2.")


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.query("buckets()"),
        lambda c: c.query_arrow("buckets()"),
        lambda c: c.execute("buckets()"),
        lambda c: c.parse_script("x = 1"),
        lambda c: c.write_lines("b", ["m v=1"]),
        lambda c: c.delete("b", DAY, '_measurement="m"'),
        lambda c: c.find_bucket("b"),
        lambda c: c.ensure_bucket("b"),
    ],
)
def test_wrong_token_is_named_and_never_shown_when_refused(connect: Any, call: Any) -> None:
    asked = []

    def give(is_refused: bool) -> str:
        asked.append(is_refused)
        return "wr0ng-s3cret"

    with pytest.raises(InfluxUnauthorized, match="unauthorized access") as caught:
        call(connect(give))
    assert asked == [False, True]
    assert "wr0ng-s3cret" not in str(caught.value) + repr(caught.value)


def test_token_is_read_again_when_it_was_rotated(influx: Any, connect: Any) -> None:
    tokens = {False: "old-token", True: influx.token}
    asked = []

    def give(is_refused: bool) -> str:
        asked.append(is_refused)
        return tokens[is_refused]

    assert connect(give).query("buckets() |> limit(n: 1)")
    assert asked == [False, True]


@pytest.mark.parametrize("token", ["", "  ", "s3cret\nX-Header: 1", "s3crét"])
def test_token_is_refused_without_being_shown_when_no_header_can_carry_it(connect: Any, token: str) -> None:
    with pytest.raises(ConfigurationError, match="characters that a header cannot carry") as caught:
        connect(token).query("buckets()")
    assert "s3cr" not in str(caught.value)


def test_permission_is_named_as_missing_when_a_token_may_only_read(
    influx: Any, connect: Any, client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    bucket, other = bucket_factory(), bucket_factory()
    client.write_lines(bucket, [f"m v=1 {DAY.start_ns}"])
    reader = connect(limited_token(influx, bucket, "read"))
    assert [row["_value"] for row in reader.query(all_of(bucket))] == [1.0]
    for call in (
        lambda: reader.write_lines(bucket, ["m v=1"]),
        lambda: reader.delete(bucket, DAY, '_measurement="m"'),
        lambda: reader.execute(f'{all_of(bucket)} |> to(bucket: "{bucket}")'),
        lambda: reader.ensure_bucket("brand-new"),
    ):
        with pytest.raises(InfluxForbidden):
            call()
    assert reader.find_bucket(other) is None
    with pytest.raises(BucketNotFound, match=f"'{other}' was not found.*hides buckets"):
        reader.query(all_of(other))


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.query(all_of("no such")),
        lambda c: c.query_arrow(all_of("no such")),
        lambda c: c.execute(all_of("no such")),
        lambda c: c.write_lines("no such", ["m v=1"]),
        lambda c: c.delete("no such", DAY, '_measurement="m"'),
    ],
)
def test_bucket_is_named_when_it_does_not_exist(client: InfluxClient, call: Any) -> None:
    with pytest.raises(BucketNotFound, match="bucket 'no such' was not found"):
        call(client)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.query("buckets()"),
        lambda c: c.execute("buckets()"),
        lambda c: c.write_lines("b", ["m v=1"]),
        lambda c: c.delete("b", DAY, '_measurement="m"'),
        lambda c: c.find_bucket("b"),
        lambda c: c.ensure_bucket("b"),
    ],
)
def test_org_is_named_when_it_does_not_exist(influx: Any, connect: Any, call: Any) -> None:
    with pytest.raises(OrgNotFound, match='organization name "nobody" not found'):
        call(connect(influx.token, org="nobody"))


COLLISION = """import "array"
array.from(rows: [{v: 1}]) |> yield(name: "fine")
from(bucket: "%s") |> range(start: 0) |> group() |> yield(name: "bad")
"""


@pytest.mark.parametrize("method", ["query", "query_arrow", "execute"])
def test_error_inside_an_answer_is_raised_when_rows_came_before_it(
    client: InfluxClient, bucket_factory: BucketFactory, method: str
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, [f'm v=1,s="x" {DAY.start_ns}'])
    with pytest.raises(QueryFailed, match="schema collision") as caught:
        getattr(client, method)(COLLISION % bucket)
    assert caught.value.http_status is None


def test_type_conflict_tells_what_was_dropped_when_a_write_is_partial(
    client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, [f"m v=1 {DAY.start_ns}"])
    with pytest.raises(WriteRejected, match="field type conflict") as caught:
        client.write_lines(bucket, [f'm v="x" {DAY.start_ns + 1}', f"m v=2 {DAY.start_ns + 2}"])
    assert caught.value.http_status == 422
    assert "all of the batch but 1 points" in (caught.value.written or "")
    assert [row["_value"] for row in client.query(all_of(bucket))] == [1.0, 2.0]


def test_points_outside_retention_are_counted_when_a_query_or_a_write_stores_them(
    client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    source = bucket_factory()
    short = client.ensure_bucket(f"{source}_short", 3600).name
    client.write_lines(source, ["m v=1 1000000000", "m v=2 2000000000"])
    with pytest.raises(WriteRejected, match="outside retention policy") as by_write:
        client.write_lines(short, ["m v=1 1", "m v=2 2", "m v=3 3"])
    assert "but 3 points" in (by_write.value.written or "")
    with pytest.raises(WriteRejected, match="outside retention policy") as by_query:
        client.execute(f'{all_of(source)} |> to(bucket: "{short}")')
    assert "but 2 points" in (by_query.value.written or "")


def test_script_is_parsed_or_refused_when_asked(client: InfluxClient) -> None:
    package = client.parse_script("x = 1")
    assert package["type"] == "Package"
    assert package["files"][0]["body"][0]["id"]["name"] == "x"
    with pytest.raises(QueryFailed, match="missing right hand side"):
        client.parse_script("x = 1 +")


def test_now_and_options_are_bound_when_given(client: InfluxClient) -> None:
    extern = {
        "type": "File",
        "package": None,
        "imports": [],
        "body": [
            {
                "type": "OptionStatement",
                "assignment": {
                    "type": "VariableAssignment",
                    "id": {"type": "Identifier", "name": "answer"},
                    "init": {"type": "IntegerLiteral", "value": "42"},
                },
            }
        ],
    }
    flux = 'import "array" array.from(rows: [{a: answer, t: now()}])'
    now = datetime(2020, 2, 29, 12, 30, 0, 250000, UTC)
    assert client.query(flux, extern=extern, now=now) == [
        {"result": "_result", "table": 0, "a": 42, "t": now}
    ]
    (table,) = client.query_arrow(flux, extern=extern, now=now)
    assert table.to_pylist() == [{"a": 42, "t": now}]


def test_yields_are_told_apart_when_there_are_several(client: InfluxClient) -> None:
    flux = """import "array"
array.from(rows: [{v: 1}]) |> yield(name: "one")
array.from(rows: [{v: 2}]) |> filter(fn: (r) => r.v > 5) |> yield(name: "none")
array.from(rows: [{v: 3}]) |> yield(name: "two")
"""
    assert sorted((row["result"], row["v"]) for row in client.query(flux)) == [("one", 1), ("two", 3)]
    tables = {table.schema.metadata[b"result"]: table.to_pylist() for table in client.query_arrow(flux)}
    assert tables == {b"one": [{"v": 1}], b"two": [{"v": 3}]}


def test_nothing_is_returned_when_there_are_no_rows(
    client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    flux = all_of(bucket_factory())
    assert client.query(flux) == []
    assert client.query_arrow(flux) == []
    client.execute(flux)


def test_delete_is_half_open_when_points_lie_at_both_ends(
    client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    bucket = bucket_factory()
    ends = [DAY.start_ns - 1, DAY.start_ns, DAY.stop_ns - 1, DAY.stop_ns]
    client.write_lines(bucket, [f"{m} v={n} {ns}" for m in ("m", "other") for n, ns in enumerate(ends)])
    client.delete(bucket, DAY, '_measurement="m"')
    left = [(row["_measurement"], row["_value"]) for row in client.query(all_of(bucket))]
    assert sorted(left) == [("m", 0.0), ("m", 3.0), *(("other", float(n)) for n in range(4))]


def test_bucket_is_described_when_made_and_found_again(
    client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    name = f"{bucket_factory()} & day/ünï"
    assert client.find_bucket(name) is None
    made = client.ensure_bucket(name, 7200)
    assert made == Bucket(
        name=name, retention_seconds=7200, shard_group_seconds=3600, id=made.id, org_id=made.org_id
    )
    assert len(made.id) == len(made.org_id) == 16
    assert client.find_bucket(name) == made
    assert client.ensure_bucket(name, 86400) == made  # an existing bucket keeps its own retention


def test_bucket_is_made_once_when_many_workers_race(
    client: InfluxClient, bucket_factory: BucketFactory
) -> None:
    names = [f"{bucket_factory()}_race" for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(client.ensure_bucket, [name for name in names for _ in range(8)]))
    assert [bucket.name for bucket in made] == [name for name in names for _ in range(8)]


def test_bucket_is_found_when_another_worker_makes_it_after_the_look_up(
    client: InfluxClient, bucket_factory: BucketFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = bucket_factory()
    find, answers = client.find_bucket, [None]
    monkeypatch.setattr(client, "find_bucket", lambda asked: answers.pop() if answers else find(asked))
    assert client.ensure_bucket(name).name == name
    assert answers == []


def test_bucket_name_is_refused_when_the_server_does_not_allow_it(client: InfluxClient) -> None:
    with pytest.raises(InfluxRejected, match="may not start with underscore"):
        client.ensure_bucket("_mine")


def test_many_threads_share_a_client_when_there_are_more_than_connections(client: InfluxClient) -> None:
    flux = 'import "array" array.from(rows: [{v: %d}])'
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: client.query(flux % n)[0]["v"], range(64)))
    assert answers == list(range(64))


def test_error_is_an_influx_error_when_the_url_is_another_server_of_ours(influx: Any) -> None:
    """A path under the server answers with its own web page or 404: never taken for data."""
    with (
        InfluxClient(
            ClientSettings(url=f"{influx.url}/nowhere", org=influx.org, token=lambda _: influx.token)
        ) as lost,
        pytest.raises(InfluxError),
    ):
        lost.find_bucket("b")
