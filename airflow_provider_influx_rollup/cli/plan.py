"""What a run of an interval would do: windows by state, points, seconds, bytes, and what is frozen. Writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval
from airflow_provider_influx_rollup.cli.exit_codes import code_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.plan import PlanResult

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
    parser.add_argument(
        "--dags-folder", metavar="PATH", help="a folder or file, for --dag-id; default: Airflow's"
    )
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the plans; right when nothing of them is frozen."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.cli.specs import planned_specs, wanted_from
    from airflow_provider_influx_rollup.lifecycle.plan import plan_windows

    now = datetime.now(UTC)
    wanted = wanted_from(args)
    found: list[PlanResult] = []
    with connect(args, output, conn_id=wanted.conn_id) as server:
        for spec in planned_specs(server, wanted):
            found.append(server.drive(plan_windows(spec, interval_of(args, spec.grid, now), now)))
            _show(found[-1], output)
    for note in wanted.notes:
        output.note(note)
    is_right = not any(plan.frozen for plan in found)
    values = {"pipelines": [plan.as_json() for plan in found], "notes": list(wanted.notes)}
    return output.finish(args.command, code_of(is_right), values)


def _show(plan: PlanResult, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import number, seconds, size, table

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
    if plan.frozen:
        frozen = [(refusal.interval, refusal.windows, refusal.why) for refusal in plan.frozen]
        output.show(table(("frozen", ">windows", "why"), frozen))
    output.show("")
