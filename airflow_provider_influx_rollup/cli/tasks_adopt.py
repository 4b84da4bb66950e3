"""``tasks adopt``: files that declare what a task of InfluxDB computes, and the proof that the rows are the same."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.windows.interval import format_instant

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.task_adopt.forms import Declaration
    from airflow_provider_influx_rollup.lifecycle.task_adopt.proof import Proof, RowPair

WHAT = {
    "rollup": "a rollup",
    "script": "a script in FluxRollupOperator",
    "task": "a task that is deployed from a file",
}


def add_adopt_arguments(parser: ArgumentParser) -> None:
    """The options of the action."""
    parser.add_argument("name", metavar="NAME", help="of the task")
    parser.add_argument(
        "--windows", type=int, default=10, metavar="NUMBER", help="how many windows are compared (10)"
    )
    parser.add_argument("--to", dest="stop", metavar="TIME", help="the windows end by then; default: now")
    parser.add_argument(
        "--form", metavar="FORM", help="rollup, script or task; default: the first of these that is possible"
    )
    parser.add_argument("--folder", metavar="PATH", help="where to write the files; default: print them")


def adopt(args: Namespace, server: Server) -> tuple[list[dict[str, Any]], bool]:
    """Declare the task, and compare; right when all rows are equal.

    :raises ConfigurationError: when it cannot be declared, or a file is there already
    """
    from airflow_provider_influx_rollup.cli.adopted_files import files_of
    from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import AdoptSpec
    from airflow_provider_influx_rollup.lifecycle.task_adopt.task_adopt import adopt_task
    from airflow_provider_influx_rollup.steps.tasks import ACTIVE
    from airflow_provider_influx_rollup.windows.instants import read_instant

    until = None if args.stop is None else read_instant(args.stop, "--to")
    spec = AdoptSpec(
        name=args.name,
        windows=args.windows,
        form=args.form,
        until=until,
        org=server.org,
        ledger_bucket=server.ledger_bucket,
    )
    adoption = server.drive(adopt_task(spec, server.client.now))
    found, declared, proof = adoption.found, adoption.declaration, adoption.proof
    files = files_of(adoption, server.client.now())
    written = _written(args.folder, files) if args.folder else ()
    output = server.output
    runs = f"every {found.option.every}" if found.option.every else f"cron {found.option.cron}"
    paused = "" if found.task.status == ACTIVE else f", {found.task.status}"
    output.show(f"{found.task.name}  {runs}{paused}  ->  {WHAT[declared.form]}")
    _show_reasons(declared, output)
    _show_proof(proof, output)
    if not written:
        for name, text in files.items():
            output.show("", f"# {name}", text.rstrip("\n"))
    else:
        output.show(f"written: {', '.join(written)}")
    return [
        {
            "task": found.task.name,
            "task_id": found.task.id,
            "form": declared.form,
            "no_rollup": list(declared.no_rollup),
            "no_script": list(declared.no_script),
            "notes": list(declared.notes),
            "files": files,
            "written": list(written),
            **_proof_as_json(proof),
        }
    ], proof.is_equal


def _show_reasons(declared: Declaration, output: Output) -> None:
    reasons = {
        "not a rollup, as": declared.no_rollup,
        "not a script in FluxRollupOperator, as": declared.no_script if declared.no_rollup else (),
        "not as in the task": declared.notes,
    }
    for title, told in reasons.items():
        if told:
            output.show(title, *(f"  - {one}" for one in told))


def _show_proof(proof: Proof, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import table

    if proof.unproven:
        output.show(f"nothing is proven: {proof.unproven}")
        return
    columns = ("window", "run", ">task", ">declared", ">equal", ">different")
    rows = [
        (one.window, one.run, one.task_rows, one.declared_rows, one.equal, one.different)
        for one in proof.windows
    ]
    output.show(table(columns, rows))
    equal, different = (sum(getattr(one, name) for one in proof.windows) for name in ("equal", "different"))
    output.show(
        f"{counted(len(proof.windows), 'window')}: {equal} rows are equal, {different} {'differs' if different == 1 else 'differ'}"
    )
    if proof.examples:
        pairs = [(_key(one), one.task, one.declared) for one in proof.examples]
        output.show(table(("row that differs", ">task", ">declared"), pairs))


def _key(pair: RowPair) -> str:
    measurement, field, time, tags = pair.key
    named = ",".join((measurement, *(f"{name}={value}" for name, value in tags)))
    return f"{named} {field} {format_instant(time)}"


def _proof_as_json(proof: Proof) -> dict[str, Any]:
    return {
        "unproven": proof.unproven,
        "windows": [
            {
                **one.window.as_json(),
                "run": one.run,
                "task_rows": one.task_rows,
                "declared_rows": one.declared_rows,
                "equal": one.equal,
                "different": one.different,
            }
            for one in proof.windows
        ],
        "examples": [
            {"row": _key(one), "task": one.task, "declared": one.declared} for one in proof.examples
        ],
    }


def _written(folder: str, files: Mapping[str, str]) -> tuple[str, ...]:
    """Write the files; one that is there stays as it is."""
    from airflow_provider_influx_rollup.cli.new_files import require_new, write_new

    paths = {Path(folder, name): text for name, text in files.items()}
    require_new(*paths)
    for path, text in paths.items():
        write_new(path, text)
    return tuple(map(str, paths))
