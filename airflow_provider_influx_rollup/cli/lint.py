"""Look for mistakes in Flux scripts before they are deployed: on the server where one is named, else in the text alone."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval
from airflow_provider_influx_rollup.cli.exit_codes import code_of
from airflow_provider_influx_rollup.cli.lint_values import add_values, environment_of, params_of
from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.lint_formats import LintedFile
    from airflow_provider_influx_rollup.cli.lint_templates import TemplateValues
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lint.report import LintReport
    from airflow_provider_influx_rollup.windows.interval import Interval

HELP = "look for mistakes in Flux scripts"
NEVER = "never"
LAST = "1d"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "scripts", nargs="+", metavar="FILE", help="a script, a folder with .flux files, or - for stdin"
    )
    parser.add_argument(
        "--format",
        choices=("text", "github", "sarif"),
        default="text",
        help="how findings are printed (text)",
    )
    parser.add_argument(
        "--fail-on",
        choices=("error", "warning", "note", NEVER),
        default="error",
        help="the least severity that makes the exit code 1 (error)",
    )
    parser.add_argument(
        "--no-server", action="store_true", help="look at the text alone, whatever server is named"
    )
    parser.add_argument(
        "--every",
        metavar="DURATION",
        help="length of the windows that the scripts run for; default: their own",
    )
    parser.add_argument(
        "--max-points",
        type=int,
        metavar="NUMBER",
        help="most points that a raw read may read in the windows named below",
    )
    add_values(parser)
    add_interval(parser, last=LAST, is_asked=True)
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the findings; right when none is as bad as ``--fail-on``."""
    from airflow_provider_influx_rollup.lint.finding import Severity

    if args.json and args.format != "text":
        what = "--json and --format are two forms of one answer"
        raise ConfigurationError(what, written="nothing", fix="give one of them")
    files = list(_linted(args, output))
    fail_on = None if args.fail_on == NEVER else Severity(args.fail_on)
    code = code_of(not any(file.report.fails(fail_on) for file in files))
    _show(args, output, files)
    answer = {"files": [{"file": file.name, **file.report.as_json()} for file in files]}
    return output.finish(args.command, code, answer)


def _linted(args: Namespace, output: Output) -> Iterator[LintedFile]:
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.lint_files import read_scripts
    from airflow_provider_influx_rollup.cli.lint_formats import LintedFile
    from airflow_provider_influx_rollup.cli.lint_templates import lint_template
    from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec, lint_script
    from airflow_provider_influx_rollup.lint.report import lint_text

    scripts = list(read_scripts(args.scripts))
    values = _values(args)
    if args.no_server or not (args.url or args.conn_id or os.environ.get("INFLUX_URL")):
        if args.max_points is not None:
            what = "--max-points asks the server, and none is named"
            raise ConfigurationError(
                what, written="nothing", fix="give --url or --conn-id, or set INFLUX_URL"
            )

        def read(flux: str) -> LintReport:
            return lint_text(flux, params=values.params, every=values.every)

        yield from (LintedFile(script.name, lint_template(script, values, read)) for script in scripts)
        return
    window = _window(args)
    with connect(args, output) as server:

        def ask(flux: str) -> LintReport:
            spec = LintSpec(flux=flux, params=values.params, every=args.every, max_points=args.max_points)
            return server.drive(lint_script(spec, window))

        yield from (LintedFile(script.name, lint_template(script, values, ask)) for script in scripts)


def _values(args: Namespace) -> TemplateValues:
    from airflow_provider_influx_rollup.cli.lint_templates import TemplateValues
    from airflow_provider_influx_rollup.windows.duration import Duration

    return TemplateValues(
        params=params_of(args),
        env=environment_of(args),
        every=None if args.every is None else Duration.of(args.every),
        takes_words=args.bare_words,
    )


def _window(args: Namespace) -> Interval | None:
    from airflow_provider_influx_rollup.cli.archive_place import wanted_interval

    if args.max_points is None:
        return None
    args.last = args.last or LAST
    return wanted_interval(args, args.every)


def _show(args: Namespace, output: Output, files: list[LintedFile]) -> None:
    from airflow_provider_influx_rollup.cli.lint_formats import github_lines, sarif, summary, text_lines

    if args.json:
        return
    if args.format == "sarif":
        sys.stdout.write(json.dumps(sarif(files), indent=2, ensure_ascii=False) + "\n")
        return
    for line in (github_lines if args.format == "github" else text_lines)(files):
        sys.stdout.write(f"{line}\n")
    # once for each reason, not for each script
    unchecked: dict[str, list[str]] = {}
    for file in files:
        for text in file.report.unchecked:
            unchecked.setdefault(text, []).append(file.name)
    for text, names in unchecked.items():
        output.note(f"not looked at in {names[0] if len(names) == 1 else f'{len(names)} scripts'}: {text}")
    output.note(summary(files))
