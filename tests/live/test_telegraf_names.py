"""Points with the names that Telegraf's plugins use go through every verb, tags called ``result`` and ``table`` too."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.plain_rows import Key, Tags, stored_values
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import RUN, Place, make_place, roll
from tests.scenes.telegraf_lines import Point, measurements, telegraf_points
from tests.scenes.validation_runs import by_rule, run

pytestmark = pytest.mark.live

START = datetime(2025, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)
LATER = START + timedelta(days=1)
POINTS = telegraf_points(WINDOW.start_ns)
AGGREGATES = ("count", "first", "last")
EVERY = [*measurements()]
# those of which another series stays when the last one went, and whose tags tell them apart
SEVERAL = [name for name in EVERY if len({point.tags for point in POINTS if point.measurement == name}) > 1]
SINGLE = [name for name in EVERY if name not in SEVERAL]


@pytest.fixture(scope="module")
def shared(influx: InfluxServer, client: InfluxClient) -> Place:
    """A source with all points, that tests only read."""
    place = make_place(influx, client)
    client.write_lines(place.source, [point.line() for point in POINTS])
    return place


def of(measurement: str) -> list[Point]:
    return [point for point in POINTS if point.measurement == measurement]


def series_of(points: Iterable[Point]) -> list[Tags]:
    return sorted({point.tags for point in points})


def rolled_up(points: Iterable[Point], keep: Iterable[str] | None = None) -> dict[Key, Any]:
    """``count``, ``first`` and ``last`` of the one window, in plain Python.

    :param keep: tag keys that stay; None: all
    """
    columns: dict[tuple[Tags, str], list[tuple[int, Any]]] = defaultdict(list)
    for point in points:
        tags = tuple(tag for tag in point.tags if keep is None or tag[0] in keep)
        for name, value in point.fields:
            columns[tags, name].append((point.time_ns, value))
    found: dict[Key, Any] = {}
    for (tags, name), values in columns.items():
        ordered = [value for _, value in sorted(values, key=lambda pair: pair[0])]
        for aggregate, value in (("count", len(values)), ("first", ordered[0]), ("last", ordered[-1])):
            found[tags, f"{name}_{aggregate}", WINDOW.start_ns] = value
    return found


def delete_series(place: Place, measurement: str, tags: Tags) -> None:
    """Delete one series from the source, as a user would."""
    terms = [f'_measurement="{quoted(measurement)}"']
    terms += [f'"{quoted(key)}"="{quoted(text)}"' for key, text in tags]
    place.client.delete(place.source, WINDOW, " AND ".join(terms))


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def spec_of(place: Place, measurement: str, aggregates: Any = AGGREGATES, **more: Any) -> RollupSpec:
    return Place(place.server, place.client, place.source, place.target, place.ledger, measurement).spec(
        "1h", aggregates, **more
    )


def without(points: Iterable[Point], gone: Tags) -> list[Point]:
    """What a delete by these tags leaves: series with more tags go too."""
    return [point for point in points if not set(gone) <= set(point.tags)]


@pytest.mark.parametrize("way", ["pushed", "worker"])
def test_rows_are_right_when_series_left_the_source(
    influx: InfluxServer, client: InfluxClient, way: str
) -> None:
    place = make_place(influx, client)
    client.write_lines(place.source, [point.line() for point in POINTS])
    names = AGGREGATES if way == "pushed" else ("count", "first", "last", "distinct")
    for measurement in [*SEVERAL, *SINGLE[::3]] if way == "pushed" else SEVERAL[::2]:
        spec, points = spec_of(place, measurement, names), of(measurement)
        assert roll(client, spec, WINDOW)["state"] == "COMMITTED"
        assert kept(stored_values(influx, place.target, measurement)) == rolled_up(points), measurement
        gone = series_of(points)[-1]
        delete_series(place, measurement, gone)
        left = without(points, gone)
        if way == "pushed":
            roll(client, spec, WINDOW)
        else:
            sweep(client, spec, WINDOW)
        assert kept(stored_values(influx, place.target, measurement)) == rolled_up(left), measurement
        if measurement in SEVERAL:
            assert sweep(client, spec, WINDOW)["is_clean"], measurement
    assert set(place.states().values()) == {"COMMITTED"}


def kept(values: Mapping[Key, Any]) -> dict[Key, Any]:
    return {key: value for key, value in values.items() if not key[1].endswith("_distinct")}


def test_rows_are_merged_when_group_by_and_tags_name_result_and_table(
    client: InfluxClient, influx: InfluxServer, shared: Place
) -> None:
    for measurement, key in (("http_response", "result"), ("nftables", "table"), ("prometheus", "result")):
        text = next(dict(point.tags)[key] for point in of(measurement) if key in dict(point.tags))
        spec = spec_of(
            shared,
            measurement,
            group_by=(key,),
            tags={key: (text,)},
            target_measurement=f"{key} {measurement}",
        )
        roll(client, spec, WINDOW)
        chosen = [point for point in of(measurement) if (key, text) in point.tags]
        stored = stored_values(influx, shared.target, f"{key} {measurement}")
        assert stored == rolled_up(chosen, keep=(key,)), measurement
        assert sweep(client, spec, WINDOW)["is_clean"]


def test_deadman_knows_each_series_when_its_tags_have_such_names(
    client: InfluxClient, shared: Place, bucket_factory: Callable[[], str]
) -> None:
    statuses, points = bucket_factory(), {name: of(name) for name in SEVERAL}
    for measurement, some in points.items():
        right = sorted((dict(tags) for tags in series_of(some)), key=repr)
        for expected in (None, tuple(right)):
            spec = DeadmanSpec(
                bucket=shared.source, measurement=measurement, expected=expected, status_bucket=statuses
            )
            after = [Interval(WINDOW.stop + n * HOUR, WINDOW.stop + (n + 1) * HOUR) for n in range(2)]
            found = [
                drive(check_deadman(spec, hour), client, lambda _report: None).as_json() for hour in after
            ]
            assert sorted((one["series"] for one in found[0]["dead"]), key=repr) == right, measurement
            # the statuses of the first hour tell which are known to be dead
            told = [(one["dead_count"], one["newly_dead_count"]) for one in found]
            assert told == [(len(right), len(right)), (len(right), 0)], measurement


def test_window_is_complete_when_every_listed_series_came(client: InfluxClient, shared: Place) -> None:
    for measurement in SEVERAL:
        listed = tuple(dict(tags) for tags in series_of(of(measurement)))
        spec = CompletenessSpec(
            bucket=shared.source,
            measurement=measurement,
            expected=listed,
            every="1h",
            cadence="15m",
            ledger_bucket=shared.ledger,
        )
        found = drive(check_windows(spec, WINDOW, lambda: LATER), client, lambda _report: None).as_json()
        assert found is not None, measurement
        assert found["series"] == len(listed)
        absent = {key: f"{text} never" for key, text in listed[0].items()}
        spec = replace(spec, expected=(*listed, absent), min_series=0.01)
        found = drive(check_windows(spec, WINDOW, lambda: LATER), client, lambda _report: None).as_json()
        assert found is not None, measurement
        assert found["missing_series"] == [absent]


def test_copies_are_right_when_points_break_a_rule(
    client: InfluxClient, influx: InfluxServer, shared: Place, bucket_factory: Callable[[], str]
) -> None:
    quarantine, clean = bucket_factory(), bucket_factory()
    for measurement in SEVERAL:
        points = of(measurement)
        series = series_of(points)
        key, text = next(tag for tags in series for tag in tags if any(tag not in other for other in series))
        name = next(name for name, value in points[0].fields if not isinstance(value, str | bool))
        rules = [
            {"rule": "range", "field": name, "high": -1, "where": {key: text}, "name": "low"},
            {"rule": "allowed_tag_values", "tag": key, "values": [text], "name": "allowed"},
            {"rule": "tag_pattern", "tag": key, "pattern": re.escape(text), "name": "pattern"},
            {"rule": "expected_series", "series": [*map(dict, series), {key: "never"}], "name": "listed"},
        ]
        spec = ValidateSpec(
            bucket=shared.source,
            measurement=measurement,
            rules=rules_of(rules),
            quarantine_bucket=quarantine,
            clean_bucket=clean,
            ledger_bucket=shared.ledger,
        )
        wrong = {rule: dict[Key, Any]() for rule in ("low", "allowed", "pattern")}
        for (tags, field, at), value in values_of(points).items():
            has_tag = (key, text) in tags
            for rule in (["low"] if field == name else []) if has_tag else ["allowed", "pattern"]:
                own = (("validation", spec.validation_name), ("violated_rule", rule))
                wrong[rule][tuple(sorted((*tags, *own))), field, at] = value
        right = {k: v for k, v in values_of(points).items() if (key, text) in k[0] and k[1] != name}
        for _ in range(2):
            told = by_rule(run(client, spec, WINDOW))
            counts = {rule: told[rule]["violations"] for rule in told}
            assert counts == {**{rule: len(some) for rule, some in wrong.items()}, "listed": 1}, measurement
            copies = wrong["low"] | wrong["allowed"] | wrong["pattern"]
            assert stored_values(influx, quarantine, measurement) == copies, measurement
            assert stored_values(influx, clean, measurement) == right, measurement


def test_points_are_gone_everywhere_when_series_are_erased_by_result_or_table(
    client: InfluxClient, influx: InfluxServer, tmp_path: Path
) -> None:
    place = make_place(influx, client)
    client.write_lines(place.source, [point.line() for point in POINTS])
    store = ArchiveStore.of_url(str(tmp_path))
    for measurement, key in (("http_response", "result"), ("nftables", "table"), ("jenkins_job", "result")):
        spec = spec_of(place, measurement)
        roll(client, spec, WINDOW)
        text = next(dict(point.tags)[key] for point in of(measurement) if key in dict(point.tags))
        archived = ArchiveSpec(
            org=influx.org,
            bucket=place.source,
            measurement=measurement,
            shown_path=str(tmp_path),
            ledger_bucket=place.ledger,
        )
        run_of = EraseRun(
            info=RUN, now=lambda: LATER, versions={"product": "1"}, salt=b"0123456789abcdef", key=None
        )
        drive(
            archive(archived, [WINDOW], RUN, lambda: LATER, {"product": "1"}),
            client,
            lambda _r: None,
            actions_with(store),
        )
        steps = erase(EraseSpec(archive=archived, tags={key: text}), run_of)
        drive(steps, client, lambda _report: None, actions_with(store))
        left = without(of(measurement), ((key, text),))
        assert stored_values(influx, place.source, measurement) == values_of(left), measurement
        assert stored_values(influx, place.target, measurement) == rolled_up(left), measurement
        assert sweep(client, spec, WINDOW)["is_clean"]


def values_of(points: Iterable[Point]) -> dict[Key, Any]:
    return {(point.tags, name, point.time_ns): value for point in points for name, value in point.fields}
