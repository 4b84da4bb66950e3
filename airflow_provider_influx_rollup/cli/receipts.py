"""The receipts of a pipeline's windows; with --history every change of them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    from rich.table import Table

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.ledger.receipt import Receipt
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec

HELP = "receipts of windows, or their history"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_pipelines(parser)
    parser.add_argument("--history", action="store_true", help="every change of a window, the oldest first")
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print receipts; right when there are some, and the newest of each window is COMMITTED."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.each import for_each
    from airflow_provider_influx_rollup.cli.interval import interval_of, require_times
    from airflow_provider_influx_rollup.cli.pipelines import chosen_pipelines
    from airflow_provider_influx_rollup.lifecycle.ledger.history import read_history, read_receipts

    with connect(args, output) as server:
        now = server.client.now()

        def read(spec: RollupSpec) -> tuple[dict[str, Any], bool]:
            interval = interval_of(args, spec.grid, now)
            steps = read_history(spec, interval, now) if args.history else read_receipts(spec, interval)
            receipts = server.drive(steps)
            output.show(f"{spec.pipeline_name}  {interval}", _table(receipts), "")
            newest = {receipt.window: receipt for receipt in receipts}
            is_right = bool(newest) and all(last.is_committed for last in newest.values())
            return _answer(spec.pipeline_name, interval, receipts), is_right

        specs = chosen_pipelines(server, args.pipeline)
        require_times(args, specs, now)
        answers, code = for_each(specs, output, read)
    return output.finish(args.command, code, {"is_history": args.history, "pipelines": answers})


def _table(receipts: Sequence[Receipt]) -> Table | str:
    from airflow_provider_influx_rollup.cli.output import number, seconds, table

    if not receipts:
        return "no receipts"
    columns = (
        "window",
        "state",
        ">generation",
        ">points",
        ">values",
        ">series",
        ">took",
        "written",
        "by",
        "why",
    )
    return table(
        columns,
        [
            (
                receipt.window,
                receipt.state.value,
                receipt.generation,
                *(number(count) for count in (receipt.rows_in, receipt.rows_out, receipt.series)),
                seconds(receipt.seconds),
                format_instant(receipt.written_at.replace(microsecond=0)),
                "/".join(filter(None, (receipt.dag_id, receipt.task_id, receipt.run_id))),
                receipt.reason,
            )
            for receipt in receipts
        ],
    )


def _answer(pipeline: str, interval: Interval, receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {
        "pipeline": pipeline,
        "interval": interval.as_json(),
        "receipts": [
            asdict(receipt)
            | {
                "window": receipt.window.as_json(),
                "state": receipt.state.value,
                "written_at": format_instant(receipt.written_at),
            }
            for receipt in receipts
        ],
    }
