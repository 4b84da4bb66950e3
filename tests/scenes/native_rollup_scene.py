"""A rollup that tasks of InfluxDB compute, and what of it is left in InfluxDB."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from tests.oracle import query
from tests.scenes.rollup_runs import RUN, Place, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval

NATIVE = RollupOptions(execution="native")


def native_steps(spec: RollupSpec, span: Interval, run: RunInfo = RUN, **options: Any) -> Steps[Any]:
    """The verb, computing by tasks."""
    return roll_up(spec, span, run, now, options=RollupOptions(execution="native", **options))


def roll_natively(
    place: Place, spec: RollupSpec, span: Interval, run: RunInfo = RUN, said: list[str] | None = None
) -> dict[str, Any]:
    """Roll up as the operator does."""
    told = [] if said is None else said
    steps = native_steps(spec, span, run)
    return drive(steps, place.client, lambda report: told.append(report.message)).as_json()


def watched(steps: Steps[Any], look: Callable[[Any], None]) -> Steps[Any]:
    """The same steps; each is looked at before it is acted out."""
    send = partial(next, steps)
    while True:
        try:
            step = send()
        except StopIteration as end:
            return end.value
        look(step)
        try:
            send = partial(steps.send, (yield step))
        except InfluxRollupError as error:
            send = partial(steps.throw, error)


def left_tasks(place: Place, spec: RollupSpec) -> list[str]:
    """Tasks that computed for a pipeline and are still there; a pipeline of another ledger may have the same name."""
    found = place.client.tasks.find(f"influx-rollup computes {spec.pipeline_name}")
    return [task.id for task in found if place.ledger in task.description]


def left_rows(place: Place) -> int:
    """Values that were put aside in the ledger's bucket and are still there."""
    server = place.server
    flux = f"""from(bucket: "{place.ledger}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
        |> filter(fn: (r) => r._measurement =~ /^rollup_computed/) |> count() |> group() |> sum()"""
    return sum(int(row["_value"]) for row in query(server.url, server.org, server.token, flux))


def receipts(place: Place, spec: RollupSpec) -> dict[str, dict[str, Any]]:
    """What the ledger says of each window, without what differs between any two runs."""
    server = place.server
    flux = f"""from(bucket: "{place.ledger}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "{spec.pipeline_name}")"""
    found: dict[str, dict[str, Any]] = {}
    for row in query(server.url, server.org, server.token, flux):
        found.setdefault(str(row["_time"]), {})[row["_field"]] = row["_value"]
    for fields in found.values():
        assert fields.pop("claimed_by") == fields.pop("committed_by")
        for name in ("written_at_ns", "seconds", "spec_hash"):
            fields.pop(name)
    return found
