"""The connection of a command: options, environment or an Airflow connection."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings, require_server_url
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET

if TYPE_CHECKING:
    from typing import TypeVar

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.steps.step import Steps

    Result = TypeVar("Result")

# a person waits in front of the command; a task has a minute
DEADLINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A connected server, and where its ledger is."""

    client: InfluxClient
    org: str
    ledger_bucket: str
    output: Output

    def drive(self, steps: Steps[Result]) -> Result:
        """Run a verb to its end."""
        return drive(steps, self.client, self.output.report)


@contextmanager
def connect(
    args: Namespace,
    output: Output,
    *,
    conn_id: str | None = None,
    deadline_seconds: float | None = None,
) -> Iterator[Server]:
    """Connect as the options say.

    :param conn_id: the Airflow connection to take when the options and the environment name no server
    :param deadline_seconds: how long a request is tried again; None: as long as a person waits
    :raises ConfigurationError: when something is missing or wrong
    """
    names_server = args.url or os.environ.get("INFLUX_URL")
    chosen = args.conn_id or (None if names_server else conn_id)
    ledger_bucket = args.ledger_bucket or DEFAULT_LEDGER_BUCKET
    if chosen:
        from airflow_provider_influx_rollup.cli.from_airflow import configured_ledger, connection_settings

        settings = connection_settings(chosen, args.org)
        ledger_bucket = args.ledger_bucket or configured_ledger()
    else:
        settings = settings_of(args)
    with InfluxClient(replace(settings, deadline_seconds=deadline_seconds or DEADLINE_SECONDS)) as client:
        yield Server(client, settings.org, ledger_bucket, output)


def settings_of(args: Namespace) -> ClientSettings:
    """Client settings from options and environment.

    :raises ConfigurationError: when something is missing or wrong
    """
    if args.ssl_ca_cert and not Path(args.ssl_ca_cert).is_file():
        what = f"--ssl-ca-cert {args.ssl_ca_cert} is no file"
        raise ConfigurationError(what, fix="correct the path, or leave it out")
    return ClientSettings(
        url=_required(args.url, "INFLUX_URL", "--url"),
        org=_required(args.org, "INFLUX_ORG", "--org"),
        token=_token_reader(args.token_file),
        ssl_ca_cert=args.ssl_ca_cert,
    )


def given_options(args: Namespace) -> dict[str, str]:
    """The options of the server and its ledger that were given, for another command; not its organisation."""
    given = {
        "--conn-id": args.conn_id,
        "--url": args.url,
        "--token-file": args.token_file,
        "--ssl-ca-cert": args.ssl_ca_cert,
        "--ledger-bucket": args.ledger_bucket,
    }
    try:
        require_server_url(args.url or "")
    except ConfigurationError:
        # it may hold a secret
        del given["--url"]
    return {name: str(value) for name, value in given.items() if value}


def _required(value: str | None, variable: str, option: str) -> str:
    found = value or os.environ.get(variable)
    if not found:
        what = f"{option} is not given, and {variable} is not set"
        raise ConfigurationError(what, fix=f"give {option} or --conn-id, or set {variable}")
    return found


def _token_reader(token_file: str | None) -> Callable[[bool], str]:
    if token_file is None:
        token = _required(None, "INFLUX_TOKEN", "--token-file").strip()
        return lambda _refresh: token
    path = Path(token_file)
    tokens = [_read_token(path)]

    def read(refresh: bool) -> str:
        if refresh:
            tokens[0] = _read_token(path)
        return tokens[0]

    return read


def _read_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, ValueError) as error:
        what = f"the token file {str(path)!r} cannot be read"
        raise ConfigurationError(what, fix="name a file that holds the token and nothing else") from error
    if not token or len(token.split()) != 1:
        what = f"the token file {str(path)!r} holds no token, or more than one word"
        raise ConfigurationError(what, fix="name a file that holds the token and nothing else")
    return token
