"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from airflow_provider_influx_rollup.cli.wrong_call import about_choice, about_unknown
from airflow_provider_influx_rollup.exceptions import ConfigurationError


class WrongCall(Exception):
    """Arguments that a command cannot take.

    :param usage: for people, which options there are
    """

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviated options and never repeats a token."""

    def __init__(self, **kwargs: Any) -> None:
        # --token would be taken for --token-file
        super().__init__(**(kwargs | {"allow_abbrev": False}))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown arguments where they stand, so that the usage is that of the command.

        :raises WrongCall: when there are some
        """
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(about_unknown(self, self._actions, unknown))
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the nearest word that can stand there."""
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, about_choice(str(value), map(str, action.choices)))

    def error(self, message: str) -> NoReturn:
        """Refuse a call.

        :raises WrongCall: always
        """
        raise WrongCall(message, f"{self.format_usage()}{self.prog}: error: {message}\n")


class _RefusedToken(argparse.Action):
    """Refuses ``--token`` without repeating its value."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        parser.error(
            "a token on the command line can be read by every user: use INFLUX_TOKEN or --token-file"
        )


class _Last(argparse.Action):
    """Remembers that ``--last`` was given, which a default is not."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, value: object, *_: object) -> None:
        namespace.last, namespace.is_last_given = value, True


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Options for the server and for the output."""
    group = parser.add_argument_group("connection")
    group.add_argument("--url", help="the server; default: INFLUX_URL")
    group.add_argument("--org", help="the organisation's name; default: INFLUX_ORG, or the connection's")
    group.add_argument("--token-file", metavar="FILE", help="a file with the token; default: INFLUX_TOKEN")
    group.add_argument("--token", action=_RefusedToken, help=argparse.SUPPRESS)
    group.add_argument("--conn-id", metavar="NAME", help="take url, org and token from an Airflow connection")
    group.add_argument("--ssl-ca-cert", metavar="FILE", help="certificates to trust instead of the system's")
    group.add_argument("--ledger-bucket", metavar="BUCKET", help="the bucket of the receipts (rollup_ledger)")
    add_output(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Options for the output."""
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print JSON instead of tables")
    output.add_argument("-v", "--verbose", action="store_true", help="say on stderr what is going on")


def add_interval(parser: argparse.ArgumentParser, *, last: str, is_asked: bool = False) -> None:
    """Options for the interval.

    :param last: a Flux duration: how far back, when ``--from`` is not given
    :param is_asked: whether ``args.last`` is None unless it is given, for commands that are about all windows then
    """
    group = parser.add_argument_group("windows")
    group.add_argument(
        "--from",
        dest="start",
        metavar="TIME",
        help="2025-01-01 in the pipeline's zone, or 2025-01-01T00:00:00Z",
    )
    group.add_argument("--to", dest="stop", metavar="TIME", help="not included; default: now")
    group.add_argument(
        "--last",
        action=_Last,
        metavar="DURATION",
        default=None if is_asked else last,
        help=f"instead of --from: so much before --to ({last})",
    )


def add_pipelines(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Options for the pipelines; all of the ledger unless some must be named."""
    parser.add_argument(
        "--pipeline",
        action="append",
        required=required,
        metavar="NAME",
        help="a pipeline of the ledger, also a pattern such as '*@1h'; can be repeated",
    )


def tags_of(pairs: list[str]) -> dict[str, str]:
    """Tags from ``KEY=VALUE``; the first ``=`` ends the key.

    :raises ConfigurationError: when one is no such pair; it is not repeated
    """
    found = dict(pair.partition("=")[::2] for pair in pairs)
    if not all("=" in pair for pair in pairs) or len(found) < len(pairs):
        what = "a tag is not given as KEY=VALUE, or given twice"
        raise ConfigurationError(what, written="nothing", fix="write customer=42")
    return found
