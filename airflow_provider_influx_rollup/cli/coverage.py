"""Show which windows of each pipeline are committed, and what the others lack."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.plan.coverage import CoverageResult

KINDS = {
    "png": "draw a PNG too",
    "svg": "draw an SVG too",
    "html": "write a page with the picture and the gaps too",
}
HELP = "a bar of windows for each pipeline, and its gaps"
MAX_GAPS = 20


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_pipelines(parser)
    for kind, what in KINDS.items():
        parser.add_argument(
            f"--{kind}", metavar="FILE", help=f"{what}; needs airflow-provider-influx-rollup[pictures]"
        )
    add_interval(parser, last="7d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the coverage; right when every window that is due is committed."""
    from airflow_provider_influx_rollup.cli.bar import legend
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.each import for_each
    from airflow_provider_influx_rollup.cli.interval import interval_of, require_times
    from airflow_provider_influx_rollup.cli.pipelines import chosen_pipelines
    from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage

    files = {kind: file for kind in KINDS if (file := getattr(args, kind))}
    if files:
        from airflow_provider_influx_rollup.pictures.files import require_pictures

        require_pictures()
    drawn: list[CoverageResult] = []
    with connect(args, output) as server:
        now = server.client.now()

        def look(spec: RollupSpec) -> tuple[dict[str, Any], bool]:
            found = server.drive(coverage(spec, interval_of(args, spec.grid, now), now))
            _show(found, output)
            drawn.append(found)
            return found.as_json(), found.is_complete

        specs = chosen_pipelines(server, args.pipeline)
        require_times(args, specs, now)
        answers, code = for_each(specs, output, look)
    output.show(legend())
    pictures = _draw(drawn, files) if files else []
    return output.finish(args.command, code, {"pipelines": answers, "pictures": pictures})


def _draw(drawn: Sequence[CoverageResult], files: Mapping[str, str]) -> list[str]:
    from airflow_provider_influx_rollup.pictures.coverage import draw_coverage

    return [str(draw_coverage(drawn, file, kind)) for kind, file in files.items()]


def _show(found: CoverageResult, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.bar import bar

    counts = found.counts()
    output.show(
        f"{found.pipeline}  {found.interval}",
        bar([window.state for window in found.windows], output.console),
        f"{counts['committed']} of {len(found.windows)} windows committed"
        + "".join(
            f", {count} {state.replace('_', ' ')}"
            for state, count in counts.items()
            if count and state != "committed"
        ),
    )
    rows = [(gap.interval, gap.windows, gap.state.replace("_", " "), gap.why) for gap in found.gaps()]
    output.show_first(("gap", ">windows", "state", "why"), rows, MAX_GAPS)
    output.show("")
