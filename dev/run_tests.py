"""Runs pytest on one or both Airflows, each with its own InfluxDB server and its own AIRFLOW_HOME.

    python dev/run_tests.py 3.3 2.11 -- -m "not slow"

The servers end with the run, also after Ctrl-C. The exit status is 0 only when every run passed and had tests.
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
from pathlib import Path
from types import FrameType

CHECKOUT = Path(__file__).resolve().parent.parent
LOGS = CHECKOUT / ".test-logs"
INFLUX = [sys.executable, str(CHECKOUT / "dev" / "influx")]
REPORT_SECONDS = 30
# a fifth less CPU for the many short queries of tests: fewer collections of garbage, no profiles
QUICKER = {"GOGC": "400"}
UNPROFILED = ["--", "--pprof-disabled"]
PERCENT = re.compile(r"\[ *(\d+)%\]")


class Run:
    """The tests on one Airflow, or those that touch none."""

    def __init__(self, name: str, environment: Path, home: Path, server_flags: list[str]) -> None:
        self.name = name
        self.server_flags = server_flags
        self.python = environment / "bin" / "python"
        self.home = home
        self.log = LOGS / f"{name.lower().replace(' ', '-')}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = time.monotonic()

    def start(self, arguments: list[str], *, shown: bool) -> None:
        """Start the server and pytest; pytest writes to the terminal when shown, else to the log."""
        variables = {**self._environment(), **self._server()}
        command = [
            str(self.python),
            "-m",
            "pytest",
            "-o",
            f"cache_dir={self.home / 'pytest_cache'}",
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
        return {
            **os.environ,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def _server(self) -> dict[str, str]:
        command = [
            *INFLUX,
            "start",
            "--port",
            "0",
            "--data-dir",
            str(self.home / "influx"),
            *self.server_flags,
        ]
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
        """Wait for pytest, which was asked to end, and end the server."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        subprocess.run(
            [*INFLUX, "stop", "--data-dir", str(self.home / "influx")], check=False, capture_output=True
        )

    @property
    def passed(self) -> bool:
        """Whether pytest ended with 0; no tests at all is a failure too."""
        return self.process is not None and self.process.returncode == 0

    def report(self) -> str:
        """Give what a reader wants: the whole log of a failure, the short summary of a success."""
        text = self.log.read_text(errors="replace").rstrip()
        if not self.passed:
            return text
        summary = text.rfind("= short test summary info =")
        return text[text.rfind("\n", 0, summary) + 1 :] if summary >= 0 else text.rpartition("\n")[2]


def main() -> int:
    """Run the tests; give the exit status."""
    options, arguments = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also SIGINT: a shell starts its background jobs with that one ignored.
        signal.signal(number, _as_ctrl_c)
    LOGS.mkdir(exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="influx-rollup-tests-"))
    runs = _runs(options, base)
    try:
        for number, run in enumerate(runs, start=1):
            run.home.mkdir()
            # the lockfiles differ in Airflow only: what touches none is run once
            run.start([f"--share={number}/{len(runs)}", *arguments], shown=len(runs) == 1)
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


def _runs(options: argparse.Namespace, base: Path) -> list[Run]:
    """One for each Airflow; beside two of them a third one, for what touches no Airflow."""
    flags = [] if options.profiled else list(UNPROFILED)
    if options.memory:
        flags = ["--memory", options.memory, *flags]
    made = [
        Run(f"Airflow {version}", options.venvs / f"airflow-{version}", base / version, flags)
        for version in options.versions
    ]
    if len(made) > 1:
        environment = options.venvs / f"airflow-{options.versions[0]}"
        made.append(Run("no Airflow", environment, base / "none", flags))
    return made


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    own = sys.argv[1:]
    at = own.index("--") if "--" in own else len(own)
    parser = argparse.ArgumentParser(description="Run pytest on one or both Airflows.")
    parser.add_argument("versions", nargs="+", choices=["3.3", "2.11"])
    parser.add_argument("--venvs", type=Path, default=CHECKOUT / ".venvs")
    parser.add_argument("--profiled", action="store_true", help="let tests see what is at work in the server")
    parser.add_argument("--memory", help="hold each InfluxDB to so much memory, such as 2G")
    options = parser.parse_args(own[:at])
    options.venvs = options.venvs.absolute()
    return options, own[at + 1 :]


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
    for run in runs:
        status = run.process.returncode if run.process is not None else None
        print(f"{run.name}: {'passed' if run.passed else f'FAILED (pytest exit status {status})'}")
    return 0 if all(run.passed for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
