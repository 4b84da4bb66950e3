"""Child processes that never outlive this one."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import psutil

GRACE_SECONDS = 8.0
SET_PARENT_DEATH_SIGNAL = 1
POLL_SECONDS = 0.2
# proc(5): stopped, traced, zombie, dead
GONE_OR_STOPPED = frozenset("TtZXx")


class PortInUse(RuntimeError):
    """None of the ports is free."""


class ProcessFailed(RuntimeError):
    """A process ended, or a condition did not come true in time; the message has the end of its log."""


def free_port(candidates: Iterable[int] = ()) -> int:
    """First free loopback port of the candidates; without candidates, any free port.

    :raises PortInUse: when none of the candidates is free
    """
    ports = list(candidates)
    for port in ports or [0]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    message = f"ports {ports} on 127.0.0.1 are all in use; end what listens there or give another port"
    raise PortInUse(message)


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait until a condition is true.

    :param seconds: after how long to give up
    :param what: what is waited for, for the message
    :return: seconds waited
    :raises ProcessFailed: when the time is over
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            message = f"gave up after {seconds:.0f} s: {what}"
            raise ProcessFailed(message)
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def tail(path: Path, lines: int = 30) -> str:
    """The last lines of a log; empty when there is no such file."""
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def exit_on_terminate() -> None:
    """Make SIGTERM and SIGHUP end this process as Ctrl-C does, so that ``finally`` and ``atexit`` run."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


class Processes:
    """Starts processes, each in a session of its own, and ends all of them with all that they started.

    :param logs: directory of one log file per process
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._owner = os.getpid()
        atexit.register(self.stop)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start a process; its output goes to ``<logs>/<name>.log``.

        Call it in a thread that lives as long as the process should: Linux ends the one with the other.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                argv,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # one system call, no locks
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )

    def log(self, name: str) -> Path:
        """Log file of a process."""
        return self.logs / f"{name}.log"

    def check(self) -> None:
        """Make sure that all are still running.

        :raises ProcessFailed: when one has ended, with the end of its log
        """
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                message = (
                    f"{name} ended with code {code}; the end of {self.log(name)}:\n{tail(self.log(name))}"
                )
                raise ProcessFailed(message)

    def wait(self, name: str) -> int:
        """Wait for the end of a process and forget it; its exit code."""
        code = self._running[name].wait()
        self.stop([name])
        return code

    def family(self, name: str) -> set[psutil.Process]:
        """A process that was started, and all that it has started."""
        return _family(self._running[name].pid)

    def kill(self, name: str, *, alone: bool = False) -> int:
        """Kill a process and all that it has started at once, as when their machine is gone, and forget it; how many they were.

        :param alone: what it has started goes on
        """
        members = {psutil.Process(self._running[name].pid)} if alone else self.family(name)
        leader = self._running.pop(name)
        _signal(members, signal.SIGKILL)
        leader.wait()
        return len(members)

    def running(self, name: str) -> bool:
        """Whether a process was started and has not ended yet."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    @contextlib.contextmanager
    def suspended(self, at: Callable[[], bool]) -> Iterator[None]:
        """Hold all processes, and all that they started, until the block has ended.

        :param at: whether this is a moment to hold them at; asked while they are held, again when they went on
        :raises ProcessFailed: when there is no such moment in a minute
        """
        members: set[psutil.Process] = set()

        def held_well() -> bool:
            if self._hold(members) and at():
                return True
            _signal(members, signal.SIGCONT)
            return False

        try:
            wait_until(held_well, seconds=60, what="a moment to hold the processes at")
            yield
        finally:
            _signal(members, signal.SIGCONT)

    def _hold(self, members: set[psutil.Process]) -> bool:
        """Stop all processes and add them to the members; whether all stand within a second."""
        until = time.monotonic() + 1
        while time.monotonic() < until:
            known = len(members)
            # what one of them starts before it stands goes on by itself: there is nothing new once all stand
            members.update(*(_family(process.pid) for process in self._running.values()))
            _signal(members, signal.SIGSTOP)
            if known == len(members) and all(map(_stands, members)):
                return True
            time.sleep(0.01)
        return False

    def stop(self, names: Iterable[str] | None = None) -> None:
        """End the named processes (default: all) and all that they started; twice is fine."""
        if os.getpid() != self._owner:
            return  # a fork of ours inherits the atexit entry, not the processes
        chosen = list(self._running) if names is None else [n for n in names if n in self._running]
        leaders = [leader for name in chosen if (leader := self._running.pop(name, None))]
        families = {member for leader in leaders for member in _family(leader.pid)}
        for leader in leaders:
            _signal_session(leader, signal.SIGTERM)
        _, alive = psutil.wait_procs(families, timeout=GRACE_SECONDS)
        # what a leader started while it was ending is found by its session
        late = {member for leader in leaders for member in _family(leader.pid)}
        for member in {*alive, *late}:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs({*alive, *late}, timeout=GRACE_SECONDS)
        for leader in leaders:
            leader.wait()


def _end_with_parent() -> None:
    """Have Linux end the child when this process is killed in a way that runs no Python any more."""
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _family(leader: int) -> set[psutil.Process]:
    """The leader, its descendants and the members of its session (a daemon's orphans have no parent)."""
    family: set[psutil.Process] = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(leader)
        family |= {process, *process.children(recursive=True)}
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == leader:
                family.add(psutil.Process(pid))
    return family


def _signal(members: Iterable[psutil.Process], number: int) -> None:
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(number)


def _stands(process: psutil.Process) -> bool:
    """Whether every thread of a process has stopped, or the process is gone: a signal takes a moment to arrive."""
    try:
        threads = [thread.read_text() for thread in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        return not process.is_running()
    return all(thread.rpartition(")")[2].split()[0] in GONE_OR_STOPPED for thread in threads)


def _signal_session(leader: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)
