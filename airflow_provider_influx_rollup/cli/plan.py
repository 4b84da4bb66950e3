"""Show what a run of an interval would do: windows by state, points, seconds, bytes, and what is frozen. Writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.cli.specs import ChosenSpecs
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.plan.plan import PlanResult

HELP = "what a run or a backfill would do and cost"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    what = parser.add_argument_group("what to plan").add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--pipeline",
        action="append",
        metavar="NAME",
        help="a pipeline of the ledger, also a pattern such as '*@1h'; can be repeated",
    )
    what.add_argument("--dag-id", metavar="ID", help="all rollups of a DAG; needs Airflow")
    what.add_argument("--lifecycle", metavar="FILE", help="all tiers of a lifecycle, written as YAML or JSON")
    parser.add_argument(
        "--dags-folder", metavar="PATH", help="a folder or file, for --dag-id; default: Airflow's"
    )
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the plans; right when all that is not done can be done."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.each import for_each
    from airflow_provider_influx_rollup.cli.interval import interval_of, require_times
    from airflow_provider_influx_rollup.cli.specs import planned_specs, wanted_from
    from airflow_provider_influx_rollup.lifecycle.pipeline.own_targets import require_own_targets
    from airflow_provider_influx_rollup.lifecycle.plan.plan import plan_windows
    from airflow_provider_influx_rollup.windows.interval import Interval

    wanted = wanted_from(args)
    with connect(args, output, conn_id=wanted.conn_id) as server:
        now = server.client.now()
        made = _buckets_to_make(server, wanted, args.lifecycle, output)
        specs = planned_specs(server, wanted, args.ledger_bucket)
        require_times(args, specs, now)
        if wanted.lifecycle is not None:
            server.drive(require_own_targets(specs))
        run_start = _start_of_run(args, specs, wanted, server)

        def plan(spec: RollupSpec) -> tuple[dict[str, Any], bool]:
            others = specs if wanted.lifecycle or wanted.specs else ()
            interval = interval_of(args, spec.grid, now)
            if run_start is not None:
                interval = Interval(min(interval.start, spec.grid.grid().floor(run_start)), interval.stop)
            steps = plan_windows(spec, interval, now, others=others, to_be_made=made)
            found = server.drive(steps)
            _show(found, output)
            if spec.source_bucket not in made and spec.source_tier is None:
                _note_names(server, spec, found, output)
            return found.as_json(), found.is_possible

        answers, code = for_each(specs, output, plan)
    for note in wanted.notes:
        output.note(note)
    told = {"pipelines": answers, "notes": list(wanted.notes), "buckets_to_make": made}
    return output.finish(args.command, code, told)


def _note_names(server: Server, spec: RollupSpec, found: PlanResult, output: Output) -> None:
    """Say which names the bucket does not have: they may be mistyped."""
    from airflow_provider_influx_rollup.lifecycle.source.fields import unknown_fields
    from airflow_provider_influx_rollup.lifecycle.source.measurements import unknown_measurement

    if not found.everything.points:
        why = server.drive(unknown_measurement(spec.source_bucket, spec.measurement))
        output.note(f"{spec.pipeline_name}: {why or 'no window of the interval has points'}")
    mistyped = server.drive(unknown_fields(spec))
    if mistyped:
        output.note(f"{spec.pipeline_name}: {mistyped}")


def _start_of_run(
    args: Namespace, specs: Sequence[RollupSpec], wanted: ChosenSpecs, server: Server
) -> datetime | None:
    """Where a run of the lifecycle file would begin; None when the options say it, or there is no file."""
    from airflow_provider_influx_rollup.cli.run import first_interval

    if wanted.lifecycle is None or args.start is not None:
        return None
    return first_interval(args, specs[: len(wanted.lifecycle.tiers)], server).start


def _buckets_to_make(server: Server, wanted: ChosenSpecs, file: str, output: Output) -> list[str]:
    """The buckets of a lifecycle file that a run will make; a bucket that exists nowhere and is not made is refused."""
    from airflow_provider_influx_rollup.cli.lifecycle_stages import STAGES
    from airflow_provider_influx_rollup.cli.lifecycle_start import Start

    if wanted.lifecycle is None:
        return []
    Start(server, wanted.lifecycle, file, STAGES).require_buckets()
    declared = [one.name for one in wanted.lifecycle.buckets]
    missing = [name for name in declared if server.client.find_bucket(name) is None]
    if missing:
        output.show(f"buckets that do not exist yet, and that a run makes: {', '.join(missing)}", "")
    return missing


def _show(plan: PlanResult, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import number, seconds, size, table
    from airflow_provider_influx_rollup.shown import counted

    counts = {state: count for state, count in plan.coverage.counts().items() if count}
    states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())
    output.show(f"{plan.coverage.pipeline}  {plan.coverage.interval}", f"windows: {states}")
    amounts = (("what is needed", plan.needed), ("a backfill of all", plan.everything))
    rows = [
        (
            name,
            *(number(count) for count in (part.windows, part.points, part.values)),
            seconds(part.seconds),
            size(part.size_bytes),
        )
        for name, part in amounts
    ]
    output.show(table(("", ">windows", ">points", ">values", ">time", ">bytes"), rows))
    if plan.model is None:
        output.show("no time: the ledger has no history to learn from")
    elif not plan.model.is_own:
        output.show(f"the time is learnt from {plan.model.windows} windows of other pipelines")
    if plan.waiting:
        waits = "waits" if len(plan.waiting) == 1 else "wait"
        told = f"{counted(len(plan.waiting), 'window')} {waits} for the tier below"
        output.show(f"{told}, from {plan.waiting[0]} on")
    if plan.frozen:
        frozen = [
            (
                refusal.interval,
                refusal.windows,
                "committed" if refusal.is_committed else "not done",
                refusal.why,
            )
            for refusal in plan.frozen
        ]
        output.show(table(("frozen", ">windows", "state", "why"), frozen))
    output.show("")
