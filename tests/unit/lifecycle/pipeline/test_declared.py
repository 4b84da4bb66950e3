"""A lifecycle of tiers: its rollups, and what is refused before anything runs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import (
    AggregateNotMergeable,
    ConfigurationError,
    InvalidDuration,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.permissions import permissions_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import TierBelow, changed_fields
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import require_choice

PARTS = ["count", "sum", "min", "max"]


def lifecycle(*tiers: Tier, **more: Any) -> Lifecycle:
    return Lifecycle("raw", **{"measurement": "m", "tiers": tiers, **more})


def test_each_tier_reads_the_one_before_when_a_lifecycle_has_three() -> None:
    made = lifecycle(
        Tier("five", "5m", PARTS, lateness="10m"),
        Tier("hours", "1h", name="hours"),
        Tier("days", "1d", {"temp": ["mean"], "*": "count"}, timezone="Europe/Berlin"),
        fields=["temp", "hum*"],
        tags={"site": "a"},
        group_by=["site"],
        ledger_bucket="books",
    )
    first, second, third = made.specs()
    assert (first.source_bucket, first.target_bucket, first.source_tier) == ("raw", "five", None)
    assert (first.fields, first.tags, first.group_by) == (("temp", "hum*"), {"site": ("a",)}, ("site",))
    assert second.source_tier == first.pipeline_name == "raw/m{site=a}->five@5m by site"
    assert (second.source_bucket, second.aggregates, second.group_by) == ("five", tuple(PARTS), None)
    assert (third.source_tier, third.source_bucket) == ("hours", "hours")
    assert third.aggregates == {"temp": ("mean",), "*": ("count",)}
    assert third.grid == GridSpec("1d", timezone="Europe/Berlin")
    assert {spec.ledger_bucket for spec in made.specs()} == {"books"}


@pytest.mark.parametrize(
    ("tiers", "more", "message"),
    [
        (
            [Tier("a", "1h", PARTS), Tier("b", "1d", execution="native")],
            {},
            "the tier of 1d in bucket 'b': execution=\"native\" is not possible: with source_tier",
        ),
        (
            [Tier("a", "1h", ["median"], execution="native")],
            {},
            "median of raw points are computed in a worker",
        ),
        ([Tier("a", "1h", PARTS, execution="native")], {"group_by": ["site"]}, "with group_by"),
        ([Tier("a", "1h", PARTS), Tier("b", "1d", compute="server")], {}, "not possible with source_tier"),
    ],
)
def test_tasks_of_influxdb_compute_only_a_first_tier_that_needs_no_worker(
    tiers: list[Tier], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        lifecycle(*tiers, **more)


def test_first_tier_may_be_computed_by_tasks_when_influxdb_can() -> None:
    made = lifecycle(
        Tier("a", "1h", [*PARTS, "median"], compute="server", execution="native"), Tier("b", "1d", PARTS)
    )
    assert [tier.options().is_native for tier in made.tiers] == [True, False]
    assert [spec.compute for spec in made.specs()] == ["server", "auto"]
    # who computes is no part of what is right, so that windows stay done when it changes
    plain = lifecycle(Tier("a", "1h", [*PARTS, "median"]), Tier("b", "1d", PARTS))
    assert [spec.spec_hash() for spec in made.specs()] == [spec.spec_hash() for spec in plain.specs()]
    tasks = {("read", "tasks"), ("write", "tasks")}
    needed = [{(one.action, one.kind) for one in permissions_of(which)["rollup"]} for which in (made, plain)]
    assert [tasks & some for some in needed] == [tasks, set()]


REFUSED = [
    ([], {}, ConfigurationError, "has no tier"),
    (
        ["5m", ("1h", ["mean"]), ("1d", ["stddev"])],
        {},
        AggregateNotMergeable,
        "needs count, stddev of",
    ),
    ([("5m", ["count"]), ("1h", ["median"])], {}, AggregateNotMergeable, "median cannot be computed"),
    (["7m", "1h"], {}, WindowMisaligned, "the tier of 1h in bucket 'b1' cannot be made of the tier of 7m"),
    (["1h", ("1d", PARTS, "Asia/Kathmandu")], {}, WindowMisaligned, "every=15m"),
    (["1h"], {"retention": "59m"}, ConfigurationError, "bucket 'raw' keeps its rows for 59m"),
    (["1h"], {"retention": "90m", "run_every": "1h"}, ConfigurationError, "2:00:00"),
    (["1h"], {"reconcile": "x"}, InvalidDuration, "'x' is not a Flux duration"),
    (["1h"], {"reconcile": "31d", "retention": "30d"}, ConfigurationError, "reconcile=31d reaches further"),
    (["1h"], {"measurement": ["m", "m"]}, ConfigurationError, "measurement m is given twice"),
    (["1h"], {"tags": {"floor": 5}}, ConfigurationError, "tags['floor']=5 is not possible"),
    ([("1h", {"temp": None})], {}, ConfigurationError, "aggregates=None is not possible"),
    ([("1h", ["count", 5])], {}, ConfigurationError, "aggregates=['count', 5] is not possible"),
]


@pytest.mark.parametrize(("tiers", "more", "error", "message"), REFUSED)
def test_lifecycle_is_refused_when_its_tiers_do_not_fit(
    tiers: list[Any], more: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = [(tier,) if isinstance(tier, str) else tier for tier in tiers]
    made = [
        Tier(f"b{number}", every, *(rest[:1] or [PARTS]), *rest[1:])
        for number, (every, *rest) in enumerate(given)
    ]
    with pytest.raises(error) as refused:
        lifecycle(*made, **more)
    assert message in str(refused.value)


def test_retention_is_refused_when_it_is_shorter_than_the_next_tiers_lag() -> None:
    def with_hours_kept(retention: str, every: str, timezone: str = "UTC", lateness: str = "0s") -> Lifecycle:
        hours = Tier("hours", "1h", PARTS, retention=retention)
        return lifecycle(hours, Tier("longer", every, timezone=timezone, lateness=lateness))

    with_hours_kept("24h", "1d")
    with_hours_kept("25h", "1d", "Europe/Berlin")
    with_hours_kept("32d", "1mo")
    with_hours_kept("2mo", "1mo")
    with_hours_kept("1y", "1q")
    for arguments in (
        ("23h", "1d"),
        ("24h", "1d", "Europe/Berlin"),
        ("31d", "1mo"),
        ("25h", "1d", "UTC", "2h"),
    ):
        with pytest.raises(ConfigurationError, match="'hours' keeps its rows"):
            with_hours_kept(*arguments)
    with pytest.raises(ConfigurationError, match="between runs"):
        with_hours_kept("25h", "1d").require_kept(timedelta(hours=2))


def test_retention_is_refused_when_a_tier_waits_for_the_lateness_of_one_below() -> None:
    def with_minutes_kept(retention: str, lateness: str) -> Lifecycle:
        minutes = Tier("minutes", "5m", PARTS, retention=retention, lateness=lateness)
        return lifecycle(minutes, Tier("hours", "1h", retention="30d"), Tier("days", "1d", lateness="30m"))

    with_minutes_kept("3h", "2h")
    with pytest.raises(ConfigurationError, match=r"'minutes' keeps its rows for 150m.* up to 3:00:00 after"):
        with_minutes_kept("150m", "2h")
    with pytest.raises(ConfigurationError, match=r"'hours' keeps its rows for 30d.* \+ lateness 30d\)"):
        with_minutes_kept("60d", "30d")


def test_retention_is_refused_when_rows_are_too_old_to_be_written() -> None:
    lifecycle(Tier("hours", "1h", PARTS, retention="1h"))
    with pytest.raises(ConfigurationError, match=r"'hours' .* 1:00:01 old when they are written"):
        lifecycle(Tier("hours", "1h", PARTS, retention="1h", lateness="1s"))
    with pytest.raises(ConfigurationError, match="'days' keeps its rows for 23h"):
        lifecycle(Tier("hours", "1h", PARTS), Tier("days", "1d", retention="23h"))


def test_lookback_is_taken_when_the_source_keeps_its_points_as_long() -> None:
    lifecycle(Tier("hours", "1h", PARTS), reconcile="30d", retention="30d")
    lifecycle(Tier("hours", "1h", PARTS), reconcile="31d", retention="1mo")


def test_lifecycle_is_refused_when_two_tiers_share_a_bucket() -> None:
    tiers = (Tier("a", "5m", PARTS), Tier("b", "1h"), Tier("a", "1d"))
    with pytest.raises(ConfigurationError, match="bucket a has more than one tier"):
        lifecycle(*tiers)


def tier(**changes: Any) -> RollupSpec:
    values = {
        "source_bucket": "hours", "target_bucket": "days", "measurement": "m", "grid": GridSpec("1d"),
        "aggregates": ("count",), "source_tier": "below",
    }  # fmt: skip
    return RollupSpec(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_by": ("site",)}, "group_by is not possible"),
        ({"grid": GridSpec("1d", period="3d")}, "period is not possible"),
        ({"compute": "server"}, 'compute="server" is not possible with source_tier'),
        ({"pipeline": "below"}, "is its own source_tier"),
        (
            {"source_tier": None, "aggregates": ("increase",), "compute": "server"},
            "Flux has no such function",
        ),
    ],
)
def test_tier_is_refused_when_its_parameters_contradict(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        tier(**changes)
    assert message in str(refused.value)


def test_hash_of_a_raw_rollup_stays_when_tiers_are_known() -> None:
    raw = tier(source_tier=None)
    assert raw.spec_hash() != tier().spec_hash()
    without = {key: value for key, value in raw.as_json().items() if key != "source_tier"}
    assert RollupSpec.from_json(without) == raw
    assert raw.spec_hash() == "cfd3ffdf14cdeb8f"  # as in ledgers that were written before there were tiers


def test_choice_of_windows_is_refused_when_the_rollup_cannot_have_it() -> None:
    require_choice("complete", tier())
    for choice, spec, message in (
        ("complete", tier(source_tier=None), "needs source_tier"),
        ("ending", tier(source_tier=None, grid=GridSpec("1h", period="3h")), "not possible with period"),
        ("other", tier(), "windows='other'"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            require_choice(choice, spec)


def test_change_of_a_spec_is_told_when_the_ledger_knows_the_older_one() -> None:
    now = tier(aggregates={"temp": ("count", "sum")}, lateness="1h", tags={"site": ("a",)})
    then = tier(aggregates={"temp": ("count",)}).as_json()
    below = TierBelow("below", now, "new", {"old": then})
    told = changed_fields(below, "old")
    assert "aggregates was {temp: [count]} and is {temp: [count, sum]}" in told
    assert "tags was {} and is {site: [a]}" in told
    assert "lateness" not in told
    assert "no record" in changed_fields(below, "older")
