"""Output of the commands: tables for people, JSON for programs, errors on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_influx_rollup.cli.exit_codes import RIGHT

if TYPE_CHECKING:
    from rich.console import RenderableType

    from airflow_provider_influx_rollup.exceptions import InfluxRollupError
    from airflow_provider_influx_rollup.steps.influx import Report

PIPE_WIDTH = 160
#: what the errors of verbs advise, in the words of the commands
OPTIONS = {
    "set allow_missing=True": "give --allow-missing",
    "set overwrite=True": "give --overwrite",
    "(dry_run=True shows it)": "(influx-rollup tasks diff shows it)",
    "give every, such as every='1h'": "give --every, such as --every 1h",
    "set require_archive=False": "give --allow-missing",
    "give environment=, or set [influx_rollup] environment, to one of": "give --environment, one of",
    "give a path below the DAG's folder or its template_searchpath": "give a path below the working directory or a folder "
    "above the script",
    "pass the value in params_flux": "give the value with --param or --params-file",
    "put a valid API token into the connection": "give a valid API token in INFLUX_TOKEN, the file of --token-file, or "
    "the connection of --conn-id",
    "set the organisation's name in the connection": "give the organisation's name in --org, INFLUX_ORG, or the connection "
    "of --conn-id",
    "set ssl_ca_cert to": "give --ssl-ca-cert, or the extra ssl_ca_cert of the connection of --conn-id,",
    "check the URL of the connection": "check the URL in --url, INFLUX_URL, or the connection of --conn-id",
}


class Output:
    """Prints either tables or one JSON object; never both.

    :param as_json: print JSON
    :param is_verbose: say on stderr what the verbs report
    """

    def __init__(self, *, as_json: bool, is_verbose: bool) -> None:
        self.as_json = as_json
        self._is_verbose = is_verbose
        # a pipe has no width of its own; COLUMNS is honoured by rich itself
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
        self.console = Console(width=width, markup=False, highlight=False, emoji=False)

    def show(self, *parts: RenderableType) -> None:
        """Print for people; nothing when the output is JSON."""
        if not self.as_json:
            for part in parts:
                self.console.print(part if not isinstance(part, str) else plain(part))

    def show_first(self, columns: Sequence[str], rows: Sequence[Sequence[object]], most: int) -> None:
        """Print the first rows of a table, and how many more there are; nothing without rows."""
        if rows:
            self.show(table(columns, rows[:most]))
        if len(rows) > most:
            self.show(f"... and {len(rows) - most} more (--json has all)")

    def finish(self, command: str, code: int, values: Mapping[str, Any]) -> int:
        """Print the JSON object, when that is wanted.

        :param code: the exit code
        :return: the same
        """
        if self.as_json:
            self._write_json({"command": command, "is_right": code == RIGHT, **values})
        return code

    def fail(self, command: str, error: InfluxRollupError) -> None:
        """Say what went wrong, on stderr, and as JSON too when that is wanted."""
        name = type(error).__name__
        message = words_of(error)
        if self.as_json:
            told = {"name": name, "message": message, "is_permanent": error.permanent}
            self._write_json({"command": command, "is_right": False, "error": told})
        _complain(f"{name}: {message}")

    def report(self, report: Report) -> None:
        """Print a verb's messages: warnings always, the rest on request."""
        if report.level == "warning" or self._is_verbose:
            _complain(report.message)

    def note(self, text: str) -> None:
        """Tell people something that is no part of the answer."""
        _complain(text)

    def _write_json(self, values: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def words_of(error: InfluxRollupError) -> str:
    """The message of an error, in the words of the commands."""
    message = str(error)
    for parameter, option in OPTIONS.items():
        message = message.replace(parameter, option)
    return message


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """A table; columns whose name starts with ``>`` are numbers, to the right.

    :param rows: values of any kind; None is empty
    """
    made = Table(
        title=None if title is None else plain(title), title_justify="left", box=None, pad_edge=False
    )
    for name in columns:
        is_number = name.startswith(">")
        made.add_column(name.lstrip(">"), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else plain(value) for value in row))
    return made


def plain(value: object) -> Text:
    """Text as it is, without markup; control characters of a name must not reach the terminal."""
    text = "" if value is None else str(value)
    return Text("".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in text))


def number(value: float | None) -> str:
    """``1,234``; empty for None."""
    return "" if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """A length of time to read: ``4.2 s``, ``3 min``, ``2.5 h``, ``unknown``."""
    if value is None:
        return "unknown"
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.1f} s"


def size(count: float) -> str:
    """A number of bytes to read: ``1.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _complain(text: str) -> None:
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()
