"""Run a lifecycle without Airflow: on a laptop, from cron, in CI. Windows that are done already are left alone."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.lifecycle_stages import StageOutcome
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.exceptions import InfluxRollupError
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.windows.interval import Interval

HELP = "run all stages of a lifecycle file, without Airflow"
DEADLINE_SECONDS = 60.0


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_lifecycle(parser)
    add_again(parser)
    add_yes(
        parser, "change buckets that are not as declared, and let the purge delete; else both are only told"
    )
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


def add_yes(
    parser: ArgumentParser, what: str = "let the purge delete; else it says what it would delete"
) -> None:
    """Whether something is done that cannot be undone.

    :param what: in words
    """
    parser.add_argument("--yes", action="store_true", help=what)


def run_stages(args: Namespace, output: Output, wanted: Sequence[str]) -> int:
    """Run some stages of a file's lifecycle, one measurement after the other; an error of one does not stop the next.

    :param wanted: names of stages
    :raises ConfigurationError: when the file is wrong, or declares none of the stages
    """
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.cli.lifecycle_start import Start
    from airflow_provider_influx_rollup.lifecycle.source.discovery import lifecycles_of

    lifecycle = declared(args)
    require_declared(args.lifecycle, lifecycle, wanted)
    answers: list[dict[str, Any]] = []
    code = RIGHT
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        start = Start(server, lifecycle, args.lifecycle, wanted)
        start.require_buckets()
        each = chosen(args, server.drive(lifecycles_of(lifecycle)))
        start.require_own_targets(each)
        made = start.make_buckets(changes=getattr(args, "yes", False))
        if made is not None:
            output.show(f"{made.stage}: {made.what}")
        failures = Failures(output, are_raised=len(each) == 1)
        for one in each:
            answer, found = _try_one(server, one, args, wanted, failures)
            answers.append(answer)
            code = max(code, found)
    buckets = None if made is None else dict(made.result)
    return output.finish(args.command, code, {"buckets": buckets, "measurements": answers})


class Failures:
    """Errors of measurements, each told once.

    :param are_raised: whether an error ends the command, as there is one measurement only
    """

    def __init__(self, output: Output, *, are_raised: bool) -> None:
        self._output = output
        self.are_raised = are_raised
        self._told: set[str] = set()

    def tell(self, measurement: str, error: InfluxRollupError) -> dict[str, Any]:
        """Say it to people, and return it for programs."""
        from airflow_provider_influx_rollup.cli.output import words_of

        name, message = type(error).__name__, words_of(error)
        is_known = message in self._told
        self._told.add(message)
        self._output.note(f"{measurement}: {'the same' if is_known else f'{name}: {message}'}")
        return {"name": name, "message": message, "is_permanent": error.permanent}


def declared(args: Namespace) -> Lifecycle:
    """The file's lifecycle, with the ledger that the options name.

    :raises ConfigurationError: when the file is wrong
    """
    from airflow_provider_influx_rollup.cli.lifecycle_stages import with_ledger
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle

    return with_ledger(Lifecycle.from_yaml(args.lifecycle), args.ledger_bucket)


def chosen(args: Namespace, found: Sequence[Lifecycle]) -> list[Lifecycle]:
    """The lifecycles of the measurements that the options name, or all.

    :param found: one for each measurement
    :raises ConfigurationError: when there is no such measurement
    """
    from airflow_provider_influx_rollup.exceptions import ConfigurationError

    known = [str(one.measurement) for one in found]
    for name in args.measurement or ():
        if name not in known:
            what = f"{args.lifecycle} has no measurement {name!r}"
            raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(known)}")
    return [one for one in found if not args.measurement or one.measurement in args.measurement]


def require_declared(file: str, lifecycle: Lifecycle, wanted: Sequence[str]) -> None:
    """Refuse a command whose stage the file does not have.

    :raises ConfigurationError: naming what declares it
    """
    from airflow_provider_influx_rollup.cli.lifecycle_stages import DECLARED_BY, declared_stages
    from airflow_provider_influx_rollup.exceptions import ConfigurationError

    if not set(wanted) & set(declared_stages(lifecycle)):
        places = " or ".join(DECLARED_BY[name] for name in wanted)
        what = f"{file} declares no {' or '.join(wanted)}, which is {places}"
        raise ConfigurationError(what, written="nothing", fix=f"add {places} to the file")


def first_interval(args: Namespace, specs: Sequence[RollupSpec], server: Server) -> Interval:
    """The windows of the first tier that are meant; those that are due, when no end is given.

    A start that is not named exactly moves back to where the coarsest tier begins that fits in, so that all of them are whole.

    :param specs: of one measurement, from the finest to the coarsest
    """
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import longest_window
    from airflow_provider_influx_rollup.windows.duration import Duration
    from airflow_provider_influx_rollup.windows.interval import Interval

    spec = specs[0]
    due = server.client.now() - Duration.of(spec.lateness, allow_zero=True).timedelta
    found = interval_of(args, spec.grid, due)
    if args.start is not None:
        return found
    grids = [one.grid.grid() for one in specs]
    fitting = [grid for grid in grids if longest_window(grid) <= found.duration]
    return Interval(min([found.start, *(grid.floor(found.start) for grid in fitting)]), found.stop)


def _try_one(
    server: Server, lifecycle: Lifecycle, args: Namespace, wanted: Sequence[str], failures: Failures
) -> tuple[dict[str, Any], int]:
    """Run the stages of one measurement; its answer, and the exit code."""
    from airflow_provider_influx_rollup.cli.each import OF_ALL
    from airflow_provider_influx_rollup.cli.exit_codes import code_of, code_of_error
    from airflow_provider_influx_rollup.exceptions import InfluxRollupError

    stages: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"measurement": lifecycle.measurement, "stages": stages}
    try:
        is_right = True
        for outcome in _outcomes(server, lifecycle, args, wanted):
            told = {"stage": outcome.stage, "is_right": outcome.is_right, "result": dict(outcome.result)}
            stages.append(told)
            is_right = is_right and outcome.is_right
    except OF_ALL:
        raise
    except InfluxRollupError as error:
        if failures.are_raised:
            raise
        return {**answer, "error": failures.tell(str(lifecycle.measurement), error)}, code_of_error(error)
    return answer, code_of(is_right)


def _outcomes(
    server: Server, lifecycle: Lifecycle, args: Namespace, wanted: Sequence[str]
) -> Iterator[StageOutcome]:
    """Run stage after stage, and print each."""
    from airflow_provider_influx_rollup.cli.lifecycle_stages import LifecycleRun
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

    run = LifecycleRun(
        server=server,
        lifecycle=lifecycle,
        interval=first_interval(args, lifecycle.specs(), server),
        run=RunInfo(run_id=who(args.command)),
        again=getattr(args, "again", False),
        purges=getattr(args, "yes", False),
    )
    server.output.show(f"{lifecycle.measurement}  {run.interval}")
    for name, act in run.stages(wanted):
        outcome = act()
        server.output.show(f"  {name}: {outcome.what}")
        yield outcome
        if not outcome.goes_on:
            server.output.show(f"  the stages after {name} were not run")
            return
