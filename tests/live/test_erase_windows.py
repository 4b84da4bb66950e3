"""Erasures where windows were purged or compacted, and of a part of the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from airflow_provider_influx_rollup.archive import value_kinds
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.stores import check_certificates, erase_parts
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.oracle import compare, read_target, rollup, windows
from tests.scenes.archive_scene import RUN, VERSIONS, facts_of, point, read_facts, sorted_facts
from tests.scenes.erase_scene import (
    ERASED_AT,
    HOURS,
    EraseScene,
    Going,
    make_erase_scene,
    make_filled_scene,
    others,
    points_of,
    without,
)
from tests.scenes.purge_scene import DAY, HOUR

pytestmark = pytest.mark.live

DAY_FOLDER = "window=20250308T000000Z_20250309T000000Z"


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_filled_scene(influx, client, tmp_path)


@pytest.fixture
def twin(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    """The same, in a world where the customer has never been."""
    return make_filled_scene(influx, client, tmp_path, with_customer=False)


@pytest.mark.recorded
def test_pipelines_are_right_and_purges_go_on_when_the_window_was_purged(
    scene: EraseScene, twin: EraseScene
) -> None:
    purged = {"require_pipelines": ("hourly", "daily"), "quiet_for": "0s"}
    scene.purge(*HOURS[:2], **purged)
    result = scene.erase()
    assert set(result["kept"]) == {"merged"}
    assert result["kept"]["merged"]["windows"] == 2
    assert result["computed_again"] == {"merged": 1}
    (certificate,) = scene.erase_certificates()
    assert "aggregated over the tag" in certificate["kept"]["merged"]["why"]
    for name in ("m", "m_daily"):
        assert scene.rows(scene.rolled, name) == twin.rows(twin.rolled, name)
    for pipeline in ("hourly", "daily"):
        assert scene.receipt_rows(pipeline) == twin.receipt_rows(pipeline)
    assert scene.customers_in_files() == 0
    stored = [facts for window in HOURS for facts in scene.stored(window)]
    assert sorted(stored, key=repr) == facts_of(others())
    # nothing is frozen, and what is purged stays so
    assert scene.reconcile(scene.hourly, DAY)["dirty"] == []
    assert scene.purge(*HOURS[:2], **purged, now=ERASED_AT)["new"] == 0
    scene.clock = ERASED_AT
    assert scene.archive(*HOURS)["new"] == 0
    assert scene.purge(HOURS[2], **purged, now=ERASED_AT)["rows_in"] == 4
    assert scene.verified() == []


def test_every_tier_is_right_when_a_purged_window_is_erased_restored_and_reconciled(
    scene: EraseScene,
) -> None:
    scene.purge(*HOURS[:2], require_pipelines=("hourly", "daily", "merged"), quiet_for="0s")
    kept = scene.erase()["kept"]
    assert set(kept) == {"merged"}
    span = Interval.from_json(kept["merged"]["interval"])
    assert differences(scene, "m_all") != []
    # as the page says: bring all points back but the erased, and compute the windows again
    back = scene.restore_spec(measurement="m")
    drive(restore(back, span, RUN, lambda: ERASED_AT), scene.client, scene.tell, actions_with(scene.store))
    assert len(scene.reconcile(scene.merged, span)["dirty"]) == 2
    for name in ("m", "m_daily", "m_all"):
        assert differences(scene, name) == []
        assert without(rows := scene.rows(scene.rolled, name), scene.tags) == rows
    for spec in (scene.hourly, scene.daily, scene.merged):
        assert scene.reconcile(spec, DAY)["dirty"] == []
    assert scene.rows() == {(one.time_ns, one.tags, one.field, one.value) for one in others()}
    assert scene.customers_in_files() == 0
    assert scene.verified() == []
    # the life of the windows goes on: nothing is archived again, and they can be purged again
    scene.clock = ERASED_AT
    assert scene.archive(*HOURS)["new"] == 0
    again = scene.purge(
        *HOURS, require_pipelines=("hourly", "daily", "merged"), quiet_for="0s", now=ERASED_AT
    )
    assert (again["rows_in"], scene.rows()) == (len(others()), set())
    assert scene.erase()["new"] == 0


def differences(scene: EraseScene, name: str) -> list[str]:
    """What a tier holds beside what pandas makes of the points that stay."""
    frame = pd.DataFrame(
        [
            {"_time": pd.Timestamp(one.time_ns, tz="UTC"), **dict(one.tags), one.field: one.value}
            for one in others()
        ]
    )
    tags = ["customer", "device", "site"]
    spans = windows(str(DAY.start), str(DAY.stop), "1D" if name == "m_daily" else "1h")
    group_by = ["device"] if name == "m_all" else None
    expected = rollup(
        frame.fillna(dict.fromkeys(tags, "")), tags, spans, {"temp": ("count", "sum")}, group_by
    )
    server = scene.server
    times = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
    return compare(read_target(server.url, server.org, server.token, scene.rolled, name, *times), expected)


def test_compacted_windows_lose_the_series_when_their_own_files_are_gone(scene: EraseScene) -> None:
    scene.purge(*HOURS, require_pipelines=(), quiet_for="0s")
    compact_day(scene)
    assert {path.parent.parent.name for path in scene.all_parquet()} == {DAY_FOLDER}
    result = scene.erase()
    assert (result["windows"], result["rows_in"]) == (1, 0)
    assert scene.customers_in_files() == 0
    filed = (facts for path in scene.all_parquet() for facts in read_facts(path))
    assert sorted_facts(filed) == facts_of(others())
    assert scene.verified() == []
    assert main(["certificate", "verify", str(scene.folder), "--archive", str(scene.base)]) == 0
    # a late point of a small window is merged with what is left of it
    late = point(77, {"customer": "7", "device": "late"}, "temp", 5.0)
    scene.add(late)
    scene.clock = ERASED_AT
    scene.archive(HOURS[0])
    left = [one for one in others() if HOURS[0].start_ns <= one.time_ns < HOURS[0].stop_ns]
    assert scene.stored(HOURS[0]) == facts_of([*left, late])
    # and compacted again: the certificates of the purges name points that an erasure took
    compact_day(scene)
    assert (scene.folder / DAY_FOLDER / "gen=3" / "manifest.json").exists()
    assert main(["certificate", "verify", str(scene.folder), "--archive", str(scene.base)]) == 0


@pytest.mark.parametrize(
    ("content", "found", "is_right"),
    [
        ({"temp": (9, "a")}, {"temp": (8, "b")}, True),
        ({"temp": (9, "a")}, {"temp": (4, "b")}, False),
        ({"temp": (9, "a")}, {"temp": (9, "b")}, False),
        ({"temp": (9, "a")}, {"temp": (8, "b"), "more": (1, "c")}, False),
        ({"temp": (9, "a"), "state": (2, "c")}, {"temp": (8, "b"), "state": (1, "d")}, False),
        ({"temp": (9, "a"), "state": (2, "c")}, {"temp": (8, "b"), "state": (2, "c")}, True),
    ],
)
def test_only_what_erasures_took_may_lack_in_a_larger_window(
    monkeypatch: pytest.MonkeyPatch, content: Any, found: Any, *, is_right: bool
) -> None:
    erased = {("temp", "float"): 4}
    monkeypatch.setattr(check_certificates, "_erased_from_larger", lambda _store, _folder: erased)
    both = [
        Fingerprint(fields={(name, "float"): Total(*one) for name, one in fields.items()})
        for fields in (content, found)
    ]
    assert check_certificates._is_rewritten(cast("Any", None), "", *both) is is_right


@pytest.mark.recorded
def test_files_are_written_anew_when_they_hold_the_series_in_no_row(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_erase_scene(influx, client, tmp_path, tags={"customer": "ours-4711"})
    scene.add(point(1, scene.tags, "temp", 1.0), point(2, {"customer": "7"}, "temp", 2.0))
    scene.archive(HOURS[0])
    with monkeypatch.context() as patched:
        # as a writer does that keeps dictionaries whole
        patched.setattr(value_kinds, "without_unused_texts", lambda table: table)
        patched.setattr(erase_parts, "_is_named", lambda _column, _value: False)
        scene.erase()
    assert scene.customers_in_files() == 0
    assert len(scene.files_with("ours-4711")) == 1
    assert scene.erase()["new"] == 1
    assert scene.files_with("ours-4711") == []
    assert len(scene.stored(HOURS[0])) == 1
    assert scene.erase()["new"] == 0


def test_no_file_holds_a_text_of_the_series_when_files_are_written_anew(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    texts = ("ours-4711", "only_theirs")
    scene = make_erase_scene(influx, client, tmp_path, tags={"customer": texts[0]})
    scene.add(*(point(n * HOUR + 9, scene.tags, texts[1], 1.0) for n in range(3)))
    scene.fill()
    assert len(scene.files_with(*texts)) >= 3
    scene.purge(*HOURS, require_pipelines=(), quiet_for="0s")
    scene.erase()
    assert scene.files_with(*texts) == []
    assert scene.values_in_documents(texts[0]) == []
    compact_day(scene)
    assert {path.parent.parent.name for path in scene.all_parquet()} == {DAY_FOLDER}
    assert scene.files_with(*texts) == []
    # late points are merged with what was read
    scene.add(point(77, {"customer": "7", "device": "late"}, "temp", 5.0))
    scene.clock = ERASED_AT
    scene.archive(HOURS[0])
    assert scene.files_with(*texts) == []
    assert scene.files_with("late") != []


def compact_day(scene: EraseScene) -> None:
    """The hours into a day, whose files are all that is left."""
    spec = CompactSpec(
        org=scene.server.org,
        bucket=scene.bucket,
        measurement="m",
        shown_path=str(scene.base),
        into="1d",
        remove_small=True,
    )
    steps = compact(spec, DAY, RUN, lambda: ERASED_AT, VERSIONS)
    drive(steps, scene.client, scene.tell, actions_with(scene.store))


def test_windows_that_stick_out_are_computed_again_when_an_interval_is_erased(
    scene: EraseScene, twin: EraseScene
) -> None:
    # from the middle of the first hour to the end of the second: of three points of the first hour one goes
    span = Interval(HOURS[0].start + timedelta(minutes=30), HOURS[1].stop)
    result = scene.erase(interval=span, pipelines=("hourly", "daily"))
    assert result["rows_in"] == 5
    assert result["kept"] == {"merged": {"why": "pipelines= does not name it"}}
    stays = [one for one in points_of(scene.tags, 1.0) if not span.start_ns <= one.time_ns < span.stop_ns]
    twin.add(*stays)
    for spec in (twin.hourly, twin.daily):
        twin.reconcile(spec, DAY)
    assert scene.rows() == twin.rows()
    for name in ("m", "m_daily"):
        assert scene.rows(scene.rolled, name) == twin.rows(twin.rolled, name)
    for pipeline in ("hourly", "daily"):
        assert scene.receipt_rows(pipeline) == twin.receipt_rows(pipeline)
    stored = [facts for window in HOURS for facts in scene.stored(window)]
    assert sorted_facts(stored) == facts_of([*others(), *stays])
    # the rest goes with another certificate
    assert scene.erase()["certificate"]["number"] == 2
    assert scene.customers_in_files() == 0
    assert scene.reconcile(scene.merged, DAY)["dirty"] == []


def test_rows_go_from_the_target_that_a_pipeline_had_before(scene: EraseScene, client: InfluxClient) -> None:
    # with another specification the same pipeline goes on elsewhere, and the day's target is gone
    moved = replace(scene.hourly, target_measurement="m_moved")
    scene.roll(moved, HOURS[0])
    client.ensure_bucket(f"{scene.bucket}_gone")
    gone = replace(scene.hourly, pipeline="gone", target_bucket=f"{scene.bucket}_gone")
    scene.roll(gone, HOURS[0])
    InfluxAddress(scene.server.url, scene.server.org, scene.server.token).delete_bucket(gone.target_bucket)
    scene.erase()
    for name in ("m", "m_moved", "m_daily"):
        rows = scene.rows(scene.rolled, name)
        assert rows != set()
        assert without(rows, scene.tags) == rows


def test_purge_that_died_finishes_after_an_erasure(scene: EraseScene) -> None:
    purged = {"require_pipelines": ("hourly",), "quiet_for": "0s"}
    going = Going(scene, scene.purge_steps(HOURS[0], **purged))
    while not isinstance(going.pending, Delete):
        going.advance()
    going.steps.close()
    assert scene.purge_document()["state"] == "deleting"
    scene.erase()
    stays = [one for one in others() if HOURS[0].start_ns <= one.time_ns < HOURS[0].stop_ns]
    assert scene.purge(HOURS[0], **purged, now=ERASED_AT)["rows_out"] == 0
    assert scene.stored(HOURS[0]) == facts_of(stays)
    assert not [row for row in scene.rows() if HOURS[0].start_ns <= row[0] < HOURS[0].stop_ns]
    scene.require_chain()
    assert main(["certificate", "verify", str(scene.folder), "--archive", str(scene.base)]) == 0


def test_day_follows_its_hours_when_series_were_erased_from_both(scene: EraseScene) -> None:
    def states() -> list[str]:
        covered = drive(coverage(scene.daily, DAY, ERASED_AT), scene.client, scene.tell)
        return [one.state.value for one in covered.windows]

    scene.erase()
    assert states() == ["committed"]
    scene.roll(scene.hourly, HOURS[0])
    assert states() == ["committed"]
    scene.add(point(9 * 10**9, {"site": "7"}, "temp", 1.0))
    scene.roll(scene.hourly, HOURS[0])
    assert states() == ["stale_spec"]
    scene.roll(scene.daily, DAY)
    assert states() == ["committed"]
    assert scene.reconcile(scene.daily, DAY)["dirty"] == []
