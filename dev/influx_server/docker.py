"""The server as a container of docker-compose.yaml, for those who have Docker."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

from dev.influx_server.errors import ServerError
from dev.influx_server.places import COMPOSE_FILE, DataDir
from dev.influx_server.state import Running


def _docker(*arguments: str, token: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
    # The token goes through the environment: arguments can be read by every user of the machine.
    environment = {**os.environ, "INFLUX_TOKEN": token} if token else None
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, env=environment, timeout=timeout
    )


def engine_answers() -> bool:
    """Say whether a Docker engine with the compose command can be used."""
    if shutil.which("docker") is None:
        return False
    try:
        return all(
            _docker(*words, timeout=10).returncode == 0 for words in (("info",), ("compose", "version"))
        )
    except subprocess.TimeoutExpired:
        return False


def container_name(data_dir: DataDir) -> str:
    """Give the name of the one container that belongs to this data directory."""
    return "influx-rollup-" + hashlib.sha256(str(data_dir.path.resolve()).encode()).hexdigest()[:12]


def start_container(data_dir: DataDir, port: int, flags: list[str], token: str) -> Running:
    """Start the container of this data directory, or make it from the service `influxdb` of docker-compose.yaml."""
    name = container_name(data_dir)
    running = Running(kind="container", name=name, port=port, flags=flags)
    if _docker("container", "inspect", name).returncode == 0:
        # A container's port and flags are fixed when it is made; its data live in a volume that is kept.
        _docker("rm", "--force", name)
    arguments = ["compose", "--file", str(COMPOSE_FILE), "run", "--detach", "--no-deps", "--name", name]
    arguments += ["--publish", f"127.0.0.1:{port}:8086", "--volume", f"{name}:/var/lib/influxdb2"]
    done = _docker(
        *arguments, "influxdb", "influxd", "--reporting-disabled", *flags, token=token, timeout=600
    )
    if done.returncode != 0:
        raise ServerError(
            f"Docker did not start the server (another port: --port N):\n{done.stderr.strip()[-1500:]}"
        )
    return running


def limit_memory(running: Running, size: int) -> None:
    """Hold the container to so many bytes.

    :raises ServerError: when Docker cannot
    """
    done = _docker("update", "--memory", str(size), "--memory-swap", str(size), running.name)
    if done.returncode != 0:
        raise ServerError(f"Docker did not limit the memory:\n{done.stderr.strip()[-500:]}")


def container_runs(running: Running) -> bool:
    """Say whether the container is up."""
    asked = _docker("container", "inspect", "--format", "{{.State.Running}}", running.name)
    return asked.stdout.strip() == "true"


def container_log(running: Running) -> str:
    """Give the last lines that the container said."""
    said = _docker("logs", "--tail", "15", running.name)
    return said.stdout + said.stderr


def stop_container(running: Running) -> None:
    """Stop the container; its data stay in its volume."""
    _docker("stop", running.name)


def wipe_container(data_dir: DataDir) -> None:
    """Remove the container and its volume."""
    _docker("rm", "--force", container_name(data_dir))
    _docker("volume", "rm", "--force", container_name(data_dir))
