"""Start, stop and describe the one server of a data directory."""

from __future__ import annotations

import os
import secrets
import shutil

from dev.influx_server import api, docker, local
from dev.influx_server.errors import ServerError
from dev.influx_server.find import Connection, find_program
from dev.influx_server.memory import hold, read_size, release
from dev.influx_server.places import BUCKET, ORG, USERNAME, DataDir
from dev.influx_server.processes import free_port, port_becomes_free, port_is_free
from dev.influx_server.progress import say
from dev.influx_server.state import Running, read_state, write_state

DEFAULT_PORT = 8086


def runs(running: Running) -> bool:
    """Say whether a recorded server still runs."""
    return docker.container_runs(running) if running.kind == "container" else local.process_runs(running)


def start(data_dir: DataDir, port: int | None, flags: list[str], *, memory: str | None = None) -> Connection:
    """Start the server of this folder, or give the one that runs from it already.

    :param port: None is the port of the last start, or 8086; 0 is any free port
    :param flags: extra influxd flags
    :param memory: how much memory it may have, such as ``2G``; None does not limit it
    :raises ServerError: when the port is taken, the server ends, or another port or other flags were asked for
    """
    running = read_state(data_dir)
    if running is not None and runs(running):
        _refuse_change(running, port, flags)
        if memory:
            raise ServerError(
                "this data directory's server already runs; stop it first, or leave --memory out"
            )
    else:
        chosen = _choose_port(port, running)
        size = read_size(memory) if memory else None
        running = _launch(data_dir, chosen, flags, size)
    return _make_ready(data_dir, running)


def _refuse_change(running: Running, port: int | None, flags: list[str]) -> None:
    if port and port != running.port:
        raise ServerError(f"this data directory's server already runs on port {running.port}; stop it first")
    if flags and flags != running.flags:
        said = " ".join(running.flags) or "no flags"
        raise ServerError(
            f"this data directory's server already runs with other flags ({said}); stop it first"
        )


def _choose_port(port: int | None, last: Running | None) -> int:
    if port == 0:
        return free_port()
    chosen = port or (last.port if last else DEFAULT_PORT)
    was_ours = last is not None and last.port == chosen
    if not (port_becomes_free(chosen) if was_ours else port_is_free(chosen)):
        raise ServerError(
            f"port {chosen} on 127.0.0.1 is in use by another program; name a free one: --port N"
        )
    return chosen


def _launch(data_dir: DataDir, port: int, flags: list[str], size: int | None) -> Running:
    data_dir.path.mkdir(parents=True, exist_ok=True)
    token = _token(data_dir)
    program = find_program()
    if program is None:
        running = docker.start_container(data_dir, port, flags, token)
    else:
        running = local.start_process(program, data_dir, port, flags)
    write_state(data_dir, running)
    if size is not None:
        _hold(data_dir, running, size)
    return running


def _hold(data_dir: DataDir, running: Running, size: int) -> None:
    try:
        if running.kind == "container":
            docker.limit_memory(running, size)
        else:
            hold(data_dir, running.pid, size)
    except ServerError:
        stop(data_dir)
        raise


def _token(data_dir: DataDir) -> str:
    """Give the operator token of this folder; made once, readable by its owner only."""
    try:
        return data_dir.token.read_text().strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
        partial = data_dir.token.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
        partial.replace(data_dir.token)
        return token


def _make_ready(data_dir: DataDir, running: Running) -> Connection:
    token = _token(data_dir)

    def check_alive() -> None:
        if not runs(running):
            log = docker.container_log(running) if running.kind == "container" else local.last_lines(data_dir)
            raise ServerError(f"the server ended while it started (a flag it does not know?):\n{log}")

    try:
        api.wait_until_healthy(running.url, check_alive)
        password = secrets.token_urlsafe(24)
        api.set_up(running.url, org=ORG, bucket=BUCKET, username=USERNAME, password=password, token=token)
        api.check_token(running.url, ORG, token)
    except BaseException:
        # Nothing half started is left behind, on Ctrl-C neither.
        stop(data_dir)
        raise
    return Connection(running.url, ORG, token)


def stop(data_dir: DataDir) -> Running | None:
    """End exactly the server that was started from this folder; give it, or None when none ran."""
    running = read_state(data_dir)
    if running is None or not runs(running):
        return None
    if running.kind == "container":
        docker.stop_container(running)
    else:
        local.stop_process(running)
        release(data_dir)
    return running


def wipe(data_dir: DataDir) -> None:
    """Stop the server and remove its files; the port of the last start and what else is in the folder stay."""
    stop(data_dir)
    last = read_state(data_dir)
    if last is not None and last.kind == "container":
        docker.wipe_container(data_dir)
    for file in (data_dir.bolt, data_dir.sqlite, data_dir.log, data_dir.token):
        file.unlink(missing_ok=True)
    shutil.rmtree(data_dir.engine, ignore_errors=True)
    say(f"wiped {data_dir.path}")


def describe(data_dir: DataDir) -> tuple[bool, str]:
    """Give whether a healthy server runs from this folder, and a line for a person."""
    running = read_state(data_dir)
    if running is None or not runs(running):
        return False, f"no server runs from {data_dir.path}"
    answer = api.health(running.url)
    which = f"pid {running.pid}" if running.kind == "process" else f"container {running.name}"
    if answer is None:
        return False, f"the server of {data_dir.path} ({which}) does not answer at {running.url}"
    return True, f"{running.url} InfluxDB {answer.get('version')}, {which}, token in {data_dir.token}"
