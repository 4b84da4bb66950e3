"""The archive operators as a task runs them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, StoreUnavailable, WindowNotDue
from airflow_provider_influx_rollup.hooks.archive_store import open_store
from airflow_provider_influx_rollup.links.influx import LINKS_XCOM_KEY
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.archive_expiring import ArchiveExpiringOperator
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import WINDOW, ArchiveScene, facts_of, make_archive_scene, point, small_points
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

SECRET = "s3cr3t-" + uuid.uuid4().hex


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    made = make_archive_scene(influx, client, tmp_path)
    made.write([*small_points(), point(1800 * 10**9, {"device": "a"}, "temp", 1.0)])
    return made


def operator(scene: ArchiveScene, **more: Any) -> ArchiveWindowOperator:
    wanted = {"start": WINDOW.start, "stop": WINDOW.stop, **scene.parameters, **more}
    return ArchiveWindowOperator(task_id="archive", **wanted)


def test_data_interval_is_one_window_when_there_is_no_grid(scene: ArchiveScene) -> None:
    result = operator(scene).execute(make_context())
    assert scene.stored() == facts_of([*small_points(), point(1800 * 10**9, {"device": "a"}, "temp", 1.0)])
    assert (result["windows"], result["rows_out"], result["generation"], result["new"]) == (1, 7, 1, 1)
    assert result["path"] == str(scene.folder)
    assert len(json.dumps(result)) < 1_000
    (manifest,) = scene.manifests().values()
    assert set(manifest["versions"]) == {"airflow-provider-influx-rollup", "pyarrow", "influxdb"}
    assert manifest["run"]["dag_id"] == "d"


def test_windows_are_those_that_end_in_the_run_when_these_are_wanted(scene: ArchiveScene) -> None:
    short = {"every": "1h", "windows": "ending", "start": WINDOW.start}
    with pytest.raises(AirflowSkipException, match="no window of 1h ends in"):
        operator(scene, **short, stop=WINDOW.stop - timedelta(minutes=1)).execute(make_context())
    assert scene.manifests() == {}
    across = {
        **short,
        "start": WINDOW.stop - timedelta(minutes=1),
        "stop": WINDOW.stop + timedelta(minutes=1),
    }
    result = operator(scene, **across).execute(make_context())
    assert (result["window"], result["rows_out"]) == (WINDOW.as_json(), 7)
    with pytest.raises(ConfigurationError, match="windows='complete' is not possible"):
        operator(scene, every="1h", windows="complete")


def test_windows_are_those_of_the_grid_when_it_is_given(scene: ArchiveScene) -> None:
    half = operator(scene, every="30m", max_rows_per_read="2", force="false")
    result = half.execute(make_context())
    assert (result["windows"], result["rows_out"]) == (2, 7)
    names = sorted(path.name for path in scene.folder.glob("window=*"))
    assert names == ["window=20250308T000000Z_20250308T003000Z", "window=20250308T003000Z_20250308T010000Z"]
    misaligned = operator(scene, every="40m")
    with pytest.raises(AirflowFailException, match="WindowMisaligned"):
        misaligned.execute(make_context())


def test_results_are_a_list_when_measurements_are_and_one_fails(scene: ArchiveScene) -> None:
    scene.client.write_payload(scene.bucket, b'bad,device=a text="a\rb" %d' % WINDOW.start_ns)
    scene.client.write_payload(scene.bucket, b"none text=1 %d" % WINDOW.stop_ns)
    results = operator(scene, measurement=["m", "none"], pipeline="p").execute(make_context())
    assert [result["rows_out"] for result in results] == [7, 0]
    assert [result["pipeline"] for result in results] == ["p:m", "p:none"]
    with pytest.raises(AirflowFailException, match=r"SourceUnreadable.*carriage return"):
        operator(scene, measurement=["bad", "m"]).execute(make_context())
    with pytest.raises(AirflowFailException, match="measurement 'wrong' does not exist"):
        operator(scene, measurement=["wrong", "m"]).execute(make_context())


def test_dry_run_tells_and_writes_nothing(scene: ArchiveScene) -> None:
    dry = operator(scene, every="30m", dry_run=True).execute(make_context())
    assert (dry["windows"], dry["rows_in"], dry["due"], dry["state"]) == (2, 7, 2, "PLANNED")
    assert scene.files() == []
    assert scene.client.find_bucket(scene.ledger) is None
    operator(scene, every="30m").execute(make_context())
    assert operator(scene, every="30m", dry_run=True).execute(make_context())["due"] == 0


@pytest.mark.parametrize(
    "path",
    [
        f"s3://key:{SECRET}@lake/x",
        f"gs://:{SECRET}@lake",
        f" s3://AKIA:{SECRET}@lake/a/b ",
        f"file://a:{SECRET}@h/x",
    ],
)
def test_path_is_refused_and_never_shown_when_it_holds_a_key(scene: ArchiveScene, path: str) -> None:
    for attempt in (
        lambda: operator(scene, path=path),
        lambda: open_store(path),
        lambda: ArchiveStore.of_url(path),
    ):
        with pytest.raises(ConfigurationError, match="Airflow connection") as caught:
            attempt()
        assert SECRET not in str(caught.value)
    rendered = operator(scene, path="{{ somewhere }}")
    rendered.path = path
    with pytest.raises(AirflowFailException, match="holds a key or password") as failed:
        rendered.execute(make_context())
    assert SECRET not in repr(failed.value)


@pytest.mark.parametrize("path", ["telemetry", "", "s3://", "nosuch://lake/x", "s3://none-such-conn@lake/x"])
def test_path_is_refused_when_nothing_can_open_it(scene: ArchiveScene, path: str) -> None:
    with pytest.raises((ConfigurationError, AirflowFailException), match=r"absolute|cannot be opened"):
        operator(scene, path=path).execute(make_context())


def test_task_is_retried_or_fails_for_good_when_the_store_is_away_or_refuses(
    scene: ArchiveScene, mocker: MockerFixture
) -> None:
    scene.base.write_text("a file")
    with pytest.raises(AirflowFailException, match="StoreForbidden"):
        operator(scene).execute(make_context())

    scene.base.unlink()
    mocker.patch.object(
        ArchiveStore, "names", autospec=True, side_effect=StoreUnavailable("the store is away")
    )
    with pytest.raises(StoreUnavailable):
        operator(scene).execute(make_context())


def test_templates_cover_what_differs_by_run() -> None:
    for cls in (ArchiveWindowOperator, ArchiveExpiringOperator):
        assert {
            "bucket",
            "measurement",
            "path",
            "path_conn_id",
            "max_rows_per_read",
            "force",
            "every",
        } <= set(cls.template_fields)
    assert {"start", "stop", "window"} <= set(ArchiveWindowOperator.template_fields)
    assert {"within", "max_windows"} <= set(ArchiveExpiringOperator.template_fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_windows": 0},
        {"max_windows": "many"},
        {"within": "1mo"},
        {"within": "{{ 'soon' }}"},
        {"every": "{{ 'x' }}"},
        {"force": "perhaps"},
    ],
    ids=str,
)
def test_task_fails_for_good_when_a_parameter_of_the_rescue_is_not_possible(
    scene: ArchiveScene, wrong: dict[str, Any]
) -> None:
    task, context = rescue(scene, **wrong), make_context()
    task.render_template_fields(context)
    with pytest.raises(AirflowFailException):
        task.execute(context)


def rescue(scene: ArchiveScene, **more: Any) -> ArchiveExpiringOperator:
    wanted = {
        "task_id": "rescue",
        "influx_conn_id": "tele",
        "bucket": scene.bucket,
        "measurement": "m",
        "path": str(scene.base),
        "ledger_bucket": scene.ledger,
        "every": "1d",
        **more,
    }
    return ArchiveExpiringOperator(**wanted)


def test_rescue_archives_what_retention_would_delete(
    scene: ArchiveScene, bucket_factory: Callable[[], str]
) -> None:
    assert rescue(scene).execute(make_context())["expiring"] == 0
    scene.bucket = f"{scene.bucket}_kept"
    scene.client.ensure_bucket(scene.bucket, 10 * 86_400)
    day = scene.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=5)
    line = f"m,device=a temp=1 {int(day.timestamp()) * 10**9}"
    scene.client.write_lines(scene.bucket, [line])
    assert rescue(scene, within="1d").execute(make_context())["expiring"] == 0
    result = rescue(scene, within="8d", max_windows="5").execute(make_context())
    assert (result["expiring"], result["archived"], result["left"]) == (1, 1, 0)
    assert result["next_deletion"] is None
    assert len(json.dumps(result)) < 1_000


def recent(scene: ArchiveScene, stopped: timedelta, **more: Any) -> ArchiveWindowOperator:
    """An archive of two half hours, the last of which stopped so long ago, with a point in each."""
    stop = datetime.now(UTC).replace(microsecond=0) - stopped
    start = stop - timedelta(hours=1)
    for minute in (5, 45):
        add_point(scene, start + timedelta(minutes=minute))
    return operator(scene, start=start, stop=stop, window=None, deferrable=True, **more)


def add_point(scene: ArchiveScene, at: datetime) -> None:
    nanoseconds = int(at.timestamp()) * 10**9
    scene.client.write_lines(scene.bucket, [f"{scene.measurement},device=late temp=1 {nanoseconds}"])


async def first_event(trigger: Any) -> Any:
    return await asyncio.wait_for(anext(trigger.run()), 30)


def test_deferrable_task_waits_for_late_points_in_the_triggerer_when_its_window_is_not_due(
    scene: ArchiveScene,
) -> None:
    early = recent(scene, timedelta(), lateness="5s")
    context = make_context()
    with pytest.raises(TaskDeferred) as caught:
        early.execute(context)
    assert set(context["ti"].pushed[LINKS_XCOM_KEY]) == {"data", "receipts"}
    assert not scene.folder.exists()
    path, arguments = caught.value.trigger.serialize()
    assert set(arguments) <= {"moment", "end_from_trigger"}
    trigger = type(caught.value.trigger)(**arguments)
    assert path.endswith("DateTimeTrigger")
    # comes while nobody holds a worker slot
    add_point(scene, early.start + timedelta(minutes=50))
    event = asyncio.run(first_event(trigger))
    assert datetime.now(UTC) >= early.stop + timedelta(seconds=5)
    again = operator(scene, start=early.start, stop=early.stop, lateness="5s", deferrable=True)
    result = getattr(again, caught.value.method_name)(make_context(), event.payload)
    assert (result["windows"], result["rows_out"], result["state"]) == (1, 3, "COMMITTED")


def test_deferrable_task_archives_at_once_when_its_windows_are_due(scene: ArchiveScene) -> None:
    result = recent(scene, timedelta(seconds=30), lateness="5s").execute(make_context())
    assert result["rows_out"] == 2


def test_deferrable_task_does_not_wait_when_it_only_plans(scene: ArchiveScene) -> None:
    result = recent(scene, timedelta(), lateness="1h", dry_run=True).execute(make_context())
    assert result["dry_run"] is True


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lateness": "1mo"}, "InvalidDuration"),
        ({"force": "perhaps"}, "force"),
        ({"every": "7m"}, "Misaligned"),
    ],
    ids=str,
)
def test_deferrable_task_fails_before_it_waits_when_a_parameter_is_not_possible(
    scene: ArchiveScene, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words):
        recent(scene, timedelta(), **{"lateness": "1h", **wrong}).execute(make_context())


def test_deferrable_task_is_not_deferred_when_its_window_has_not_ended(scene: ArchiveScene) -> None:
    with pytest.raises(WindowNotDue):
        recent(scene, timedelta(hours=-1), lateness="1h").execute(make_context())
