"""Whatever the proof lacks, nothing is deleted, and the message says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    BucketNotFound,
    ConfigurationError,
    PurgeRefused,
    WindowNotDue,
    WindowsFailed,
)
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.purge_scene import ARCHIVED_AT, OTHER, WINDOW, PurgeScene, make_empty_scene, point

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
HOUR_NS = 3600 * 10**9


def hour(number: int) -> Interval:
    return Interval(WINDOW.start + number * HOUR, WINDOW.start + (number + 1) * HOUR)


def late(scene: PurgeScene, number: int, value: float = 9.0, moment: int = 77) -> None:
    scene.write([point(number * HOUR_NS + moment, {"device": "a"}, "temp", value)])


def gone(scene: PurgeScene, number: int) -> None:
    begin = hour(number).start
    scene.client.delete(scene.bucket, Interval(begin, begin + timedelta(minutes=1)), '_measurement="m"')


def parts(scene: PurgeScene, number: int) -> Path:
    stamp = f"{hour(number).start:%Y%m%dT%H%M%SZ}"
    (folder,) = scene.folder.glob(f"window={stamp}_*/gen=1")
    return folder


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def receipt(scene: PurgeScene, number: int, field_text: str) -> None:
    line = f"window_receipt,pipeline=hourly,stage=rollup {field_text} {hour(number).start_ns}"
    scene.client.write_payload(scene.ledger, line.encode())


def alter(scene: PurgeScene, number: int) -> None:
    line = f"m,device=a temp_sum=123456 {hour(number).start_ns}"
    scene.client.write_payload(scene.rolled, line.encode())


@dataclass(frozen=True)
class Case:
    """What is wrong with a window, and what is said of it."""

    match: str
    harm: Callable[[PurgeScene, int], object] = lambda _scene, _number: None
    changes: dict[str, Any] = field(default_factory=dict)
    error: type[Exception] = PurgeRefused


NOT_ARCHIVED, NOT_ROLLED = 28, 29
CASES = {
    "late point": Case(r"has changed since generation 1 .*'temp' \(float\): 3 in the bucket, 2", late),
    "point changed": Case(r"2 in both, not the same", lambda s, n: late(s, n, 5.5, 0)),
    "point gone": Case(r"1 in the bucket, 2 in the archive", gone),
    "file tampered": Case(
        r"is not the file that was written",
        lambda s, n: flip(next(parts(s, n).glob("float-*"))),
    ),
    "file gone": Case(r"is not there", lambda s, n: next(parts(s, n).glob("float-*")).unlink()),
    "manifest tampered": Case(
        r"manifest\.json is damaged|its manifest names|what its manifest says",
        lambda s, n: flip(parts(s, n) / "manifest.json"),
    ),
    "rollup runs": Case(r"not done: .*: WRITING", lambda s, n: receipt(s, n, 'state="WRITING"')),
    "older spec": Case(r"COMMITTED under an older spec", lambda s, n: receipt(s, n, 'spec_hash="old"')),
    "incomplete": Case(
        r"incomplete: 2 series are missing", lambda s, n: receipt(s, n, 'incomplete="2 series are missing"')
    ),
    "rollup altered": Case(r"'hourly' does not hold what its source gives: .*reconcile", alter),
    "too young": Case(
        r"min_age=30d has not passed",
        changes={"now": WINDOW.start + timedelta(days=30)},
        error=WindowNotDue,
    ),
    "changed lately": Case(
        r"quiet_for=1d has not passed.*run it again from 2026-01-02T00:00:00Z on",
        changes={"now": ARCHIVED_AT + 23 * HOUR},
    ),
    "unknown pipeline": Case(r"knows no pipeline 'hurly'", changes={"require_pipelines": ("hurly",)}),
    "other pipeline": Case(
        r"'elsewhere' does not read .*name the pipelines that do: hourly",
        changes={"require_pipelines": ("elsewhere",)},
    ),
}


@pytest.fixture(scope="module")
def scene(influx: InfluxServer, client: InfluxClient, tmp_path_factory: pytest.TempPathFactory) -> PurgeScene:
    """Thirty windows; two of them lack something from the begin."""
    made = make_empty_scene(influx, client, tmp_path_factory.mktemp("purge"))
    for number in range(30):
        begin = number * HOUR_NS
        made.add(
            point(begin, {"device": "a"}, "temp", 1.0),
            point(begin + HOUR_NS - 1, {"device": "b"}, "temp", 2.0),
        )
    made.client.write_payload(made.bucket, f"{OTHER},device=a temp=99 {WINDOW.start_ns}".encode())
    hours = [hour(number) for number in range(30)]
    made.roll(made.hourly, Interval(hours[0].start, hours[NOT_ROLLED].start))
    made.roll(replace(made.hourly, measurement=OTHER, pipeline="elsewhere"), WINDOW)
    made.clock = ARCHIVED_AT
    made.archive(*(one for number, one in enumerate(hours) if number != NOT_ARCHIVED))
    return made


@pytest.mark.recorded("file gone", "rollup altered", "unknown pipeline", "point changed")
@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES.values())), ids=CASES)
def test_nothing_is_deleted_when_the_proof_is_not_complete(
    scene: PurgeScene, number: int, case: Case
) -> None:
    case.harm(scene, number)
    before = scene.facts(), scene.files(), scene.mark_states()
    with pytest.raises(case.error, match=case.match) as caught:
        scene.purge(hour(number), **{"require_pipelines": ("hourly",), **case.changes})
    assert "nothing was deleted" in str(caught.value)
    assert str(hour(number)) in str(caught.value)
    assert (scene.facts(), scene.files(), scene.mark_states()) == before


@pytest.mark.parametrize(
    ("number", "match"),
    [(NOT_ARCHIVED, "there is no archive of the window in .*archive it first"), (NOT_ROLLED, "no receipt")],
)
def test_nothing_is_deleted_when_a_window_was_left_out(scene: PurgeScene, number: int, match: str) -> None:
    before = scene.facts()
    with pytest.raises(PurgeRefused, match=match):
        scene.purge(hour(number), require_pipelines=("hourly",))
    assert scene.facts() == before


def test_bucket_is_named_when_there_is_none(scene: PurgeScene) -> None:
    with pytest.raises(BucketNotFound, match="nowhere"):
        scene.purge(archive=replace(scene.spec, bucket="nowhere"))
    with pytest.raises(ConfigurationError):
        scene.purge(min_age="1 month")


@pytest.mark.recorded
def test_it_is_refused_when_nobody_knows_the_measurement(scene: PurgeScene) -> None:
    wrong = replace(scene.spec, measurement="mm")
    for more in ({}, {"dry_run": True}):
        with pytest.raises(ConfigurationError, match=r"measurement 'mm' does not exist.*correct its name"):
            scene.purge(archive=wrong, require_pipelines=(), **more)
    # a window of a known one may be empty
    far = hour(2000)
    assert scene.purge(far, require_pipelines=(), now=far.stop.replace(year=2030))["rows_in"] == 0


def test_window_is_purged_when_only_its_receipt_has_other_numbers(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    made = make_empty_scene(influx, client, tmp_path)
    made.add(point(0, {"device": "a"}, "temp", 1.0))
    made.roll(made.hourly, hour(0))
    made.clock = ARCHIVED_AT
    made.archive(hour(0))
    receipt(made, 0, "rows_in=7i")
    made.purge(hour(0), require_pipelines=("hourly",))
    assert made.facts() == set()


@pytest.mark.recorded
def test_other_windows_are_purged_when_one_is_refused(scene: PurgeScene) -> None:
    with pytest.raises(
        WindowsFailed, match=r"1 of 3 windows failed.*there is no archive.*2 windows are COMMITTED"
    ):
        scene.purge(hour(26), hour(27), hour(NOT_ARCHIVED), require_pipelines=("hourly",))
    with pytest.raises(WindowsFailed, match=r"2 of 2 windows failed.*there is no archive"):
        scene.purge(hour(NOT_ARCHIVED), hour(NOT_ROLLED), require_pipelines=("hourly",))
    left = {(fact[0] - WINDOW.start_ns) // HOUR_NS for fact in scene.facts()}
    assert left.isdisjoint({26, 27})
    assert {25, 28} <= left
    # a chain that cannot go on stops a purge before it deletes
    flip(max(scene.folder.glob("certificates/*")))
    with pytest.raises(ArchiveMismatch, match=r"00000002\.json is damaged"):
        scene.purge(hour(25), require_pipelines=("hourly",))
    assert {(fact[0] - WINDOW.start_ns) // HOUR_NS for fact in scene.facts()} == left
