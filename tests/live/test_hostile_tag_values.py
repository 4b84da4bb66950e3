"""A tag value that line protocol cannot hold is one as any other: people name it in filters, and a device that has it stops no check."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.hostile_scene import Tags, ToPoint, facts_in, write_by_to
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, roll
from tests.scenes.validation_runs import run

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T01:00")
NEXT = Interval(SPAN.stop, SPAN.stop + SPAN.duration)
LATER = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = 10**9
HOSTILE = ("C:\\", "a\nb", "\0", 'q"\n\\')
ALL: tuple[Tags, ...] = tuple((("host", text),) for text in ("ok", *HOSTILE))


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    points = [
        ToPoint(tags, 10.0 * number + count, SPAN.start_ns + count * SECOND)
        for number, tags in enumerate(ALL)
        for count in range(3)
    ]
    write_by_to(influx, made.source, made.measurement, points)
    return made


def sums(place: Place, measurement: str) -> dict[Tags, float]:
    """``v_sum`` by series."""
    found = facts_in(place.server, place.target, [measurement])
    return {tags: value for tags, _, _, value in found}


def test_rollup_reads_only_what_a_filter_names(place: Place) -> None:
    for number, text in enumerate(HOSTILE, start=1):
        spec = place.spec("1h", ["sum"], tags={"host": (text,)}, target_measurement=f"t{number}")
        for _ in range(2):
            result = roll(place.client, spec, SPAN)
            assert (result["state"], result["rows_in"]) == ("COMMITTED", 3)
            assert sums(place, f"t{number}") == {(("host", text),): 30.0 * number + 3}
        assert sweep(place.client, spec, SPAN)["is_clean"]
    several = place.spec("1h", ["sum"], tags={"host": HOSTILE[:2]}, target_measurement="two")
    roll(place.client, several, SPAN)
    assert sums(place, "two") == {(("host", text),): 30.0 * n + 3 for n, text in enumerate(HOSTILE[:2], 1)}
    # a name that people give is theirs to change
    with pytest.raises(InvalidName, match="the pipeline's name"):
        place.spec("1h", ["sum"], pipeline="C:\\")


def statuses(place: Place, bucket: str, check: str) -> dict[str, set[str]]:
    """Hosts by level, of a check."""
    found: dict[str, set[str]] = {}
    for tags, field, _, _ in facts_in(place.server, bucket, ["statuses"]):
        known = dict(tags)
        if field == "_message" and known["_check_name"] == check:
            found.setdefault(known["_level"], set()).add(known["host"])
    return found


def test_deadman_tells_each_series_whatever_its_tags(place: Place, bucket_factory: Any) -> None:
    bucket = bucket_factory()
    spec = DeadmanSpec(
        bucket=place.source, measurement=place.measurement, status_bucket=bucket, check_name="all"
    )
    alive, dead = [
        drive(check_deadman(spec, one), place.client, lambda _report: None).as_json() for one in (SPAN, NEXT)
    ]
    again = drive(check_deadman(spec, NEXT), place.client, lambda _report: None).as_json()
    assert [one["dead_count"] for one in (alive, dead, again)] == [0, 5, 5]
    assert dead["newly_dead_count"] == 5
    hosts = {"ok", *HOSTILE}
    assert statuses(place, bucket, "all") == {"ok": hosts, "crit": hosts}
    # what a rerun finds otherwise is taken back
    back = [ToPoint(tags, 1.0, NEXT.start_ns + SECOND) for tags in ALL[:3]]
    write_by_to(place.server, place.source, place.measurement, back)
    third = drive(check_deadman(spec, NEXT), place.client, lambda _report: None).as_json()
    assert third["dead_count"] == 2
    # of the earlier interval all were alive
    assert statuses(place, bucket, "all") == {"ok": hosts, "crit": set(HOSTILE[2:])}
    for text in HOSTILE:
        for more in ({"tags": {"host": (text,)}}, {"expected": ({"host": text},)}):
            one = replace(spec, check_name=None, **more)
            told = drive(check_deadman(one, NEXT), place.client, lambda _report: None).as_json()
            assert told["dead_count"] == (text in HOSTILE[2:])


def test_deadman_says_what_to_do_when_a_status_would_be_too_long(place: Place, bucket_factory: Any) -> None:
    longest = "x" * (65_531 - len("long,host=v"))
    place.client.write_payload(place.source, f"long,host={longest} v=1 {SPAN.start_ns}".encode())
    spec = DeadmanSpec(bucket=place.source, measurement="long", status_bucket=bucket_factory())
    with pytest.raises(InvalidName, match=r"Written: no status\. To do: give a group_by") as caught:
        drive(check_deadman(spec, NEXT), place.client, lambda _report: None).as_json()
    assert caught.value.window == NEXT
    merged = replace(spec, group_by=())
    assert drive(check_deadman(merged, NEXT), place.client, lambda _report: None).as_json()["dead_count"] == 1


def test_window_is_complete_when_every_listed_series_came(place: Place) -> None:
    listed = tuple({"host": text} for text in ("ok", *HOSTILE))
    spec = CompletenessSpec(
        bucket=place.source, measurement=place.measurement, expected=listed, ledger_bucket=place.ledger
    )
    told = drive(check_windows(spec, SPAN, lambda: LATER), place.client, lambda _report: None).as_json()
    assert told is not None
    assert told["series"] == len(listed)
    absent = {"host": "D:\\"}
    spec = replace(spec, expected=(*listed, absent), min_series=0.01)
    told = drive(check_windows(spec, SPAN, lambda: LATER), place.client, lambda _report: None).as_json()
    assert told is not None
    assert told["missing_series"] == [absent]


def test_rules_judge_only_the_series_that_they_name(place: Place) -> None:
    hosts = ["ok", *HOSTILE]
    rules: list[dict[str, Any]] = [
        {"rule": "allowed_tag_values", "tag": "host", "values": hosts, "name": "allowed"},
        {"rule": "expected_series", "series": [{"host": text} for text in hosts], "name": "listed"},
        *(
            {"rule": "range", "field": "v", "high": 10 * n, "where": {"host": text}, "name": f"r{n}"}
            for n, text in enumerate(HOSTILE, 1)
        ),
    ]
    spec = ValidateSpec(
        bucket=place.source, measurement=place.measurement, rules=rules_of(rules), ledger_bucket=place.ledger
    )
    told = {one["rule"]: one["violations"] for one in run(place.client, spec, SPAN)["rules"]}
    assert told == {"allowed": 0, "listed": 0, "r1": 2, "r2": 2, "r3": 2, "r4": 2}


def test_series_are_erased_everywhere_by_such_a_value(place: Place, tmp_path: Path) -> None:
    spec = place.spec("1h", ["sum"], pipeline="hourly")
    roll(place.client, spec, SPAN)
    actions = actions_with(ArchiveStore.of_url(str(tmp_path)))
    archived = ArchiveSpec(
        org=place.server.org,
        bucket=place.source,
        measurement=place.measurement,
        shown_path=str(tmp_path),
        ledger_bucket=place.ledger,
    )
    steps = archive(archived, [SPAN], RUN, lambda: LATER, {"product": "1"})
    drive(steps, place.client, lambda _report: None, actions)
    left = set(ALL)
    for number, text in enumerate(HOSTILE):
        run_of = EraseRun(
            info=RUN, now=lambda: LATER, versions={"product": "1"}, salt=bytes([number]) * 16, key=None
        )
        erasure = erase(EraseSpec(archive=archived, tags={"host": text}), run_of)
        drive(erasure, place.client, lambda _report: None, actions)
        left -= {(("host", text),)}
        kept = {tags for tags, *_ in facts_in(place.server, place.source, [place.measurement])}
        assert kept == left
        assert set(sums(place, place.measurement)) == left
        table = read_archive(
            str(tmp_path), org=place.server.org, bucket=place.source, measurement=place.measurement
        )
        assert set(table["host"].to_pylist()) == {text for ((_, text),) in left}
    assert sweep(place.client, spec, SPAN)["is_clean"]
