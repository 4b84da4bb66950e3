"""The commands of dev/influx."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from dev.influx_server import server
from dev.influx_server.build import build
from dev.influx_server.errors import ServerError
from dev.influx_server.find import external_connection
from dev.influx_server.locks import locked
from dev.influx_server.places import CHECKOUT, DataDir
from dev.influx_server.progress import say

NOT_RUNNING = 3


def main(arguments: list[str]) -> int:
    """Run one command; give the exit status."""
    signal.signal(signal.SIGTERM, _stop_as_by_ctrl_c)
    own, flags = _split_at_dashes(arguments)
    options = _parser().parse_args(own)
    try:
        return _run(options, flags)
    except ServerError as error:
        say(f"dev/influx: {error}")
        return 1
    except KeyboardInterrupt:
        say("dev/influx: interrupted")
        return 130


def _stop_as_by_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _split_at_dashes(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev/influx",
        description="A real InfluxDB 2 server for the demo and the tests.",
        epilog="What follows `--` after start goes to influxd: dev/influx start -- --query-concurrency 2",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in {
        "start": "start a server on 127.0.0.1 and print INFLUX_URL, INFLUX_ORG and INFLUX_TOKEN",
        "stop": "stop the server of the data directory",
        "status": "say whether it runs (exit status 3 when not)",
    }.items():
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("--data-dir", type=Path, default=CHECKOUT / ".influx", help="default: .influx")
        if name == "start":
            command.add_argument("--port", type=int, help="default: the last one, or 8086; 0: any free one")
            command.add_argument("--memory", help="hold the server to so much memory, such as 2G")
            command.add_argument("--reset", action="store_true", help="wipe the data directory first")
    commands.add_parser("build", help="build the server into the user's cache now")
    return parser


def _run(options: argparse.Namespace, flags: list[str]) -> int:
    if options.command == "build":
        print(build())
        return 0
    data_dir = DataDir(options.data_dir.absolute())
    if options.command == "start":
        return _start(options, data_dir, flags)
    external = os.environ.get("INFLUX_URL")
    if external and not data_dir.state.exists():
        say(f"INFLUX_URL={external} names a server that this command neither starts nor stops")
        return 0
    if options.command == "status":
        healthy, line = server.describe(data_dir)
        print(line)
        return 0 if healthy else NOT_RUNNING
    return _stop(data_dir)


def _start(options: argparse.Namespace, data_dir: DataDir, flags: list[str]) -> int:
    connection = external_connection()
    if connection is None:
        with locked(data_dir.lock, lambda: say(f"another command works on {data_dir.path}; waiting")):
            if options.reset:
                server.wipe(data_dir)
            connection = server.start(data_dir, options.port, flags, memory=options.memory)
    print(connection.lines())
    return 0


def _stop(data_dir: DataDir) -> int:
    if not data_dir.state.exists():
        say(f"no server was started from {data_dir.path}")
        return 0
    with locked(data_dir.lock, lambda: say(f"another command works on {data_dir.path}; waiting")):
        running = server.stop(data_dir)
    say(f"stopped {running.url}" if running else f"no server runs from {data_dir.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
