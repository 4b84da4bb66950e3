"""What an archive holds, against the points that the test made itself."""

from __future__ import annotations

import json
import struct
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import (
    SourceUnreadable,
)
from airflow_provider_influx_rollup.flux.source_schema import ALL_TYPES
from airflow_provider_influx_rollup.lifecycle.source import slices as archive_slices
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import (
    WINDOW,
    ArchiveScene,
    Point,
    facts_of,
    make_archive_scene,
    nothing_published,
    point,
    small_points,
)

pytestmark = pytest.mark.live

SECOND = 10**9
WEEK = 7 * 86_400 * SECOND
THREE_WEEKS = Interval(WINDOW.start - timedelta(days=7), WINDOW.start + timedelta(days=14))
TEXTS = [
    "",
    "a\nb",
    'say "hi", \\ and \\\\',
    "trailing \\",
    "ünï ☃ 早い 😀",
    "\ufeffmark",
    "nul\0 and \x01",
    "\u2028",
    "#datatype,string\n#group,false\n",
    "NULL",
    "NaN",
    " spaces ",
    "x" * 70_000,
]
FLOATS = [-0.0, 0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1 / 3, 2.0]
INTEGERS = [-(2**63), 2**63 - 1, 0, -1]
ODD_TAGS = {
    "plain": "a",
    "a b,c=d": 'v w,x=y "z"',
    "result": "r",
    "table": "t",
    "error": "e",
    "reference": "f",
    "#datatype": "string",
    "umläut": "早い",
}


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    return make_archive_scene(influx, client, tmp_path)


def extreme_points() -> list[Point]:
    values: list[tuple[str, str, list[Any]]] = [
        ("float", "float", FLOATS),
        ("integer", "integer", INTEGERS),
        ("unsigned", "unsigned", [0, 2**64 - 1, 2**63]),
        ("text", "string", TEXTS),
        ("flag", "boolean", [True, False]),
        ('odd, field = "1" \\x', "float", [1.0]),
        ("_value", "integer", [1]),
        ("_time", "string", ["a"]),
        ("plain", "float", [1.0]),  # the name of a tag too
    ]
    series: list[dict[str, str]] = [{}, {"plain": "a"}, {"plain": "a", "device": "x y"}, ODD_TAGS]
    return [
        point(index, tags, name, value, kind)  # 1 ns apart
        for tags in series
        for name, kind, some in values
        for index, value in enumerate(some)
    ]


# the points of many rows are read as one table for each series, those of fewer as one for each field
TABLES = {"one table for each field": archive_slices.MAX_TAG_CELLS, "one for each series": -1}


@pytest.mark.parametrize("most_cells", TABLES.values(), ids=TABLES)
def test_types_and_extremes_are_exact_when_a_window_is_archived(
    scene: ArchiveScene, monkeypatch: pytest.MonkeyPatch, most_cells: int
) -> None:
    monkeypatch.setattr(archive_slices, "MAX_TAG_CELLS", most_cells)
    points = extreme_points()
    first, last = point(0, {"edge": "1"}, "v", 1), point(3600 * SECOND - 1, {"edge": "1"}, "v", 2)
    outside = [point(-1, {"edge": "1"}, "v", 3), point(3600 * SECOND, {"edge": "1"}, "v", 4)]
    scene.write([*points, first, last, *outside])
    result = scene.archive()
    expected = facts_of([*points, first, last])
    assert scene.stored() == expected
    assert result["rows_in"] == result["rows_out"] == len(expected)
    assert result["series"] == len({facts[1] for facts in expected})
    assert (result["generation"], result["new"], result["state"]) == (1, 1, "COMMITTED")
    manifest = scene.manifests()[1]
    assert manifest["source"] == manifest["content"]
    assert sum(part["rows"] for part in manifest["parts"]) == len(expected)
    assert {part["kind"] for part in manifest["parts"]} == {
        "float",
        "integer",
        "unsigned",
        "string",
        "boolean",
    }
    assert list(scene.receipts().values()) == [{"rows_out": len(expected), "generation": 1}]


def test_every_point_is_archived_when_a_field_changes_its_type_between_shard_groups(
    scene: ArchiveScene,
) -> None:
    values = [1.5, "x", 3, True]
    points = [
        point(week * WEEK + number, {"device": "a"}, "v", value)
        for week, value in zip((-1, 0, 1), values, strict=False)
        for number in range(3)
    ]
    scene.write(points)
    assert scene.archive(THREE_WEEKS)["rows_out"] == len(points)
    assert scene.stored(THREE_WEEKS) == facts_of(points)


REFUSED: dict[str, tuple[bytes, str]] = {
    "value": (b'm,device=a ok=1,text="a\rb" %d', "carriage return.*text"),
    "tag": (b"m,device=a\rb v=1 %d", "carriage return.*tag"),
    "tag key": (b"m,dev\rice=a v=1 %d", r"carriage return.*tag keys \(1\)"),
    "field": (b"m,device=a v\rw=1 %d", r"carriage return.*names of fields"),
    **{
        name: (b"m,%s=a v=1 %%d" % name.encode(), f"tag key '{name}'")
        for name in ("_time", "_value", "_start", "_stop")
    },
    "not UTF-8 in a value": (b'm,device=a text="x\xffy" %d', r"not UTF-8.*xffy"),
    "not UTF-8 in a tag": (b"m,device=a\xff v=1 %d", r"not UTF-8.*a.xff"),
    "not UTF-8 in a field": (b"m,device=a v\xff=1 %d", r"not UTF-8.*v.xff"),
}


@pytest.mark.parametrize(("line", "words"), REFUSED.values(), ids=REFUSED)
def test_window_is_refused_with_the_reason_when_queries_change_its_points(
    scene: ArchiveScene, line: bytes, words: str
) -> None:
    scene.write(small_points())
    scene.client.write_payload(scene.bucket, line % (WINDOW.start_ns + 5))
    with nothing_published(scene), pytest.raises(SourceUnreadable, match=words) as caught:
        scene.archive()
    assert caught.value.permanent
    assert str(WINDOW) in str(caught.value)
    assert scene.receipts() == {}


def test_carriage_return_is_found_when_only_one_shard_group_of_the_field_has_texts(
    scene: ArchiveScene,
) -> None:
    monday = datetime(2025, 3, 10, tzinfo=UTC)
    window = Interval(monday - timedelta(hours=3), monday + timedelta(hours=3))
    scene.write([point(window.start_ns - WINDOW.start_ns, {"device": "a"}, "v", 1.5)])
    moment = window.stop_ns - 1
    scene.client.write_payload(scene.bucket, b'm,device=a v="a\rb" %d' % moment)
    with (
        nothing_published(scene),
        pytest.raises(SourceUnreadable, match=r"carriage return.*: v \(1\)"),
    ):
        scene.archive(window)
    scene.client.write_payload(scene.bucket, b'm,device=a v="ab" %d' % moment)
    assert scene.archive(window)["rows_out"] == 2


NAMES = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6
)
SAFE_NAMES = NAMES.filter(
    lambda text: not text.endswith("\\") and text not in ("time", "_field", "_measurement")
)
TAG_NAMES = SAFE_NAMES.filter(lambda text: text not in ("_time", "_value", "_start", "_stop"))
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: ("float", value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: ("integer", value)),
    st.integers(0, 2**64 - 1).map(lambda value: ("unsigned", value)),
    st.booleans().map(lambda value: ("boolean", value)),
    st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=20).map(
        lambda value: ("string", value)
    ),
)
POINTS = st.lists(
    st.tuples(
        st.integers(0, 3600 * SECOND - 1),
        st.dictionaries(TAG_NAMES, SAFE_NAMES, max_size=3),
        SAFE_NAMES,
        VALUES,
    ),
    min_size=1,
    max_size=12,
)


def unescaped(text: str) -> bool:
    """Line protocol has no way to write a backslash before a character that must be escaped."""
    return not any(f"\\{one}" in text for one in ',= "\\')


@given(drawn=POINTS, most_cells=st.sampled_from([*TABLES.values()]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_names_and_values_come_back_when_they_are_archived(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, drawn: list[Any], most_cells: int
) -> None:
    found: dict[Any, Point] = {}
    kinds: dict[str, str] = {}
    for offset, tags, name, (kind, value) in drawn:
        if not all(unescaped(text) for text in (*tags, *tags.values(), name)):
            continue
        if kinds.setdefault(name, kind) == kind:  # a field has one type in a shard group
            made = point(offset, tags, name, value, kind)
            found[made.time_ns, made.tags, made.field] = made
    scene = make_archive_scene(influx, client, tmp_path)
    if found:
        scene.write(found.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_slices, "MAX_TAG_CELLS", most_cells)
        scene.archive()
    assert scene.stored() == facts_of(found.values())


def test_slices_hold_the_same_as_one_read_when_reads_are_small(
    scene: ArchiveScene, influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    points = [
        *extreme_points(),
        *(point(number * SECOND, {"device": "a"}, "temp", 1.0) for number in range(400)),
    ]
    scene.write(points)
    whole = scene.archive()
    cut = make_archive_scene(influx, client, tmp_path)
    cut.bucket = scene.bucket
    sliced = cut.archive(max_rows_per_read=150)
    assert len(cut.manifests()[1]["parts"]) > 8
    assert sliced["checksum"] == whole["checksum"]
    assert cut.stored() == scene.stored() == facts_of(points)
    assert any(f"of {len(points):,} points written" in text for text in cut.told)
    assert scene.archive(max_rows_per_read=150)["new"] == 0


def test_points_of_one_instant_are_archived_when_they_are_more_than_a_read_may_have(
    scene: ArchiveScene,
) -> None:
    points = [point(3, {"device": str(number)}, "temp", 1.0) for number in range(50)]
    scene.write(points)
    assert scene.archive(max_rows_per_read=10)["rows_out"] == 50
    assert scene.stored() == facts_of(points)


def plain_token(server: InfluxServer) -> str:
    """A token that may use all buckets of the organisation, and knows of no other organisation."""
    address = InfluxAddress(server.url, server.org, server.token)
    org_id = address.request("GET", "/api/v2/orgs", org=server.org)["orgs"][0]["id"]
    resource = {"type": "buckets", "orgID": org_id}
    permissions = [{"action": action, "resource": resource} for action in ("read", "write")]
    body = json.dumps({"orgID": org_id, "permissions": permissions}).encode()
    return str(address.request("POST", "/api/v2/authorizations", body)["token"])


def map_database(scene: ArchiveScene, database: str, bucket: str) -> None:
    """Lead a database of the 1.x-compatible API to a bucket, over plain HTTP."""
    url, headers = scene.server.url, {"Authorization": f"Token {scene.server.token}"}
    with urlopen(Request(f"{url}/api/v2/buckets?name={quote(bucket, safe='')}", headers=headers)) as answer:
        (found,) = json.load(answer)["buckets"]
    body = {
        "orgID": found["orgID"],
        "bucketID": found["id"],
        "database": database,
        "retention_policy": "x",
        "default": True,
    }
    with urlopen(Request(f"{url}/api/v2/dbrps", json.dumps(body).encode(), headers)) as answer:
        assert answer.status == 201


def test_keys_are_those_of_the_bucket_when_databases_lead_elsewhere(scene: ArchiveScene) -> None:
    plain, other = scene.bucket, f"{scene.bucket}/a"
    scene.client.ensure_bucket(other)
    scene.write(small_points())
    scene.bucket = other
    mixed = [point(-WEEK, {"other": "tag"}, "v", 1), point(WEEK, {"other": "tag"}, "v", "x")]
    scene.write(mixed)
    # InfluxQL would list the keys of the plain bucket here, which tell nothing of the two types
    assert scene.archive(THREE_WEEKS)["rows_out"] == 2
    assert scene.stored(THREE_WEEKS) == facts_of(mixed)
    map_database(scene, plain, other)
    token = plain_token(scene.server)
    settings_ = ClientSettings(url=scene.server.url, org=scene.server.org, token=lambda _refresh: token)
    with InfluxClient(settings_) as theirs:
        assert theirs.source_keys(other, "m").fields == {"v": ("integer", "string")}
        assert theirs.source_keys(plain, "m").fields["temp"] == ALL_TYPES
    # now the plain bucket's name leads to the other one
    scene.bucket = plain
    scene.archive()
    assert scene.stored() == facts_of(small_points())


def test_types_are_found_when_the_token_is_of_another_organisation(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    made = InfluxAddress(influx.url, influx.org, influx.token).new_organisation(f"o{uuid.uuid4().hex[:8]}")
    settings_ = ClientSettings(url=made.url, org=made.org, token=lambda _refresh: influx.token)
    with InfluxClient(settings_) as theirs:
        scene = make_archive_scene(InfluxServer(made.url, made.org, influx.token), theirs, tmp_path)
        # a bucket of this name, with one type, where the token is from
        client.ensure_bucket(scene.bucket)
        client.write_lines(scene.bucket, [f"m v=1 {WINDOW.start_ns}"])
        mixed = [point(-WEEK, {"device": "a"}, "v", 1), point(WEEK, {"device": "a"}, "v", "x")]
        scene.write(mixed)
        assert scene.archive(THREE_WEEKS)["rows_out"] == 2
        assert scene.stored(THREE_WEEKS) == facts_of(mixed)


def test_files_are_small_and_typed_when_other_tools_open_them(scene: ArchiveScene) -> None:
    scene.write(small_points())
    scene.archive()
    (path,) = (one for one in scene.files() if one.name.startswith("float-"))
    table = pq.read_table(path).to_pandas()
    assert list(table.columns) == ["_time", "device", "_field", "_value"]
    assert str(table.dtypes["_time"]) == "datetime64[ns, UTC]"
    assert [struct.pack("<d", value) for value in table["_value"]] == [
        struct.pack("<d", value) for value in (20.5, 21.5, 22.5)
    ]
