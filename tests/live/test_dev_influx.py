"""The command that starts InfluxDB, tried with the real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

CHECKOUT = Path(__file__).resolve().parents[2]
LINES = ["INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN"]


class DevInflux:
    """Calls dev/influx for one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(
        self, command: str, *arguments: str, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")}
        words = [sys.executable, str(CHECKOUT / "dev" / "influx"), command, "--data-dir", str(self.data_dir)]
        return subprocess.run(
            [*words, *arguments],
            env={**own, **(variables or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def started(self, *arguments: str) -> dict[str, str]:
        done = self("start", *arguments)
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    @property
    def pid(self) -> int:
        return int(json.loads((self.data_dir / "server.json").read_text())["pid"])


@pytest.fixture
def dev_influx(tmp_path: Path) -> Iterator[DevInflux]:
    command = DevInflux(tmp_path / "data")
    yield command
    command("stop")


def _answer(server: dict[str, str], path: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(server["INFLUX_URL"] + path, data=body)
    request.add_header("Authorization", f"Token {server['INFLUX_TOKEN']}")
    request.add_header(
        "Content-Type", "application/vnd.flux" if path.startswith("/api/v2/query") else "text/plain"
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return str(answer.read().decode())


def _write(server: dict[str, str], line: str) -> None:
    _answer(server, f"/api/v2/write?org={server['INFLUX_ORG']}&bucket=dev&precision=s", line.encode())


def _points(server: dict[str, str]) -> str:
    flux = 'from(bucket: "dev") |> range(start: 0) |> keep(columns: ["_value"])'
    return _answer(server, f"/api/v2/query?org={server['INFLUX_ORG']}", flux.encode()).strip()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_start_gives_a_usable_server_when_nothing_runs(dev_influx: DevInflux) -> None:
    server = dev_influx.started("--port", "0")
    assert list(server) == LINES
    assert server["INFLUX_URL"].startswith("http://127.0.0.1:")
    _write(server, "m value=42i 1600000000")
    assert ",42" in _points(server)
    assert (dev_influx.data_dir / "token").stat().st_mode & 0o777 == 0o600


def test_start_prints_the_same_lines_when_it_runs_already(dev_influx: DevInflux) -> None:
    first = dev_influx.started("--port", "0")
    pid = dev_influx.pid
    assert dev_influx.started() == first
    assert dev_influx.pid == pid


def test_data_and_token_are_there_again_when_it_was_stopped(dev_influx: DevInflux) -> None:
    first = dev_influx.started("--port", "0")
    _write(first, "m value=42i 1600000000")
    assert dev_influx("stop").returncode == 0
    again = dev_influx.started()
    assert again == first
    assert ",42" in _points(again)


def test_stop_ends_exactly_that_server_when_another_runs_too(dev_influx: DevInflux, tmp_path: Path) -> None:
    other = DevInflux(tmp_path / "other")
    try:
        other_server = other.started("--port", "0")
        dev_influx.started("--port", "0")
        pid = dev_influx.pid
        stopped = dev_influx("stop")
        assert stopped.returncode == 0
        assert not _runs(pid)
        assert dev_influx("status").returncode == 3
        assert other("status").returncode == 0
        assert _points(other_server) == ""
    finally:
        other("stop")


def test_stop_leaves_a_process_alone_when_the_number_belongs_to_another_program(
    dev_influx: DevInflux,
) -> None:
    dev_influx.started("--port", "0")
    state_file = dev_influx.data_dir / "server.json"
    state = json.loads(state_file.read_text())
    dev_influx("stop")
    stranger = subprocess.Popen(["sleep", "100"])
    try:
        state_file.write_text(json.dumps({**state, "pid": stranger.pid}))
        assert "no server runs" in dev_influx("stop").stderr
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_reset_gives_an_empty_server_and_a_new_token_when_there_was_data(dev_influx: DevInflux) -> None:
    first = dev_influx.started("--port", "0")
    _write(first, "m value=42i 1600000000")
    (dev_influx.data_dir / "notes.txt").write_text("not ours")
    second = dev_influx.started("--reset")
    assert second["INFLUX_URL"] == first["INFLUX_URL"]
    assert second["INFLUX_TOKEN"] != first["INFLUX_TOKEN"]
    assert _points(second) == ""
    assert (dev_influx.data_dir / "notes.txt").read_text() == "not ours"


def test_start_names_the_port_and_the_option_when_the_port_is_in_use(dev_influx: DevInflux) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = dev_influx("start", "--port", port)
    assert refused.returncode == 1
    assert port in refused.stderr
    assert "--port" in refused.stderr
    assert refused.stdout == ""


def test_start_refuses_another_port_when_it_runs_already(dev_influx: DevInflux) -> None:
    server = dev_influx.started("--port", "0")
    refused = dev_influx("start", "--port", "1024")
    assert refused.returncode == 1
    assert server["INFLUX_URL"].rpartition(":")[2] in refused.stderr


def test_flags_reach_influxd_when_they_follow_two_dashes(dev_influx: DevInflux) -> None:
    limits = ["--query-concurrency", "1", "--query-queue-size", "1", "--query-memory-bytes", "1048576"]
    server = dev_influx.started("--port", "0", "--", *limits)
    config = json.loads(_answer(server, "/api/v2/config"))["config"]
    assert (config["query-concurrency"], config["query-queue-size"]) == (1, 1)
    assert config["query-memory-bytes"] == 1048576


def test_memory_is_limited_when_it_is_asked_for(dev_influx: DevInflux) -> None:
    started = dev_influx("start", "--port", "0", "--memory", "512M")
    if started.returncode:
        # a user who may make no control group is told so, and nothing is left running
        assert "no process can be held to a memory limit here" in started.stderr
        assert dev_influx("status").returncode == 3
        return
    places = [line.split(":") for line in Path(f"/proc/{dev_influx.pid}/cgroup").read_text().splitlines()]
    paths = {kinds: path for _, kinds, path in places}
    if "memory" in paths:
        limit = Path(f"/sys/fs/cgroup/memory{paths['memory']}/memory.limit_in_bytes")
    else:
        limit = Path(f"/sys/fs/cgroup{paths['']}/memory.max")
    assert int(limit.read_text()) == 512 * 2**20
    dev_influx("stop")
    assert not limit.parent.exists()


def test_memory_is_refused_when_it_is_no_size(dev_influx: DevInflux) -> None:
    refused = dev_influx("start", "--port", "0", "--memory", "lots")
    assert refused.returncode == 1
    assert "'lots' is no memory for a server" in refused.stderr
    assert dev_influx("status").returncode == 3


def test_start_shows_what_the_server_says_and_leaves_nothing_when_a_flag_is_unknown(
    dev_influx: DevInflux,
) -> None:
    refused = dev_influx("start", "--port", "0", "--", "--no-such-flag")
    assert refused.returncode == 1
    assert "unknown flag: --no-such-flag" in refused.stderr
    assert dev_influx("status").returncode == 3


def test_start_again_recovers_when_the_server_was_killed(dev_influx: DevInflux) -> None:
    first = dev_influx.started("--port", "0")
    _write(first, "m value=42i 1600000000")
    killed = dev_influx.pid
    os.kill(killed, signal.SIGKILL)
    second = dev_influx.started("--port", "0")
    assert dev_influx.pid != killed
    assert second["INFLUX_TOKEN"] == first["INFLUX_TOKEN"]
    assert ",42" in _points(second)


def test_start_takes_the_given_server_when_influx_url_is_set(dev_influx: DevInflux, tmp_path: Path) -> None:
    server = dev_influx.started("--port", "0")
    other = DevInflux(tmp_path / "unused")
    taken = other("start", variables=server)
    assert dict(line.split("=", 1) for line in taken.stdout.splitlines()) == server
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"INFLUX_TOKEN": "wrong"}, "does not accept the token"),
        ({"INFLUX_TOKEN": ""}, "INFLUX_ORG and INFLUX_TOKEN are needed"),
        ({"INFLUX_ORG": "no such org"}, "no such org"),
        (
            {"INFLUX_URL": "http://127.0.0.1:9"},
            "no healthy InfluxDB answers at INFLUX_URL=http://127.0.0.1:9",
        ),
    ],
)
def test_start_names_the_cause_when_the_given_server_cannot_be_used(
    dev_influx: DevInflux, change: dict[str, str], said: str
) -> None:
    server = dev_influx.started("--port", "0")
    refused = dev_influx("start", variables={**server, **change})
    assert refused.returncode == 1
    assert said in refused.stderr
    assert server["INFLUX_TOKEN"] not in refused.stderr
