"""Points of a field come after a run has planned, and another run commits them: the first one must not take them for stale."""

from __future__ import annotations

import contextlib
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Step, Steps
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.rollup_runs import RUN, TAGS, encode, interval, make_place, make_points, now, roll

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T02:00")
RULES = {"temp": ("count", "sum"), "packets": ("count", "max")}
FIELDS = ("temp", "packets")


def finish(steps: Steps[Any], step: Step, client: InfluxClient) -> list[str]:
    """Act the other steps out; what was told."""
    told = []
    with contextlib.suppress(StopIteration):
        while True:
            if isinstance(step, Report):
                told.append(step.message)
            step = steps.send(None if isinstance(step, Report) else act(step, client))
    return told


@pytest.mark.parametrize("known", [(), ("temp",)], ids=["no points before", "another field before"])
def test_values_of_a_new_field_stay_when_another_run_commits_them_after_the_plan(
    influx: InfluxServer, client: InfluxClient, known: tuple[str, ...]
) -> None:
    place = make_place(influx, client)
    points = make_points("2025-03-08", "2025-03-08T02:00", 900)
    place.write(points, known)
    # another one knows that the measurement is there
    place.client.write_lines(place.source, [f"{place.measurement},device=a temp=1 {SPAN.stop_ns}"])
    spec = place.spec(GridSpec("1h"), RULES)
    steps = roll_up(spec, SPAN, RUN, now)
    step = next(steps)
    while not isinstance(step, Progressed):
        step = steps.send(None if isinstance(step, Report) else act(step, client))
    place.client.write_lines(
        place.source, encode(points, place.measurement, [f for f in FIELDS if f not in known])
    )
    roll(client, spec, SPAN)
    told = finish(steps, step, client)
    assert any("planning again" in text for text in told)
    expected: pd.DataFrame = rollup(
        points, TAGS, windows("2025-03-08", "2025-03-08T02:00", "1h", None), RULES, None
    )
    assert compare(place.stored(spec.output_measurement), expected) == []
    assert set(place.states(spec.pipeline_name).values()) == {"COMMITTED"}
