"""Show how late points came after their windows, and which lateness would have caught 99 % and 99.9 % of them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines
from airflow_provider_influx_rollup.cli.exit_codes import code_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.lateness.result import LatenessReport, LatenessRow

HELP = "how late points came, and which lateness would have caught them"
# 99 % in time is right; the last tenths of a per cent are what reconciles are for
WANTED = Fraction(99, 100)
COLUMNS = (
    "pipeline",
    "tags",
    ">points",
    ">late",
    ">share",
    "lateness",
    "99 % needs",
    "so set",
    "99.9 % needs",
    "so set",
)


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_pipelines(parser)
    parser.add_argument(
        "--group-by",
        action="append",
        metavar="TAG",
        default=[],
        help="a row for each value of this tag; can be repeated",
    )
    parser.add_argument(
        "--watched-within",
        metavar="DURATION",
        default="1d",
        help="leave out windows first committed more than this after stop + lateness (1d)",
    )
    parser.add_argument(
        "--picture", metavar="FILE", help="draw a PNG; needs airflow-provider-influx-rollup[pictures]"
    )
    add_interval(parser, last="30d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the report; right when every pipeline's lateness has caught 99 % of its points."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.cli.pipelines import chosen_pipelines
    from airflow_provider_influx_rollup.lifecycle.lateness.lateness import LatenessSpec, report_lateness
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
    from airflow_provider_influx_rollup.pictures.files import require_pictures
    from airflow_provider_influx_rollup.pictures.lateness import draw_lateness

    if args.picture:
        require_pictures()
    with connect(args, output) as server:
        now = server.client.now()
        names = None
        if args.pipeline is not None:
            chosen = chosen_pipelines(server, args.pipeline)
            raw = [one for one in chosen if one.source_tier is None or one.pipeline_name in args.pipeline]
            # of tiers nothing is known; one that is named is refused with the reason
            names = tuple(spec.pipeline_name for spec in raw or chosen)
        spec = LatenessSpec(names, tuple(args.group_by), args.watched_within, server.ledger_bucket)
        # the pipelines' own grids may differ: every window that starts within these minutes
        report = server.drive(report_lateness(spec, interval_of(args, GridSpec("1m"), now), now))
    _show(report, output)
    values = report.as_json()
    if args.picture:
        values["picture"] = str(draw_lateness(report, args.picture))
    return output.finish(args.command, code_of(_is_right(report.rows)), values)


def _is_right(rows: Iterable[LatenessRow]) -> bool:
    settings = (setting for row in rows for setting in row.settings if setting.share == WANTED)
    return all(setting.is_enough for setting in settings)


def _show(report: LatenessReport, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import number, table

    rows = []
    for row in report.rows:
        tags = (
            "series unknown" if row.group is None else ", ".join(f"{key}={value}" for key, value in row.group)
        )
        found = row.distribution
        counted = (number(found.points), number(found.late_points), f"{row.late_share:.3%}")
        rows.append((row.pipeline, tags, *counted, row.present, *_needs(row)))
    output.show(table(COLUMNS, rows, title=f"windows of {report.interval}"))
    for note in report.notes:
        output.note(note)


def _needs(row: LatenessRow) -> list[str]:
    cells: list[str] = []
    for setting in row.settings:
        least, most = setting.needed.as_json().values()
        cells += [f"{least} to {most}", f"{setting.recommended}" if not setting.is_enough else "keep"]
    return cells
