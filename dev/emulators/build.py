"""Builds or fetches both into the user's cache, once per version."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from dev.emulators.places import (
    AZURITE_VERSION,
    GCS_MODULE,
    GCS_VERSION,
    azurite,
    azurite_folder,
    fake_gcs_server,
)
from dev.influx_server.errors import ServerError
from dev.influx_server.locks import locked
from dev.influx_server.places import cache_dir
from dev.influx_server.progress import Progress, say
from dev.influx_server.toolchain import find_go

NO_NODE = """{name} was not found; Azurite, the server that speaks Azure Blob Storage, needs Node.js 18 or newer with npm:
     apt install nodejs npm, brew install node, or https://nodejs.org"""


def build() -> None:
    """Make sure that both are in the cache.

    :raises ServerError: when a tool is missing or a step fails
    """
    with locked(cache_dir() / "emulators.lock", lambda: say("another build is running; waiting for it")):
        for made, make in ((fake_gcs_server(), _build_gcs), (azurite(), _fetch_azurite)):
            if not made.exists():
                # on the same file system, so that the result appears as a whole
                with tempfile.TemporaryDirectory(prefix="emulator-", dir=cache_dir()) as folder:
                    make(Path(folder))


def _build_gcs(folder: Path) -> None:
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    command = [find_go(), "install", f"{GCS_MODULE}@{GCS_VERSION}"]
    _run("building fake-gcs-server (usually 3 to 6 minutes on 2 cores, once)", command, environment)
    (folder / "fake-gcs-server").rename(fake_gcs_server())


def _fetch_azurite(folder: Path) -> None:
    node("node")
    made = folder / "azurite"
    command = [node("npm"), "install", "--prefix", str(made), "--ignore-scripts", "--no-audit", "--no-fund"]
    _run(
        "fetching Azurite (usually a minute, once)",
        [*command, f"azurite@{AZURITE_VERSION}"],
        dict(os.environ),
    )
    made.rename(azurite_folder())


def node(name: str) -> str:
    """Find ``node`` or ``npm``.

    :raises ServerError: when it is not there
    """
    found = shutil.which(name)
    if found is None:
        raise ServerError(NO_NODE.format(name=name))
    return found


def _run(title: str, command: list[str], environment: dict[str, str]) -> None:
    with Progress(title) as progress:
        progress.step = command[0].rpartition("/")[2]
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ServerError(f"{title} failed with {done.returncode}:\n{done.stdout[-2000:]}")
