"""A tag that line protocol cannot hold stops no rollup: its rows are written, read back, repaired and deleted as all others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from tests.conftest import InfluxServer
from tests.scenes.hostile_scene import Fact, Tags, ToPoint, delete_all, facts_in, write_by_to
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import Place, interval, make_place, roll

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T02:00")
SECOND = 10**9
HOUR = 3600 * SECOND
TAGS: tuple[Tags, ...] = (
    (("host", "ok"), ("site", "x")),
    (("site", "x"), ("host", "C:\\")),
    (("host", "a\nb"), ("site", "x")),
    (("host", "\0"), ("site", "x")),
    (("site", "x"), ("host", 'q"\n\\')),
    (("host", "plain"),),
    (("host", "\\"),),
)
WAYS: dict[str, dict[str, Any]] = {
    "pushed": {"aggregates": ("count", "sum")},
    "worker": {"aggregates": ("count", "sum", "p50")},
    "server": {"aggregates": ("count", "sum"), "compute": "server"},
    "grouped": {"aggregates": ("count", "sum"), "group_by": ("host",)},
}


def source_points() -> list[ToPoint]:
    return [
        ToPoint(tags, float(10 * place + number), SPAN.start_ns + hour * HOUR + number * SECOND)
        for place, tags in enumerate(TAGS)
        for hour in range(2)
        for number in range(3)
    ]


def expected(points: list[ToPoint], *, is_grouped: bool = False) -> Counter[Fact]:
    """Counts and sums, hour by hour."""
    values: dict[tuple[Tags, int], list[float]] = {}
    for one in points:
        tags = tuple(sorted(tag for tag in one.tags if not is_grouped or tag[0] == "host"))
        values.setdefault((tags, one.time_ns // HOUR * HOUR), []).append(one.value)
    return Counter(
        fact
        for (tags, time_ns), some in values.items()
        for fact in ((tags, "v_count", time_ns, str(len(some))), (tags, "v_sum", time_ns, sum(some)))
    )


def stored(place: Place) -> Counter[Fact]:
    found = facts_in(place.server, place.target, [place.measurement])
    return Counter({fact: number for fact, number in found.items() if fact[1] != "v_p50"})


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    write_by_to(influx, made.source, made.measurement, source_points())
    return made


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_right_and_follow_the_source_when_tags_are_hostile(place: Place, way: str) -> None:
    spec = place.spec("1h", **WAYS[way])
    is_grouped = "group_by" in WAYS[way]
    for _ in range(2):
        result = roll(place.client, spec, SPAN)
        assert stored(place) == expected(source_points(), is_grouped=is_grouped)
    assert result["rows_in"] == len(source_points())
    assert set(place.states().values()) == {"COMMITTED"}
    # each of them leaves the source in its turn, and its rows go too
    left = source_points()
    for tags in TAGS[1:]:
        left = [one for one in left if one.tags != tags]
        delete_all(place.server, place.source)
        write_by_to(place.server, place.source, place.measurement, left)
        roll(place.client, spec, SPAN)
        assert stored(place) == expected(left, is_grouped=is_grouped)
    assert set(place.states().values()) == {"COMMITTED"}


def test_reconcile_repairs_rows_when_tags_are_hostile(place: Place) -> None:
    spec = place.spec("1h", ("count", "sum"))
    roll(place.client, spec, SPAN)
    assert sweep(place.client, spec, SPAN)["is_clean"]
    altered = [
        ToPoint(tags, 99.0, SPAN.start_ns + (place_ % 2) * HOUR, "v_sum") for place_, tags in enumerate(TAGS)
    ]
    strays = [ToPoint((("host", "gone\n\\"),), 1.0, SPAN.start_ns, "v_sum")]
    write_by_to(place.server, place.target, place.measurement, [*altered, *strays])
    late = [ToPoint(tags, 7.0, SPAN.start_ns + 9 * SECOND) for tags in TAGS]
    write_by_to(place.server, place.source, place.measurement, late)
    sweep(place.client, spec, SPAN)
    assert stored(place) == expected([*source_points(), *late])
    assert sweep(place.client, spec, SPAN)["is_clean"]


def test_values_of_another_pipeline_stay_when_a_delete_takes_them_along(place: Place) -> None:
    first = place.spec("1h", {"v": ("count", "sum")}, pipeline="first")
    other = place.spec("1h", {"w": ("count", "sum")}, pipeline="other")
    others = [ToPoint(one.tags, one.value, one.time_ns, "w") for one in source_points()]
    write_by_to(place.server, place.source, place.measurement, others)
    roll(place.client, first, SPAN)
    roll(place.client, other, SPAN)
    delete_all(place.server, place.source)
    write_by_to(place.server, place.source, place.measurement, others)
    roll(place.client, first, SPAN)
    kept = Counter(
        (tags, field.replace("v_", "w_"), time_ns, value)
        for tags, field, time_ns, value in expected(source_points()).elements()
    )
    assert stored(place) == kept


def test_tier_is_right_when_tags_are_hostile(place: Place) -> None:
    hourly = place.spec("1h", ("count", "sum"), pipeline="hourly")
    roll(place.client, hourly, SPAN)
    tier = place.spec(
        GridSpec("2h"), ("count", "sum"), pipeline="tier", source_tier="hourly", target_measurement="tier"
    )
    roll(place.client, type(tier)(**{**vars_of(tier), "source_bucket": place.target}), SPAN)
    found = facts_in(place.server, place.target, ["tier"])
    sums = {(tags, field): float(value) for tags, field, _, value in found.elements()}
    for tags in TAGS:
        values = [one.value for one in source_points() if one.tags == tags]
        key = tuple(sorted(tags))
        assert (sums[key, "v_count"], sums[key, "v_sum"]) == (len(values), sum(values))
    assert len(sums) == 2 * len(TAGS)


def vars_of(spec: Any) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}
