"""Tasks that InfluxDB runs itself: list them, look at their runs, compare them with their scripts, deploy them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import Parser, add_connection, add_interval
from airflow_provider_influx_rollup.cli.exit_codes import EXPLANATION, RIGHT, WRONG
from airflow_provider_influx_rollup.cli.tasks_adopt import add_adopt_arguments, adopt
from airflow_provider_influx_rollup.cli.tasks_deploy import add_deploy_arguments, deploy
from airflow_provider_influx_rollup.windows.interval import format_instant

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.task_history.task_history import TaskHistory
    from airflow_provider_influx_rollup.steps.tasks import NativeTask, TaskRun

    Act = Callable[[Namespace, Server], tuple[list[dict[str, Any]], bool]]

HELP = "tasks that InfluxDB runs itself"
NAMES = "names of tasks; default: all"


def add_arguments(parser: ArgumentParser) -> None:
    """The actions, each with options of its own."""
    actions = parser.add_subparsers(dest="action", required=True, parser_class=Parser)
    for name, act, text in (
        ("list", _list, "which tasks there are, who deployed them, whether somebody has changed them"),
        ("history", _history, "what their runs did, and which windows have no success"),
    ):
        shown = _action(actions, name, act, text)
        shown.add_argument("names", nargs="*", metavar="NAME", help=NAMES)
        if name == "history":
            add_interval(shown, last="1d")
    for name, text in (
        ("diff", "what a deploy of scripts would change"),
        ("deploy", "bring scripts into InfluxDB as tasks"),
    ):
        add_deploy_arguments(_action(actions, name, deploy, text))
    adopting = _action(actions, "adopt", adopt, "declare what a task computes, and prove that it is the same")
    add_adopt_arguments(adopting)


def _action(actions: Any, name: str, act: Act, text: str) -> ArgumentParser:
    made: ArgumentParser = actions.add_parser(
        name, help=text, description=text, epilog=EXPLANATION, formatter_class=RawDescriptionHelpFormatter
    )
    made.set_defaults(act=act)
    add_connection(made)
    return made


def run(args: Namespace, output: Output) -> int:
    """Do it; right when every run succeeded and none is missed, or nothing differs, or all is deployed."""
    from airflow_provider_influx_rollup.cli.connection import connect

    with connect(args, output) as server:
        answers, is_right = args.act(args, server)
    return output.finish(
        args.command, RIGHT if is_right else WRONG, {"action": args.action, "tasks": answers}
    )


def _list(args: Namespace, server: Server) -> tuple[list[dict[str, Any]], bool]:
    from airflow_provider_influx_rollup.cli.output import table

    answers = [_described(task) for task in _chosen(args.names, server)]
    columns = ("task", "status", "runs", "offset", "last run", "deployed by", "by hand")
    rows = [
        (
            one["task"],
            one["status"],
            one["every"] or one["cron"],
            one["offset"],
            one["last_run_status"],
            "/".join(
                filter(None, (one["dag_id"] or (one["is_deployed"] and "influx-rollup"), one["pipeline"]))
            ),
            "changed" if one["is_drifted"] else "",
        )
        for one in answers
    ]
    server.output.show(table(columns, rows) if rows else "no tasks that the token may read")
    return answers, not any(one["is_drifted"] or one["last_run_status"] == "failed" for one in answers)


def _described(task: NativeTask) -> dict[str, Any]:
    from airflow_provider_influx_rollup.lifecycle.native_tasks.record import record_of

    record = record_of(task)
    return {
        "task": task.name,
        "task_id": task.id,
        "status": task.status,
        "every": task.every,
        "cron": task.cron,
        "offset": task.offset,
        "last_run_status": task.last_run_status,
        "dag_id": record.dag_id if record else "",
        "pipeline": record.pipeline if record else "",
        "is_deployed": record is not None,
        "is_drifted": record is not None and not record.matches(task),
    }


def _history(args: Namespace, server: Server) -> tuple[list[dict[str, Any]], bool]:
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.lifecycle.native_tasks.windows import grid_of
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
    from airflow_provider_influx_rollup.lifecycle.task_history.task_history import task_history

    now = server.client.now()
    answers = []
    is_right = True
    for task in _chosen(args.names, server):
        interval = interval_of(args, grid_of(task) or GridSpec("1m"), now)
        history = server.drive(task_history(task, interval, now))
        _show_history(history, server.output)
        answers.append(_history_answer(history))
        is_right &= not history.missed and not any(run.has_failed for run in history.runs)
    return answers, is_right


def _show_history(history: TaskHistory, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import seconds, table

    output.show(f"{history.task.name}  {history.interval}")
    rows = [
        (
            format_instant(run.scheduled_for),
            run.status,
            seconds(run.seconds) if run.seconds is not None else "",
            _reason(run),
        )
        for run in history.runs
    ]
    output.show(table(("scheduled for", "status", ">took", "why"), rows) if rows else "no runs")
    made = history.task.created_at
    if made is not None and history.interval.start < made:
        output.show(
            f"windows that were due before {format_instant(made)}, when the task was made, are not counted"
        )
    if history.missed:
        output.show(table(("window without a success",), [(window,) for window in history.missed]))
    output.show("")


def _history_answer(history: TaskHistory) -> dict[str, Any]:
    return {
        "task": history.task.name,
        "task_id": history.task.id,
        "interval": history.interval.as_json(),
        "runs": [
            {
                "run_id": run.id,
                "scheduled_for": format_instant(run.scheduled_for),
                "status": run.status,
                "is_by_hand": run.requested_at is not None,
                "seconds": run.seconds,
                "reason": _reason(run),
            }
            for run in history.runs
        ],
        "missed": [window.as_json() for window in history.missed],
    }


def _reason(run: TaskRun) -> str:
    """Reason why a run failed."""
    from airflow_provider_influx_rollup.lifecycle.native_tasks.follow import reason_of

    return reason_of(run) if run.has_failed else ""


def _chosen(names: Sequence[str], server: Server) -> list[NativeTask]:
    """All tasks, or those of the names.

    :raises TaskNotFound: when there is none of a name
    """
    from airflow_provider_influx_rollup.lifecycle.native_tasks.named import task_of_name

    if not names:
        return server.client.tasks.find()
    return [server.drive(task_of_name(name)) for name in names]
