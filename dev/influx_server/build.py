"""Builds the server from the published Go module into the user's cache, once per version."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from dev.influx_server.errors import ServerError
from dev.influx_server.locks import locked
from dev.influx_server.places import GO_SOURCE, built_server, cache_dir, influxdb_version, module_version
from dev.influx_server.progress import Progress, say
from dev.influx_server.toolchain import Toolchain, find_toolchain

PKG_CONFIG_MODULE = "github.com/influxdata/pkg-config"
EXPECTATION = "usually 3 to 7 minutes on 2 cores, once"


def build() -> Path:
    """Give the built server; build it first when the cache has none.

    :raises ServerError: when a tool is missing or the build fails
    """
    server = built_server()
    with locked(cache_dir() / "build.lock", lambda: say("another build is running; waiting for it")):
        if not server.exists():
            _remove_leftovers()
            _build_into(server)
    return server


def _remove_leftovers() -> None:
    # Only what an earlier build left that was killed: the lock says that no build is running.
    for leftover in cache_dir().glob("*.partial"):
        leftover.unlink()


def _build_into(server: Path) -> None:
    toolchain = find_toolchain()
    environment = _environment(toolchain)
    partial = server.with_name(f"{server.name}.partial")
    tags = "sqlite_foreign_keys,sqlite_json"
    version = f"-X main.version={influxdb_version()}"
    say(f"building InfluxDB {influxdb_version()} from its Go module ({EXPECTATION}) into {server.parent}")
    log = cache_dir() / "build.log"
    with Progress(f"building InfluxDB {influxdb_version()}") as progress, log.open("w") as log_file:
        steps = [
            ("1/3 fetching Go modules", ["mod", "download"]),
            (
                "2/3 the pkg-config tool",
                ["install", f"{PKG_CONFIG_MODULE}@{module_version(PKG_CONFIG_MODULE)}"],
            ),
            ("3/3 compiling", ["build", "-v", "-tags", tags, "-ldflags", version, "-o", str(partial), "."]),
        ]
        try:
            for title, arguments in steps:
                progress.step = title
                command = [toolchain.go, *arguments]
                with tempfile.TemporaryFile("w+") as output:
                    code = _run(command, environment, output.fileno(), title, progress)
                    output.seek(0)
                    said = output.read()
                    log_file.write(said)
                if code != 0:
                    raise ServerError(f"step {title} failed with {code}:\n{said[-2000:]}\nall of it: {log}")
            partial.replace(server)
        finally:
            partial.unlink(missing_ok=True)


def _environment(toolchain: Toolchain) -> dict[str, str]:
    bin_dir = cache_dir() / "bin"
    return {
        **os.environ,
        "PATH": toolchain.path,
        "GOBIN": str(bin_dir),
        # This pkg-config compiles libflux with cargo and tells cgo where it is.
        "PKG_CONFIG": str(bin_dir / "pkg-config"),
        "RUSTUP_TOOLCHAIN": "stable",
        "RUSTFLAGS": "--cap-lints=warn",
        "CGO_ENABLED": "1",
        # Link-time optimisation makes the build many times longer and the tests no faster.
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
        "CARGO_PROFILE_RELEASE_DEBUG": "0",
    }


def _run(command: list[str], environment: dict[str, str], output: int, title: str, progress: Progress) -> int:
    """Run one step in its own process group, so that Ctrl-C ends the compilers too."""
    process = subprocess.Popen(
        command,
        cwd=GO_SOURCE,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        while True:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                progress.step = _with_count(title, output)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _with_count(title: str, output: int) -> str:
    written = os.pread(output, 1_000_000, 0)
    packages = [
        line for line in written.decode(errors="replace").splitlines() if "/" in line and " " not in line
    ]
    return f"{title}: {len(packages)} packages, {packages[-1]}" if packages else title
