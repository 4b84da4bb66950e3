"""Validations as a world has them, and what must be true of their copies when nobody is at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.validation.value_rules import RangeRule
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.lines import Tags
from tests.simulation.pipelines import SPAN
from tests.simulation.runs import Run
from tests.simulation.world import World

HIGHEST = 50.0
VALIDATE = ValidateSpec(
    bucket="raw",
    measurement="m",
    rules=(RangeRule(name="hot", field="temp", high=HIGHEST),),
    quarantine_bucket="quarantine",
    clean_bucket="clean",
    ledger_bucket="ledger",
    # so that most windows are read in several parts
    max_rows_per_read=4,
)
OF_COPIES = (("validation", "raw/m"), ("violated_rule", "hot"))
Points = dict[tuple[Tags, int], float]


def validate_run(span: Interval, info: RunInfo, clock: Callable[[], datetime]) -> Callable[[], Any]:
    """What makes the steps of a run."""
    return lambda: validate(VALIDATE, span, info, clock)


def validated_at_rest(world: World) -> list[str]:
    """What is right is in the clean bucket, what is not in the quarantine, and nothing else; a second run changes nothing."""
    found = []
    for number in range(2):
        info = RunInfo(dag_id="dag", task_id="validate", run_id=f"quiet {number}")
        run = Run(world, "validate", validate_run(SPAN, info, world.now))
        run.finish()
        if run.end != "ok":
            return [f"a quiet validation fails: {run.end}"]
        found.append((run.result.checksums, [one.as_json() for one in run.result.results]))
        problems = _wrong_copies(world)
        if problems:
            return problems
    return [] if found[0] == found[1] else [f"a validation says {found[0]}, and then {found[1]}"]


def _wrong_copies(world: World) -> list[str]:
    clean = {key: value for key, value in world.source.items() if value <= HIGHEST}
    wrong = {
        (tuple(sorted((*tags, *OF_COPIES))), time): value
        for (tags, time), value in world.source.items()
        if value > HIGHEST
    }
    return [
        f"{bucket} has {_points(world, bucket)}, not {wanted}"
        for bucket, wanted in (("clean", clean), ("quarantine", wrong))
        if _points(world, bucket) != wanted
    ]


def _points(world: World, bucket: str) -> Points:
    series = world.influx.buckets[bucket].measurements.get("m", {})
    return {(tags, time): float(value) for (tags, _), some in series.items() for time, value in some.items()}
