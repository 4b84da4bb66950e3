"""What a purge deletes can be restored, whatever its names are; where it could not, nothing is deleted."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import PurgeRefused, RestoreIncomplete, WindowFrozen
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import plan_restore, restore
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW, ArchiveScene, make_archive_scene
from tests.scenes.hostile_scene import Fact, Tags, ToPoint, delete_all, facts_in, series_keys, write_by_to
from tests.scenes.purge_scene import purge_all
from tests.scenes.telegraf_lines import measurements, telegraf_lines

pytestmark = pytest.mark.live

SECOND = 10**9
AT = WINDOW.start_ns
HOSTILE = (
    "ok",
    "C:\\",
    "\\",
    "\\\\",
    "a\nb",
    "\n",
    "a\\\nb",
    "a\\\\\nb\\",
    "\0",
    "\tx",
    'qu"x\\',
    '\\"',
    "a\\,b",
    "a\\ b",
    "a\\=b",
    "#c",
    "=",
    ",",
    " ",
    "é😀\\",
)
TEXTS = st.text(st.sampled_from('ab,= "\\\n\0\t#é'), min_size=1, max_size=5)


def is_held(text: str) -> bool:
    """A tag key, or a value before another tag, that the server finds again."""
    return not text.endswith("\\")


def two_tags(text: str) -> Tags:
    """Before another tag the server itself loses a value that ends with a backslash."""
    return (("host", text), ("site", "x")) if is_held(text) else (("site", "x"), ("host", text))


# the server's own name of the measurement is NUL
KEYS = TEXTS.filter(lambda text: is_held(text) and text != "\0")
NUMBERS = count()


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    return make_archive_scene(influx, client, tmp_path)


def restore_all(scene: ArchiveScene) -> dict[str, Any]:
    steps = restore(scene.restore_spec(), WINDOW, RUN, scene.now)
    return drive(steps, scene.client, scene.tell, actions_with(scene.store)).as_json()


def facts(scene: ArchiveScene) -> Counter[Fact]:
    return facts_in(scene.server, scene.bucket, [scene.measurement])


def test_series_come_back_as_they_were_when_line_protocol_cannot_hold_their_names(
    scene: ArchiveScene,
) -> None:
    points = [
        ToPoint(tags, float(number), AT + number)
        for number, text in enumerate(HOSTILE)
        for tags in ((("host", text),), two_tags(text), (("a\nkey", text),))
    ]
    write_by_to(scene.server, scene.bucket, "m", points)
    before, keys = facts(scene), series_keys(scene.server, scene.bucket)
    assert before == Counter(one.fact for one in points)
    assert scene.archive()["rows_out"] == len(points)
    assert purge_all(scene)["rows_in"] == len(points)
    assert not facts(scene)
    result = restore_all(scene)
    assert (result["rows_out"], result["lost"], len(result["lifted"])) == (len(points), 0, 1)
    assert facts(scene) == before
    assert series_keys(scene.server, scene.bucket) == keys
    assert restore_all(scene)["rows_out"] == 0
    assert scene.archive()["new"] == 0


@pytest.mark.parametrize("measurement", ["a\\b", "m x,=é", '"', 'a"b', 'a="b', "C:\\disk", "\tx"])
def test_measurements_come_back_when_their_points_have_hostile_names(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, measurement: str
) -> None:
    scene = make_archive_scene(influx, client, tmp_path, measurement=measurement)
    points = [ToPoint((("host", text),), 0.5, AT + place, 'f"') for place, text in enumerate(HOSTILE)]
    write_by_to(influx, scene.bucket, measurement, points)
    before = facts(scene)
    assert before == Counter(one.fact for one in points)
    scene.archive()
    purge_all(scene)
    restore_all(scene)
    assert facts(scene) == before


@pytest.mark.parametrize("measurement", ["fläche", 'a"b', "a\\b"])
def test_script_is_refused_when_a_parameter_names_the_measurement_that_was_purged(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, measurement: str
) -> None:
    scene = make_archive_scene(influx, client, tmp_path, measurement=measurement)
    write_by_to(influx, scene.bucket, measurement, [ToPoint((("host", "a"),), 0.5, AT)])
    scene.archive()
    purge_all(scene)
    script = f"""from(bucket: "{scene.bucket}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == params.name) |> sum()
        |> map(fn: (r) => ({{r with _time: v.timeRangeStart}})) |> to(bucket: "{scene.ledger}")"""
    spec = ScriptSpec(
        script=script,
        target_bucket=scene.ledger,
        params={"name": measurement},
        grid=GridSpec("1h"),
        ledger_bucket=scene.ledger,
        pipeline="own",
    )
    with pytest.raises(WindowFrozen):
        drive(roll_up_by_script(spec, WINDOW, RUN, scene.now), client, scene.tell)


@given(st.data())
@settings(max_examples=12, phases=[Phase.generate])
def test_any_series_is_restored_or_its_purge_is_refused(
    influx: InfluxServer, client: InfluxClient, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    scene = make_archive_scene(influx, client, tmp_path_factory.mktemp(f"any{next(NUMBERS)}"))
    keys = data.draw(st.lists(KEYS, min_size=1, max_size=3, unique=True))
    order = st.permutations(keys)
    points = []
    for _ in range(data.draw(st.integers(1, 10))):
        *others, last = [key for key in data.draw(order) if data.draw(st.booleans())] or [""]
        tags = tuple((key, data.draw(TEXTS.filter(is_held))) for key in others)
        tags += ((last, data.draw(TEXTS)),) if last else ()
        points.append(ToPoint(tags, data.draw(st.floats(-9, 9)), AT + data.draw(st.integers(0, 3))))
    write_by_to(influx, scene.bucket, "m", points)
    before = facts(scene)
    scene.archive()
    counts = Counter((tags, field, time) for tags, field, time, _ in before.elements())
    if max(counts.values()) > 1:
        with pytest.raises(PurgeRefused, match="a restore could not bring"):
            purge_all(scene)
        assert facts(scene) == before
        return
    purge_all(scene)
    assert not facts(scene)
    restore_all(scene)
    assert facts(scene) == before


def doubled_points() -> list[ToPoint]:
    """20 times of one tag set, of which 5 are there under both orders of its tags, and another series."""
    sorted_keys = [ToPoint((("host", "a"), ("site", "x")), float(n), AT + n * SECOND) for n in range(15)]
    turned = [ToPoint((("site", "x"), ("host", "a")), 100.0 + n, AT + n * SECOND) for n in range(10, 20)]
    return [*sorted_keys, *turned, ToPoint((("host", "b"), ("site", "y")), 1.0, AT)]


def test_purge_is_refused_before_anything_is_marked_when_a_series_has_two_points_of_one_time(
    scene: ArchiveScene,
) -> None:
    write_by_to(scene.server, scene.bucket, "m", doubled_points())
    scene.archive()
    with pytest.raises(PurgeRefused, match=r"10 points back.*host=a, site=x") as caught:
        purge_all(scene)
    assert "host=b" not in caught.value.what
    assert scene.rows_in_bucket() == 26
    assert not list(scene.folder.glob("window=*/purge.json"))
    marks = scene.client.query(
        f'from(bucket: "{scene.ledger}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
        ' |> filter(fn: (r) => r._measurement == "purged_window")'
    )
    assert marks == []
    # the orders are no fault by themselves
    delete_all(scene.server, scene.bucket)
    singles = [one for one in doubled_points() if one.time_ns < AT + 10 * SECOND or one.value >= 100]
    write_by_to(scene.server, scene.bucket, "m", singles)
    scene.archive()
    assert purge_all(scene)["rows_in"] == len(singles)
    assert restore_all(scene)["lost"] == 0
    assert facts(scene) == Counter(one.fact for one in singles)


def test_restore_brings_the_rest_and_names_what_it_could_not_when_an_earlier_purge_took_doubled_points(
    scene: ArchiveScene,
) -> None:
    write_by_to(scene.server, scene.bucket, "m", doubled_points())
    scene.archive()
    assert restore_all(scene)["lost"] == 0  # all of them are there
    delete_all(scene.server, scene.bucket)
    single = Counter(one.fact for one in doubled_points() if not 10 <= (one.time_ns - AT) // SECOND < 15)
    actions = actions_with(scene.store)
    plan = drive(
        plan_restore(scene.restore_spec(), WINDOW, scene.now), scene.client, scene.tell, actions
    ).as_json()
    assert (plan["lost"], plan["lost_series"], plan["rows_archived"]) == (10, ["host=a, site=x"], 26)
    for _ in range(2):
        with pytest.raises(RestoreIncomplete, match=r"10 points.*host=a, site=x.*read_archive"):
            restore_all(scene)
        assert facts(scene) == single
    table = read_archive(str(scene.base), org=scene.server.org, bucket=scene.bucket, measurement="m")
    assert table.num_rows == 26


@pytest.mark.slow
def test_points_as_telegraf_names_them_come_back_as_they_were(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    made = make_archive_scene(influx, client, tmp_path)
    client.write_lines(made.bucket, telegraf_lines(AT, rounds=2))
    write_by_to(influx, made.bucket, "disk", [ToPoint((("path", "C:\\"),), 1.0, AT)])
    names = sorted({*measurements(), "disk"})
    scenes = [ArchiveScene(influx, client, made.base, made.bucket, made.ledger, name) for name in names]
    before, keys = facts_in(influx, made.bucket, names), series_keys(influx, made.bucket)
    for scene in scenes:
        scene.archive()
        purge_all(scene)
    assert not facts_in(influx, made.bucket, names)
    for scene in scenes:
        restore_all(scene)
    assert facts_in(influx, made.bucket, names) == before
    assert series_keys(influx, made.bucket) == keys
