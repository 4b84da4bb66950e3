"""A rollup that InfluxDB computes by itself: the rows and receipts of the ordinary way, and nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, TaskRunFailed
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup.native_leftovers import remove_tasks_of
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.tasks import FindRun, ListTasks, StartRun
from tests.conftest import InfluxServer
from tests.oracle import local_days, rollup, windows
from tests.scenes.native_rollup_scene import (
    left_rows,
    left_tasks,
    native_steps,
    receipts,
    roll_natively,
    watched,
)
from tests.scenes.rollup_runs import (
    PUSHED,
    RAW,
    RUN,
    TAGS,
    Place,
    interval,
    make_place,
    make_points,
    per_field,
    roll,
)

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T06:00")
HOURS = windows("2025-03-08", "2025-03-08T06:00", "1h")


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return make_points("2025-03-08", "2025-03-08T06:00", 600)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    place = make_place(influx, client)
    place.write(points)
    return place


@pytest.mark.recorded("names0-auto")
@pytest.mark.parametrize(
    ("names", "compute"), [(PUSHED, "auto"), (("last", "mean"), "auto"), ((*PUSHED, *RAW), "server")]
)
def test_rows_equal_pandas_and_receipts_those_of_queries(
    place: Place, points: pd.DataFrame, names: tuple[str, ...], compute: str
) -> None:
    said: list[str] = []
    asked, native = other_place(place), other_place(place)
    spec = asked.spec("1h", names, compute=compute)
    roll(place.client, spec, SPAN)
    native_spec = native.spec("1h", names, compute=compute)
    result = roll_natively(native, native_spec, SPAN, said=said)
    expected = rollup(points, TAGS, HOURS, per_field(names))
    assert len(expected)
    assert native.differences(expected) == []
    assert any("InfluxDB computes it" in line for line in said)
    assert not any("a query does" in line for line in said), said
    of_asked, of_native = receipts(asked, spec), receipts(native, native_spec)
    assert of_native == of_asked
    assert (len(of_native), result["state"]) == (6, "COMMITTED")
    assert (left_tasks(native, native_spec), left_rows(native)) == ([], 0)
    # and once more, over what is there
    roll_natively(native, native_spec, SPAN)
    assert native.differences(expected) == []


def other_place(place: Place) -> Place:
    """The same source, with a target and a ledger of its own."""
    fresh = make_place(place.server, place.client)
    return replace(fresh, source=place.source)


@pytest.mark.recorded
def test_days_of_23_and_25_hours_are_computed(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    points = make_points("2025-10-24", "2025-10-28", 7200)
    place.write(points, ("temp",))
    days = local_days("2025-10-25", "2025-10-27", "Europe/Berlin")
    span = interval(*(str(edge.tz_localize(None)) for edge in (days[0][0], days[-1][1])))
    spec = place.spec(GridSpec("1d", timezone="Europe/Berlin"), ("count", "mean"), fields=("temp",))
    roll_natively(place, spec, span)
    expected = rollup(points, TAGS, days, {"temp": ("count", "mean")})
    assert place.differences(expected) == []
    assert left_rows(place) == 0


def lines_of(place: Place, *lines: str) -> None:
    place.client.write_lines(place.source, [f"{place.measurement},{line}" for line in lines])


def values_of(place: Place) -> dict[tuple[str, str], Any]:
    return {(row["device"], row["_field"]): row["_value"] for row in place.stored().to_dict("records")}


NOON = interval("2025-03-08T12:00", "2025-03-08T13:00")


@pytest.mark.recorded
def test_what_influxdb_cannot_hold_is_asked_for(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    at = NOON.start_ns
    lines_of(place, f"device=a x=1.5e308 {at}", f"device=a x=1.5e308 {at + 1}", f"device=b x=2 {at}")
    said: list[str] = []
    roll_natively(place, place.spec("1h", ("count", "mean", "max")), NOON, said=said)
    found = values_of(place)
    assert found["a", "x_mean"] == pytest.approx(1.5e308)
    assert (found["a", "x_count"], found["b", "x_mean"]) == (2, 2.0)
    assert any("a query does" in line for line in said)


@pytest.mark.recorded
def test_integers_that_influxdb_would_cut_off_are_right(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    at, large = NOON.start_ns, 2**62
    lines_of(place, *(f"device=a n={large}i {at + k}" for k in range(4)), f"device=b n=3i {at}")
    roll_natively(place, place.spec("1h", ("count", "mean")), NOON)
    found = values_of(place)
    assert found["a", "n_mean"] == float(large)
    assert (found["b", "n_count"], found["b", "n_mean"]) == (1, 3.0)


@pytest.mark.recorded
def test_late_points_and_stale_rows_are_seen(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    at = NOON.start_ns
    lines_of(place, f"device=a x=1 {at}", f"device=b x=2 {at}")
    spec = place.spec("1h", ("count", "sum"))
    roll_natively(place, spec, NOON)
    place.client.delete(place.source, NOON, f'_measurement="{place.measurement}" AND device="b"')
    lines_of(place, f"device=a x=5 {at + 1}")
    roll_natively(place, spec, NOON, replace(RUN, run_id="again"))
    assert values_of(place) == {("a", "x_count"): 2, ("a", "x_sum"): 6.0}


@pytest.mark.recorded
def test_an_empty_window_is_committed(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    spec = place.spec("1h", ("count",))
    assert roll_natively(place, spec, NOON)["state"] == "COMMITTED"
    assert left_tasks(place, spec) == []


@pytest.mark.recorded
def test_many_fields_go_in_several_tasks(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    fields = ",".join(f"f{number}={number}" for number in range(40))
    lines_of(place, f"device=a {fields} {NOON.start_ns}", f"device=a {fields} {NOON.start_ns + 1}")
    said: list[str] = []
    spec = place.spec("1h", ("sum", "min", "max", "mean"))
    roll_natively(place, spec, NOON, said=said)
    assert len([line for line in said if "InfluxDB computes it" in line]) == 2
    found = values_of(place)
    assert len(found) == 160
    assert all(found["a", f"f{number}_sum"] == 2 * number for number in range(40))


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"group_by": ("device",)}, "group_by"),
        ({"aggregates": ("p99", "count")}, "p99"),
        ({"aggregates": {"x": ("median",)}}, "median"),
        ({"grid": GridSpec("1h", period="3h")}, "period"),
        ({"source_tier": "below"}, "source_tier"),
    ],
)
def test_what_a_worker_has_to_compute_is_refused(place: Place, given: dict[str, Any], why: str) -> None:
    spec = replace(place.spec("1h", ("count",)), **given)
    with pytest.raises(ConfigurationError, match=why):
        drive(native_steps(spec, SPAN), place.client, lambda _: None)


@pytest.mark.recorded
def test_a_run_that_influxdb_has_lost_is_begun_again(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    lines_of(place, f"device=a x=1 {NOON.start_ns}")
    spec = place.spec("1h", ("count",))
    lost: list[str] = []

    def lose(step: Any) -> None:
        if isinstance(step, FindRun) and not lost:
            # as somebody does in InfluxDB's UI
            client.tasks.delete(step.task_id)
            lost.append(step.task_id)

    said: list[str] = []
    steps = watched(native_steps(spec, NOON), lose)
    result = drive(steps, client, lambda report: said.append(report.message))
    assert result.as_json()["state"] == "COMMITTED"
    assert any("is lost" in line for line in said)
    assert values_of(place) == {("a", "x_count"): 1}
    assert (left_tasks(place, spec), left_rows(place)) == ([], 0)


@pytest.mark.recorded
def test_a_run_that_is_canceled_each_time_is_an_error_that_passes(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    lines_of(place, f"device=a x=1 {NOON.start_ns}")
    spec = place.spec("1h", ("count",))

    def refuse(step: Any) -> None:
        if isinstance(step, StartRun):
            client.tasks.delete(step.task_id)

    with pytest.raises(TaskRunFailed, match="lost 3 runs") as caught:
        drive(watched(native_steps(spec, NOON), refuse), client, lambda _: None)
    assert not caught.value.permanent
    assert set(place.states().values()) == {"WRITING"}
    roll_natively(place, spec, NOON)
    assert values_of(place) == {("a", "x_count"): 1}


@pytest.mark.recorded
def test_a_killed_run_takes_its_tasks_with_it(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    lines_of(place, f"device=a x=1 {NOON.start_ns}")
    spec = place.spec("1h", ("count",))
    run = replace(RUN, run_id=place.ledger)
    steps = native_steps(spec, NOON, run)
    step = next(steps)
    while not isinstance(step, FindRun):
        step = steps.send(None if isinstance(step, Report) else act(step, client))
    assert len(left_tasks(place, spec)) == 1
    drive(remove_tasks_of(replace(run, run_id="another")), client, lambda _: None)
    assert len(left_tasks(place, spec)) == 1
    drive(remove_tasks_of(run), client, lambda _: None)
    assert (left_tasks(place, spec), left_rows(place)) == ([], 0)


@pytest.mark.recorded
def test_a_task_of_somebody_else_stays(influx: InfluxServer, client: InfluxClient) -> None:
    place = make_place(influx, client)
    lines_of(place, f"device=a x=1 {NOON.start_ns}")
    spec = place.spec("1h", ("count",))
    name = f"influx-rollup computes {spec.pipeline_name}"
    flux = f'option task = {{name: "{name}", every: 1h}}\nfrom(bucket: "{place.source}") |> range(start: -1h)'
    for description in ("", "Computes for influx-rollup {}", "Computes for influx-rollup"):
        place.client.tasks.create(flux, "inactive", description)
    roll_natively(place, spec, NOON)
    found = act(ListTasks(name), client)
    assert len(found) == 3
    for task in found:
        place.client.tasks.delete(task.id)
