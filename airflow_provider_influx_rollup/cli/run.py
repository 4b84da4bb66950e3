"""Run a lifecycle without Airflow: on a laptop, from cron, in CI. Windows that are done already are left alone."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.windows.interval import Interval

HELP = "run all stages of a lifecycle file, without Airflow"
DEADLINE_SECONDS = 60.0


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_lifecycle(parser)
    add_again(parser)
    add_yes(parser)
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Run every stage; right when every stage of every measurement is."""
    from airflow_provider_influx_rollup.cli.lifecycle_stages import STAGES

    return run_stages(args, output, STAGES)


def add_lifecycle(parser: ArgumentParser) -> None:
    """The lifecycle, and which measurements of it."""
    parser.add_argument("lifecycle", metavar="LIFECYCLE", help="a file with a lifecycle, YAML or JSON")
    parser.add_argument(
        "--measurement",
        action="append",
        metavar="NAME",
        help="only this one of the file's measurements; can be repeated",
    )


def add_again(parser: ArgumentParser) -> None:
    """Whether windows that are done are done again."""
    parser.add_argument("--again", action="store_true", help="roll up windows that are committed, too")


def add_yes(parser: ArgumentParser) -> None:
    """Whether a purge deletes."""
    parser.add_argument(
        "--yes", action="store_true", help="let the purge delete; else it says what it would delete"
    )


def run_stages(args: Namespace, output: Output, wanted: Sequence[str]) -> int:
    """Run some stages of a file's lifecycle, one measurement after the other; an error of one does not stop the next.

    :param wanted: names of stages
    :raises ConfigurationError: when the file is wrong, or declares none of the stages
    """
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT, WRONG, code_of_error
    from airflow_provider_influx_rollup.exceptions import InfluxRollupError

    lifecycles = chosen(args)
    code = RIGHT
    answers: list[dict[str, Any]] = []
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        for one in lifecycles:
            told: list[dict[str, Any]] = []
            answer: dict[str, Any] = {"measurement": one.measurement, "stages": told}
            answers.append(answer)
            try:
                is_right = _run_one(server, one, args, wanted, told)
                code = max(code, RIGHT if is_right else WRONG)
            except InfluxRollupError as error:
                if len(lifecycles) == 1:
                    raise
                name = type(error).__name__
                output.note(f"{one.measurement}: {name}: {error}")
                answer["error"] = {"name": name, "message": str(error), "is_permanent": error.permanent}
                code = max(code, code_of_error(error))
    return output.finish(args.command, code, {"measurements": answers})


def chosen(args: Namespace) -> list[Lifecycle]:
    """The lifecycle of each measurement that is asked for.

    :raises ConfigurationError: when the file is wrong, or has no such measurement
    """
    from airflow_provider_influx_rollup.cli.lifecycle_stages import with_ledger
    from airflow_provider_influx_rollup.exceptions import ConfigurationError
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle

    found = with_ledger(Lifecycle.from_yaml(args.lifecycle), args.ledger_bucket).each()
    if not args.measurement:
        return found
    known = [str(one.measurement) for one in found]
    for name in args.measurement:
        if name not in known:
            what = f"{args.lifecycle} has no measurement {name!r}"
            raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(known)}")
    return [one for one in found if one.measurement in args.measurement]


def first_interval(args: Namespace, lifecycle: Lifecycle, server: Server) -> Interval:
    """The windows of the first tier that are meant; those that are due, when no end is given.

    A start that is not named exactly moves back to where the coarsest tier begins that fits in, so that all of them are whole.
    """
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import longest_window
    from airflow_provider_influx_rollup.windows.duration import Duration
    from airflow_provider_influx_rollup.windows.interval import Interval

    spec = lifecycle.specs()[0]
    due = server.client.now() - Duration.of(spec.lateness, allow_zero=True).timedelta
    found = interval_of(args, spec.grid, due)
    if args.start is not None:
        return found
    grids = [one.grid.grid() for one in lifecycle.specs()]
    fitting = [grid for grid in grids if longest_window(grid) <= found.duration]
    return Interval(min([found.start, *(grid.floor(found.start) for grid in fitting)]), found.stop)


def _run_one(
    server: Server, lifecycle: Lifecycle, args: Namespace, wanted: Sequence[str], told: list[dict[str, Any]]
) -> bool:
    from airflow_provider_influx_rollup.cli.lifecycle_stages import LifecycleRun
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.exceptions import ConfigurationError
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

    made = LifecycleRun(
        server=server,
        lifecycle=lifecycle,
        interval=first_interval(args, lifecycle, server),
        run=RunInfo(run_id=who(args.command)),
        again=getattr(args, "again", False),
        purges=getattr(args, "yes", False),
    )
    stages = made.stages(wanted)
    if not stages:
        what = f"{args.lifecycle} declares no {' or '.join(wanted)}"
        raise ConfigurationError(what, written="nothing", fix="add it to the file")
    made.require_buckets()
    server.output.show(f"{lifecycle.measurement}  {made.interval}")
    is_right = True
    for name, act in stages:
        outcome = act()
        server.output.show(f"  {name}: {outcome.what}")
        told.append({"stage": name, "is_right": outcome.is_right, "result": dict(outcome.result)})
        is_right = is_right and outcome.is_right
        if not outcome.goes_on:
            server.output.show(f"  the stages after {name} were not run")
            break
    return is_right
