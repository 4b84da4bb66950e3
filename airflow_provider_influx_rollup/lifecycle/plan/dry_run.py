"""A dry run says what it would send, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.plan import Amount, PlanResult, plan_windows
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.stage_result import StageResult
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

IN_RESULT = ("states", "needed", "everything", "history")


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """The result of a dry run, and its plan."""

    result: StageResult
    plan: PlanResult

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        told = self.plan.as_json()
        frozen = sum(refusal.windows for refusal in self.plan.frozen)
        return {
            **self.result.as_json(),
            "plan": {name: told[name] for name in IN_RESULT} | {"frozen": frozen},
        }


def with_plan(
    dry_run: Steps[StageResult], spec: RollupSpec, interval: Interval, now: Clock
) -> Steps[DryRunResult]:
    """Add the plan with its cost to the result of a dry run.

    :param dry_run: of the same interval
    :param now: the clock, aware UTC
    """
    result = yield from dry_run
    plan = yield from plan_windows(spec, interval, now())
    yield from ask(Report(summary(plan)))
    return DryRunResult(result, plan)


def summary(plan: PlanResult) -> str:
    """A plan in one line."""
    counts = plan.coverage.counts()
    states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items() if count)
    text = f"Plan: {states}; needed: {_told(plan.needed)}; all: {_told(plan.everything)}"
    if plan.frozen:
        first = plan.frozen[0]
        text += f"; {sum(refusal.windows for refusal in plan.frozen)} frozen, such as {first.interval}: {first.why}"
    return text


def _told(amount: Amount) -> str:
    seconds = "an unknown time" if amount.seconds is None else f"about {amount.seconds:.1f} s"
    return f"{amount.windows} windows, {amount.points:,} points, {amount.size_bytes:,} bytes, {seconds}"
