"""What a reconcile leaves alone or refuses, and what it says then."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    ConfigurationError,
    InvalidDuration,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.ledger.codec import encode_spec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileOptions, ReconcileSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import compare
from tests.scenes.reconcile_runs import reasons_of, sweep, sweep_tiers, watched
from tests.scenes.reconcile_scene import DAY, SPAN, MakeScene, scene_maker
from tests.scenes.rollup_runs import RUN, interval, now, roll

pytestmark = pytest.mark.live

RULES = {"temp": ("count", "last")}


@pytest.fixture(scope="module")
def make_scene(influx: InfluxServer, client: InfluxClient) -> MakeScene:
    return scene_maker(influx, client)


def test_windows_are_rolled_up_anew_when_they_were_never_committed_or_under_another_spec(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene(RULES, pipeline="mine")
    more = {"temp": ("count", "max"), "packets": ("sum",)}
    scene.spec = scene.place.spec("1h", more, pipeline="mine")
    roll(client, scene.spec, interval(f"{DAY}T01:00", f"{DAY}T02:00"))
    client.delete(
        scene.place.ledger, interval(f"{DAY}T03:00", f"{DAY}T03:00:01"), '_measurement="window_receipt"'
    )
    scene.delete_target(hour="03:00")
    result = sweep_tiers(client, scene.spec, SPAN)
    assert reasons_of(result) == {
        "00:00": ["spec changed"],
        "02:00": ["spec changed"],
        "03:00": ["never committed"],
    }
    assert result["repaired"]["windows"] == 3
    assert scene.differences() == []
    assert sweep(client, scene.spec, SPAN)["dirty"] == []


def test_oldest_windows_are_repaired_first_when_there_may_only_be_so_many(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene(RULES)
    for hour in range(4):
        scene.add("a-1", f"0{hour}:30:01", temp=99.5)
    first = sweep(client, scene.spec, SPAN, max_windows=3)
    assert (first["dirty_total"], first["repaired"]["windows"], first["remaining"]) == (4, 3, 1)
    assert not first["is_clean"]
    second = sweep(client, scene.spec, SPAN, max_windows=3)
    assert reasons_of(second) == {"03:00": ["new points"]}
    assert scene.differences() == []


def test_lookback_ends_with_the_last_window_that_is_due(make_scene: MakeScene, client: InfluxClient) -> None:
    scene = make_scene(RULES, lateness="20m")
    steps = reconcile(scene.spec, SPAN, RUN, lambda: SPAN.stop - timedelta(minutes=50))
    result = drive(steps, client, lambda _report: None)
    assert result.windows == 2
    told: list[str] = []
    nothing = sweep_tiers(client, scene.spec, None, told.append, lookback="1s")
    assert (nothing["window"], nothing["windows"]) == (None, 0)
    assert any("is due" in text for text in told)


def test_pipeline_is_refused_when_the_ledger_does_not_know_it(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene(RULES, pipeline="temperatures_1h")
    misspelt = replace(scene.spec, pipeline="temperature_1h")
    with pytest.raises(ConfigurationError, match=r"no pipeline 'temperature_1h'.*'temperatures_1h'"):
        sweep_tiers(client, misspelt, SPAN)
    elsewhere = replace(scene.spec, ledger_bucket="no_such_ledger")
    with pytest.raises(
        ConfigurationError, match=r"'no_such_ledger' knows no pipeline.*run the pipeline once"
    ):
        sweep_tiers(client, elsewhere, SPAN)


def test_script_is_refused_when_its_rows_would_have_to_be_computed(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene(RULES)
    line = encode_spec("my script", "00", {"script": "buckets()", "target_bucket": scene.place.target}, now())
    client.write_lines(scene.place.ledger, [line])
    with pytest.raises(ConfigurationError, match=r"'my script' is a script.*run its windows again"):
        sweep_tiers(client, replace(scene.spec, pipeline="my script"), SPAN)


def test_nothing_is_written_when_the_grid_was_changed(make_scene: MakeScene, client: InfluxClient) -> None:
    scene = make_scene(RULES, pipeline="regridded")
    before = scene.stored()
    other = replace(scene.spec, grid=GridSpec("30m"))
    with (
        watched(client) as requests,
        pytest.raises(ConfigurationError, match="has windows of 1h in its target"),
    ):
        sweep(client, other, SPAN)
    assert requests.lines == {}
    assert compare(scene.stored(), before) == []


def test_interval_or_parameters_are_refused_when_they_are_not_possible(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene(RULES)
    with pytest.raises(WindowMisaligned):
        sweep(client, scene.spec, interval(f"{DAY}T00:10", f"{DAY}T02:00"))
    with pytest.raises(BucketNotFound, match="no source bucket 'gone'"):
        sweep_tiers(client, scene.spec, None, lookback="1d", rollup=replace(scene.spec, source_bucket="gone"))
    with pytest.raises(ConfigurationError, match="mode='fix'"):
        ReconcileOptions(mode="fix")
    for most in (0, -1, True, "3"):
        with pytest.raises(ConfigurationError, match="max_windows="):
            ReconcileOptions(max_windows=most)  # type: ignore[arg-type]
    with pytest.raises(InvalidDuration):
        ReconcileSpec(pipeline="p", lookback="1mo")
    with pytest.raises(ConfigurationError, match="no pipeline is named"):
        ReconcileSpec(lookback="1d")


@pytest.fixture
def aging(client: InfluxClient) -> tuple[RollupSpec, Interval, datetime]:
    """A source that keeps a day, with two hours of points, and the clock one day and 90 minutes after the first."""
    name = uuid.uuid4().hex[:12]
    source, target = f"aging_raw_{name}", f"aging_target_{name}"
    client.ensure_bucket(source, retention_seconds=86_400)
    client.ensure_bucket(target)
    # enforcement is by the server's own clock, so the points are of today and the verb gets a clock of tomorrow
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    lines = [
        f"m,device=d{device} t={index + device}.5 {int((start + timedelta(minutes=10 * index)).timestamp())}000000000"
        for device in range(2)
        for index in range(12)
    ]
    client.write_lines(source, lines)
    spec = RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count", "sum"),
        ledger_bucket=f"ledger_{name}",
    )
    span = Interval(start, start + timedelta(hours=2))
    roll(client, spec, span)
    return spec, span, start + timedelta(days=1, minutes=90)


def test_lookback_is_refused_when_the_source_does_not_keep_its_points_that_long(
    client: InfluxClient, aging: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, _, _ = aging
    with (
        watched(client) as requests,
        pytest.raises(ConfigurationError, match=r"lookback=2d .* which is 1 day"),
    ):
        sweep_tiers(client, spec, None, lookback="2d")
    assert requests.lines == {}


def test_rollup_is_never_made_poorer_when_retention_has_taken_points(
    client: InfluxClient, aging: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, span, tomorrow = aging
    target = f'from(bucket: "{spec.target_bucket}") |> range(start: 0)'
    before = sorted((row["_time"], row["_field"], row["_value"]) for row in client.query(target))
    client.delete(
        spec.source_bucket, Interval(span.start, span.start + timedelta(minutes=30)), '_measurement="m"'
    )
    with watched(client) as requests:
        steps = reconcile(spec, span, RUN, lambda: tomorrow)
        result = drive(steps, client, lambda _report: None).as_json()
    assert requests.of(spec.target_bucket) == []
    assert requests.receipts(spec.ledger_bucket) == []
    (frozen,) = result["frozen"]
    assert frozen["window"]["start"] == span.as_json()["start"]
    assert "has 6 points of it now; the rollup stands for 12" in frozen["why"]
    assert sorted((row["_time"], row["_field"], row["_value"]) for row in client.query(target)) == before
