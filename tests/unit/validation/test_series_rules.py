"""Rules over what InfluxDB counts, on small censuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import RuleInvalid
from airflow_provider_influx_rollup.validation.catalog import rule_of
from airflow_provider_influx_rollup.validation.rule import SeriesRule
from airflow_provider_influx_rollup.validation.sightings import (
    COUNT,
    LAST,
    LATE,
    TYPES,
    Look,
    Observations,
    RuleVerdict,
    Scope,
    Sighting,
)
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 3, 30, tzinfo=UTC)
HOUR = Interval(START, START + timedelta(hours=1))
BEFORE = Interval(START - timedelta(days=7), START)
SCOPE = Scope(HOUR, START + timedelta(days=1))


def rule(kind: str, **values: Any) -> SeriesRule:
    made = rule_of({"rule": kind, **values})
    assert isinstance(made, SeriesRule)
    return made


def sighting(tags: Mapping[str, str], field: str = "temp", points: int = 10, **more: Any) -> Sighting:
    return Sighting(
        tags=tuple(sorted(tags.items())),
        field=field,
        **{"part": HOUR, "kind": "float", "points": points, **more},
    )


def judge(
    one: SeriesRule, census: Sequence[Sighting], answers: Mapping[Look, Sequence[Sighting]] | None = None
) -> RuleVerdict:
    return one.judge(Observations(SCOPE, census, answers or {}))


def hit_by(verdict: RuleVerdict) -> list[tuple[dict[str, str], str]]:
    return [(dict(one.tags), one.field) for one in verdict.hits]


A, B = {"device": "a", "site": "x"}, {"device": "b"}


def test_fields_and_tags_are_compared_when_a_schema_is_given() -> None:
    census = [
        sighting(A),
        sighting(A, "hum", kind="integer"),
        sighting(B, "new", points=3),
        sighting({**A, "fw": "1"}),
    ]
    one = rule(
        "schema",
        fields={"temp": "float", "hum": "float", "gone": "string"},
        tags=["device", "site"],
        other_fields=False,
        other_tags=False,
    )
    verdict = judge(one, census)
    assert hit_by(verdict) == [(A, "hum"), (B, "new"), ({**A, "fw": "1"}, "temp")]
    assert verdict.findings == ["no point of field 'gone'"]
    assert (verdict.checked, verdict.violations) == (33, 10 + 3 + 10 + 1)
    loose = rule("schema", fields={"temp": "float"}, tags=["device"])
    assert judge(loose, census).violations == 0


def test_type_is_found_when_it_differs_from_the_first_one() -> None:
    first, second = (
        Interval(HOUR.start, HOUR.start + timedelta(minutes=30)),
        Interval(HOUR.start + timedelta(minutes=30), HOUR.stop),
    )
    census = [
        sighting(A, part=second, kind="integer"),
        sighting(A, part=first),
        sighting(A, "ok", part=first),
    ]
    assert [one.part for one in judge(rule("field_type"), census).hits] == [second]
    assert [one.part for one in judge(rule("field_type", type="integer", field="t*"), census).hits] == [first]
    known = rule("field_type", lookback="7d")
    (look,) = known.looks(SCOPE)
    assert look == Look(what=TYPES, interval=BEFORE)
    day = Interval(START - timedelta(days=1), START)
    types = [
        Sighting(tags=(), field="temp", part=day, kind="integer"),
        Sighting(tags=(), field="temp", part=BEFORE, kind="float"),
    ]
    assert [one.part for one in judge(known, census, {look: types}).hits] == [first]


def test_tags_are_judged_when_values_or_a_pattern_are_given() -> None:
    census = [sighting(A), sighting(B), sighting({"device": "a", "site": 'y "2"'})]
    allowed = judge(rule("allowed_tag_values", tag="site", values=["x", ""]), census)
    assert hit_by(allowed) == [({"device": "a", "site": 'y "2"'}, "temp")]
    assert (
        judge(rule("allowed_tag_values", tag="site", values=["x"], where={"site": [""]}), census).violations
        == 10
    )
    pattern = judge(rule("tag_pattern", tag="site", pattern="[a-z]"), census)
    assert len(pattern.hits) == 2


def test_duplicates_are_found_when_series_differ_by_what_nobody_sees() -> None:
    spellings = ["Hall 1", "hall 1", "HALL  1 ", "hall 2", "hall\u00a01"]
    census = [
        sighting({"site": site}, points=points)
        for site, points in zip(spellings, (5, 50, 5, 5, 5), strict=True)
    ]
    census += [sighting({"Site": "hall 1"}, points=7)]
    verdict = judge(rule("duplicate_series"), census)
    assert {next(iter(tags.values())) for tags, _ in hit_by(verdict)} == {
        "Hall 1",
        "HALL  1 ",
        "hall\u00a01",
        "hall 1",
    }
    assert verdict.violations == 5 + 5 + 5 + 7
    assert judge(rule("duplicate_series", tags=["device"]), census).violations == 0


def test_growth_is_found_when_new_series_are_too_many() -> None:
    one = rule("cardinality", max_growth=0.5, max_series=3)
    (look,) = one.looks(SCOPE)
    assert look == Look(what=COUNT, interval=BEFORE)
    known = [sighting({"device": name}) for name in "ab"]
    now = [sighting({"device": name}) for name in "abc"]
    assert judge(one, now, {look: known}).findings == []
    grown = judge(one, [*now, sighting({"device": "d"})], {look: known})
    assert len(grown.findings) == 2
    # nothing is known of a measurement that is new
    assert judge(one, now, {look: []}).findings == []


@pytest.mark.parametrize(
    ("points", "is_right"), [(0.89, False), (0.9, True), (1.1, True), (1.11, False)], ids=str
)
def test_series_is_found_when_it_has_not_the_points_of_its_cadence(points: float, is_right: bool) -> None:
    census = [
        sighting(A, points=int(points * 3600) - 100),
        sighting(A, points=100),
        sighting(B, "other", points=1),
    ]
    verdict = judge(rule("cadence", every="1s", field="temp"), census)
    assert (verdict.checked, not verdict.findings) == (1, is_right)


def test_volume_is_compared_with_the_same_local_hours_when_weeks_are_known() -> None:
    one = rule("volume", weeks=3, timezone="Europe/Berlin", min_ratio=0.5, max_ratio=2)
    looks = one.looks(SCOPE)
    # the clocks went forward between the weeks before and this night at 01:00 UTC
    assert [look.interval.start for look in looks] == [START - timedelta(days=7 * week) for week in (1, 2, 3)]
    summer = one.looks(Scope(Interval(HOUR.stop, HOUR.stop + timedelta(hours=2)), SCOPE.now))
    assert summer[0].interval == Interval(
        START - timedelta(days=6, hours=22), START - timedelta(days=6, hours=20)
    )
    answers = dict(zip(looks, [[sighting({}, points=n)] for n in (100, 0, 140)], strict=True))
    assert [judge(one, [sighting(A, points=n)], answers).violations for n in (59, 60, 240, 241)] == [
        1,
        0,
        0,
        1,
    ]
    assert judge(one, [], answers).violations == 1
    assert judge(one, [sighting(A)], {look: [] for look in looks}).checked == 0


def test_age_is_judged_at_the_stop_when_series_were_seen() -> None:
    one = rule("freshness", max_age="10m", lookback="2h")
    (look,) = one.looks(SCOPE)
    assert look == Look(what=LAST, interval=Interval(START - timedelta(hours=2), HOUR.stop))
    stop_ns = HOUR.stop_ns
    limit = stop_ns - 600 * 10**9
    seen = [sighting(A, last_ns=limit), sighting(B, last_ns=limit - 1), sighting(B, "hum", last_ns=limit - 5)]
    verdict = judge(one, [], {look: seen})
    assert (verdict.checked, len(verdict.findings)) == (2, 1)
    assert "device=b" in verdict.findings[0]
    whole = rule("freshness", max_age="10m", lookback="2h", each_series=False)
    assert judge(whole, [], {look: seen}).findings == []
    assert judge(whole, [], {look: []}).violations == 1


def test_series_are_found_when_they_are_expected_and_silent() -> None:
    one = rule("expected_series", series=[{"device": "a"}, {"device": "c"}, {"device": "b", "site": "x"}])
    (look,) = one.looks(SCOPE)
    listed = [sighting({"device": "a"}), sighting({"device": "c"}), sighting({"device": "b", "site": "x"})]
    verdict = judge(one, [sighting(A), sighting(B)], {look: listed})
    assert (verdict.checked, verdict.findings) == (
        3,
        ["device=c has no point", "device=b, site=x has no point"],
    )


def test_function_is_asked_about_the_interval_when_it_names_the_series() -> None:
    asked = []

    def registry(start: datetime, stop: datetime) -> list[dict[str, str]]:
        asked.append((start, stop))
        return [{"device": "a"}]

    made = rule("expected_series", series=registry).at(HOUR)
    assert made == rule("expected_series", series=[{"device": "a"}])
    assert asked == [(HOUR.start, HOUR.stop)]
    assert "registry" not in repr(rule("expected_series", series=registry))
    with pytest.raises(RuleInvalid, match="names no series"):
        rule("expected_series", series=lambda _start, _stop: 7).at(HOUR)


def test_points_are_found_when_they_are_later_than_the_clock() -> None:
    one = rule("future", max_ahead="5m", where={"site": "x"})
    (look,) = one.looks(SCOPE)
    assert look.interval.start == SCOPE.now + timedelta(minutes=5)
    ahead = [sighting(A, points=2, part=look.interval), sighting(B, points=3, part=look.interval)]
    assert judge(one, [], {look: ahead}).violations == 2


def test_share_of_late_points_is_judged_when_the_ledger_knows_them() -> None:
    one = rule("late_share", pipeline="p", max_share=0.1)
    (look,) = one.looks(SCOPE)
    assert (look.what, look.pipeline) == (LATE, "p")
    late = [sighting({}, "", points=4), sighting({}, "", points=6)]
    assert judge(one, [sighting(A, points=100)], {look: late}).violations == 0
    assert judge(one, [sighting(A, points=99)], {look: late}).violations == 1
    assert judge(replace(one, max_share=0.2), [], {look: late}).violations == 0
