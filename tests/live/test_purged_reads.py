"""A script's window that was purged is refused; purged points that only its range reaches are told, and no others are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW, ArchiveScene, make_archive_scene
from tests.scenes.hostile_scene import ToPoint, write_by_to
from tests.scenes.purge_scene import purge_all

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
BEFORE, NEXT = Interval(WINDOW.start - HOUR, WINDOW.start), Interval(WINDOW.stop, WINDOW.stop + HOUR)
# of what, and of how much
PURGED, KEPT, LIMIT = 0.5, 2.0, 7.0
RANGE = "start: v.timeRangeStart, stop: v.timeRangeStop"
READS = {
    "name": 'from(bucket: "{name}") |> range(RANGE)',
    "whole package": 'query.inBucket(bucket: "{name}", measurement: "m", RANGE)',
    "range of a package": 'query.fromRange(bucket: "{name}", RANGE)',
    "id": 'from(bucketID: "{id}") |> range(RANGE)',
    "two texts": 'from(bucket: "{begin}" + "{end}") |> range(RANGE)',
    "text in a text": 'from(bucket: "${{params.begin}}{end}") |> range(RANGE)',
}
CHOICE = 'from(bucket: if 1 == 1 then "{name}" else "none") |> range(RANGE)'
OF_M = '|> filter(fn: (r) => r._measurement == "m")'
LOOKUP = f"""raw = from(bucket: "{{name}}") |> range({RANGE}) {OF_M} |> sum()
limits = from(bucket: "OF") |> range(start: -30d) |> filter(fn: (r) => r._measurement == "NAME") |> last()
join.inner(left: raw |> group(), right: limits |> group(), on: (l, r) => l.host == r.host,
    as: (l, r) => ({{{{_value: l._value + r._value, host: l.host}}}})) |> group(columns: ["host"])"""


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    return scene_of("m", influx, client, tmp_path)


def scene_of(measurement: str, influx: InfluxServer, client: InfluxClient, folder: Path) -> ArchiveScene:
    """A window that is archived, points around it, and limits of a day before."""
    scene = make_archive_scene(influx, client, folder, measurement=measurement)
    write(scene, scene.bucket, measurement, WINDOW.start_ns, PURGED)
    for window in (BEFORE, NEXT):
        write(scene, scene.bucket, measurement, window.start_ns, KEPT)
    write(scene, scene.bucket, "limits", BEFORE.start_ns - 10**12, LIMIT)
    scene.archive()
    return scene


def write(scene: ArchiveScene, bucket: str, measurement: str, time_ns: int, value: float) -> None:
    write_by_to(scene.server, bucket, measurement, [ToPoint((("host", "a"),), value, time_ns)])


def run(
    scene: ArchiveScene, read: str, window: Interval = NEXT, tell: Callable[[Report], None] | None = None
) -> tuple[float, list[str]]:
    """Write what a script reads and sums; return it, and the notes that the log has as warnings too."""
    found = scene.client.find_bucket(scene.bucket)
    assert found is not None
    names = {"name": scene.bucket, "id": found.id, "begin": scene.bucket[:4], "end": scene.bucket[4:]}
    script = f"""import "date"
import "experimental/query"
import "join"

option task = {{name: "own", every: 2h}}

{read.format(**names)} |> map(fn: (r) => ({{_time: v.timeRangeStart, _measurement: "out", _field: "v", _value: r._value}}))
    |> to(bucket: "{scene.ledger}")"""
    spec = ScriptSpec(
        script=script,
        target_bucket=scene.ledger,
        params={"begin": scene.bucket[:4]},
        grid=GridSpec("1h"),
        ledger_bucket=scene.ledger,
        pipeline="own",
        on_raw_read="allow",
    )
    told: list[Report] = []
    result: Any = drive(roll_up_by_script(spec, window, RUN, scene.now), scene.client, tell or told.append)
    assert [one.is_committed for one in result.receipts] == [True]
    notes = [one for one in result.notes if "purged" in one]
    assert tell or notes == [
        one.message for one in told if one.level == "warning" and "purged" in one.message
    ]
    (row,) = scene.client.query(
        f'from(bucket: "{scene.ledger}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "out") |> last()'
    )
    assert row["_time"] == window.start
    return row["_value"], notes


@pytest.mark.parametrize("read", [*READS.values(), CHOICE], ids=[*READS, "choice"])
def test_window_is_refused_however_a_script_says_what_it_reads(scene: ArchiveScene, read: str) -> None:
    purge_all(scene)
    with pytest.raises(WindowFrozen) as found:
        run(scene, f"{read.replace('RANGE', RANGE)} {OF_M} |> sum()", WINDOW)
    assert (found.value.window, found.value.written) == (WINDOW, "nothing")
    assert "restore the points from the archive first" in found.value.fix


@pytest.mark.parametrize(
    "chosen",
    [
        "",
        '|> filter(fn: (r) => r.host == "a")',
        '|> filter(fn: (r) => contains(value: r.host, set: ["a"]))',
        '|> group(columns: ["_measurement", "host"])',
        '|> set(key: "_measurement", value: "raw")',
        '|> map(fn: (r) => ({{r with _measurement: "raw"}}))',
    ],
)
def test_window_is_refused_when_only_another_read_names_a_measurement(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, chosen: str
) -> None:
    scene = scene_of("humidity", influx, client, tmp_path)
    lookup = LOOKUP.replace(OF_M, chosen).replace("OF", scene.bucket).replace("NAME", "limits")
    assert run(scene, lookup, WINDOW) == (PURGED + LIMIT, [])
    purge_all(scene)
    with pytest.raises(WindowFrozen) as found:
        run(scene, lookup, WINDOW)
    assert (found.value.window, found.value.written) == (WINDOW, "nothing")


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_purged_points_before_the_window_are_told_however_a_script_says_what_it_reads(
    scene: ArchiveScene, read: str
) -> None:
    script = f"{read.replace('RANGE', 'start: -2h')} {OF_M} |> sum()"
    purge_all(scene)
    read_span = Interval(WINDOW.start, NEXT.stop)
    value, (note,) = run(scene, script)
    assert value == KEPT
    assert f"for {NEXT} the script reads {scene.bucket}/m in {read_span}" in note
    assert f"as in {WINDOW}" in note
    drive(
        restore(scene.restore_spec(), WINDOW, RUN, scene.now),
        scene.client,
        scene.tell,
        actions_with(scene.store),
    )
    assert run(scene, script) == (PURGED + KEPT, [])


@pytest.mark.parametrize(
    ("bounds", "window", "expected"),
    [
        ("start: -task.every", NEXT, KEPT),
        ("start: date.sub(d: 1h, from: v.timeRangeStart)", NEXT, KEPT),
        ("start: date.truncate(t: -61m, unit: 1h)", NEXT, KEPT),
        ("start: v.timeRangeStart, stop: 90m", BEFORE, 2 * KEPT),
    ],
)
def test_purged_points_beside_the_window_are_told(
    scene: ArchiveScene, bounds: str, window: Interval, expected: float
) -> None:
    purge_all(scene)
    value, notes = run(scene, f'from(bucket: "{{name}}") |> range({bounds}) {OF_M} |> sum()', window)
    assert (value, len(notes)) == (expected, 1)


def test_last_value_of_a_month_is_committed_when_older_points_were_purged(scene: ArchiveScene) -> None:
    purge_all(scene)
    value, notes = run(scene, f'from(bucket: "{{name}}") |> range(start: -30d) {OF_M} |> last()')
    assert (value, len(notes)) == (KEPT, 1)


@pytest.mark.parametrize("bounds", ["start: -1h", f"start: -30d) |> range({RANGE}"])
def test_nothing_is_told_when_the_script_reads_its_window_alone(scene: ArchiveScene, bounds: str) -> None:
    purge_all(scene)
    assert run(scene, f'from(bucket: "{{name}}") |> range({bounds}) {OF_M} |> sum()') == (KEPT, [])


def test_nothing_is_told_when_another_bucket_or_measurement_is_looked_up(
    scene: ArchiveScene, bucket_factory: Callable[[], str]
) -> None:
    purge_all(scene)
    other = bucket_factory()
    # of the same name as what was purged
    write(scene, other, "m", BEFORE.start_ns - 10**12, LIMIT)
    for bucket, measurement in ((other, "m"), (scene.bucket, "limits")):
        lookup = LOOKUP.replace("OF", bucket).replace("NAME", measurement)
        assert run(scene, lookup) == (KEPT + LIMIT, [])


def test_points_that_are_purged_while_the_script_runs_are_told(scene: ArchiveScene) -> None:
    told: list[str] = []

    def purge_first(report: Report) -> None:
        if report.message.startswith("Pipeline own"):
            purge_all(scene)
        elif report.level == "warning":
            told.append(report.message)

    value, notes = run(
        scene, f'from(bucket: "{{name}}") |> range(start: -2h) {OF_M} |> sum()', tell=purge_first
    )
    assert value == KEPT
    assert notes == [one for one in told if f"as in {WINDOW}" in one]
    assert len(notes) == 1


def test_window_that_was_committed_before_the_purge_stays_as_it_is(scene: ArchiveScene) -> None:
    both = f'from(bucket: "{{name}}") |> range(start: -2h) {OF_M} |> sum()'
    assert run(scene, both) == (PURGED + KEPT, [])
    purge_all(scene)
    with pytest.raises(WindowFrozen) as caught:
        run(scene, both)
    assert "committed before the purge" in caught.value.what
    (row,) = scene.client.query(
        f'from(bucket: "{scene.ledger}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "out")'
    )
    assert row["_value"] == PURGED + KEPT


def test_window_that_was_committed_after_the_purge_is_committed_again(scene: ArchiveScene) -> None:
    purge_all(scene)
    for _ in range(2):
        value, notes = run(scene, f'from(bucket: "{{name}}") |> range(start: -2h) {OF_M} |> sum()')
        assert (value, len(notes)) == (KEPT, 1)
