"""Runs pytest on one or both Airflows, and what touches no Airflow once beside them.

    python dev/run_tests.py 3.3 2.11 --no-airflow 3.3 -- -m "not slow"

Each run has its own AIRFLOW_HOME and its own InfluxDB server, that without Airflow one for each of its workers. The
servers end with the run, also after Ctrl-C. The exit status is 0 only when every run passed and there were tests.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

VERSIONS = ("3.3", "2.11")
#: an environment of 3.3 with Celery and Kubernetes
EXECUTORS = "executors"
CHECKOUT = Path(__file__).resolve().parent.parent
LOGS = CHECKOUT / ".test-logs"
INFLUX = [sys.executable, str(CHECKOUT / "dev" / "influx")]
REPORT_SECONDS = 30
# a fifth less CPU for the many short queries of tests: fewer collections of garbage, until there is much of it; no profiles
QUICKER = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
UNPROFILED = ["--", "--pprof-disabled"]
# a file system in memory: InfluxDB makes a shard there with a third of the CPU, and waits for no disk
IN_MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
# the servers of all runs have less than 2 GB in the end
ROOM = 4 * 2**30
PERCENT = re.compile(r"\[ *(\d+)%\]")
NO_AIRFLOW = "no Airflow"
# one more than cores: tests also wait, and this run is the longest
WORKERS = 3
NO_TESTS = 5
TOLD: dict[int | None, str] = {0: "passed", NO_TESTS: "no tests"}


class Run:
    """The tests on one Airflow, or those that touch none.

    :param workers: how many processes of pytest-xdist run the tests; 0: pytest itself runs them
    """

    def __init__(
        self, name: str, environment: Path, home: Path, *, server_flags: list[str], workers: int = 0
    ) -> None:
        self.name = name
        self.server_flags = server_flags
        self.python = environment / "bin" / "python"
        self.home = home
        self.workers = workers
        self.log = LOGS / f"{name.lower().replace(' ', '-')}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = time.monotonic()

    def start(self, arguments: list[str], *, shown: bool) -> None:
        """Start the servers and pytest; pytest writes to the terminal when shown, else to the log."""
        variables = {**self._environment(), **self._servers()}
        command = [
            str(self.python),
            "-m",
            "pytest",
            "-o",
            f"cache_dir={self.home / 'pytest_cache'}",
            *(["--numprocesses", str(self.workers), "--dist", "worksteal"] if self.workers else []),
            *arguments,
        ]
        with self.log.open("wb") as log:
            # A group of its own: Ctrl-C reaches it once, from here, and the servers end after it.
            self.process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=None if shown else log,
                stderr=None if shown else subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        # what one process of the tests has compiled, the others need not
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {
            **inherited,
            "PATH": f"{self.python.parent}{os.pathsep}{inherited.get('PATH', '')}",
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def _folders(self) -> dict[str, Path]:
        """Where the data of each server is, by the end of the names of its variables: tests/conftest.py reads them."""
        if not self.workers:
            return {"": self.home / "influx"}
        return {f"_GW{number}": self.home / f"influx-{number}" for number in range(self.workers)}

    def _servers(self) -> dict[str, str]:
        return {
            name + ending: value
            for ending, folder in self._folders().items()
            for name, value in self._server(folder).items()
        }

    def _server(self, folder: Path) -> dict[str, str]:
        command = [*INFLUX, "start", "--port", "0", "--data-dir", str(folder), *self.server_flags]
        environment = {**os.environ, **QUICKER}
        lines = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines)

    def progress(self) -> str:
        """Give a short line: how far the run is."""
        if self.process is None:
            return f"{self.name}: not started"
        percents = PERCENT.findall(self.log.read_text(errors="replace"))
        done = f"{percents[-1]} %" if percents else "collecting"
        return f"{self.name}: {done if self.process.poll() is None else 'ended'}"

    def interrupt(self) -> None:
        """Ask pytest to end, when it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Wait for pytest, which was asked to end, and end the servers."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for folder in self._folders().values():
            subprocess.run([*INFLUX, "stop", "--data-dir", str(folder)], check=False, capture_output=True)

    @property
    def status(self) -> int | None:
        """What pytest ended with; None before."""
        return None if self.process is None else self.process.returncode

    def report(self) -> str:
        """Give what a reader wants: the whole log of a failure, the short summary of a success."""
        text = self.log.read_text(errors="replace").rstrip()
        if self.status not in (0, NO_TESTS):
            return text
        summary = text.rfind("= short test summary info =")
        return text[text.rfind("\n", 0, summary) + 1 :] if summary >= 0 else text.rpartition("\n")[2]


def main() -> int:
    """Run the tests; give the exit status."""
    options, arguments = parsed(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also SIGINT: a shell starts its background jobs with that one ignored.
        signal.signal(number, _as_ctrl_c)
    LOGS.mkdir(exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="influx-rollup-tests-", dir=parent_of_data(options.memory)))
    runs = _runs(options, base)
    try:
        for run, marks in zip(runs, marks_of_runs(options), strict=True):
            run.home.mkdir()
            run.start([*arguments, *(["-m", marks] if marks else [])], shown=len(runs) == 1)
        _wait(runs)
    except KeyboardInterrupt:
        print("interrupted; ending the tests and their servers", file=sys.stderr, flush=True)
        return 130
    except subprocess.CalledProcessError as error:
        print(f"no InfluxDB server, no tests: dev/influx ended with {error.returncode}", file=sys.stderr)
        return 1
    finally:
        # A second Ctrl-C must not leave a server behind; all of this takes at most 30 s.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for run in runs:
            run.interrupt()
        for run in runs:
            run.stop()
        shutil.rmtree(base, ignore_errors=True)
    return _conclude(runs)


def parent_of_data(limit: str | None, in_memory: Path = IN_MEMORY) -> Path | None:
    """Where servers and homes of Airflow have their data: in memory when there is room; None: where temporary files are.

    :param limit: what each server is held to; data in memory would count
    """
    has_room = os.access(in_memory, os.W_OK) and shutil.disk_usage(in_memory).free >= ROOM
    return in_memory if has_room and limit is None else None


def _runs(options: argparse.Namespace, base: Path) -> list[Run]:
    """One for each Airflow, and beside them one for what touches none."""
    flags = [] if options.profiled else list(UNPROFILED)
    if options.memory:
        flags = ["--memory", options.memory, *flags]
    made = [
        Run(f"Airflow {version}", options.venvs / f"airflow-{version}", base / version, server_flags=flags)
        for version in options.versions
    ]
    if options.no_airflow:
        environment = options.venvs / f"airflow-{options.no_airflow}"
        made.append(Run(NO_AIRFLOW, environment, base / "none", server_flags=flags, workers=WORKERS))
    return made


def marks_of_runs(options: argparse.Namespace) -> list[str]:
    """The ``-m`` of each run: with ``--no-airflow`` the lockfiles' versions need to run only what touches Airflow."""
    if not options.no_airflow:
        return [options.marks] * len(options.versions)
    asked = f"({options.marks}) and " if options.marks else ""
    return [*[f"{asked}airflow"] * len(options.versions), f"{asked}not airflow"]


def parsed(own: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the arguments of pytest without ``-m``, which is ``marks``; as in pytest, the last one counts."""
    at = own.index("--") if "--" in own else len(own)
    parser = argparse.ArgumentParser(description="Run pytest on one or both Airflows, and without.")
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="of Airflow: 3.3, 2.11, or executors")
    parser.add_argument(
        "--no-airflow",
        metavar="VERSION",
        choices=VERSIONS,
        help="run what touches no Airflow once, in this one's environment, and on each Airflow only the rest",
    )
    parser.add_argument("--venvs", type=Path, default=CHECKOUT / ".venvs")
    parser.add_argument("--profiled", action="store_true", help="let tests see what is at work in the server")
    parser.add_argument("--memory", help="hold each InfluxDB to so much memory, such as 2G")
    options = parser.parse_args(own[:at])
    if not {*options.versions} <= {*VERSIONS, EXECUTORS} or not (options.versions or options.no_airflow):
        parser.error(f"name a version of Airflow: {', '.join(VERSIONS)}")
    options.venvs = options.venvs.absolute()
    pytest_parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    pytest_parser.add_argument("-m", dest="marks", default="")
    _, arguments = pytest_parser.parse_known_args(own[at + 1 :], options)
    return options, arguments


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait(runs: list[Run]) -> None:
    processes = [run.process for run in runs if run.process is not None]
    reported = time.monotonic()
    while any(process.poll() is None for process in processes):
        time.sleep(0.2)
        if len(runs) > 1 and time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            elapsed = int(reported - runs[0].started)
            print(f"{elapsed:>5} s  " + "   ".join(run.progress() for run in runs), flush=True)


def _conclude(runs: list[Run]) -> int:
    if len(runs) > 1:
        for run in runs:
            print(f"\n----- {run.name} ({run.log.relative_to(CHECKOUT)})\n{run.report()}")
        print()
    statuses = [run.status for run in runs]
    for run in runs:
        print(f"{run.name}: {TOLD.get(run.status, f'FAILED (pytest exit status {run.status})')}")
    return 0 if all_right(statuses) else 1


def all_right(statuses: Sequence[int | None]) -> bool:
    """Whether every run passed: one may have none of the tests that were asked for, but not all of them."""
    return {*statuses} in ({0}, {0, NO_TESTS})


if __name__ == "__main__":
    sys.exit(main())
