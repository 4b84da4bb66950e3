"""A line that shows that something long still goes on."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType


def say(message: str) -> None:
    """Tell the person; standard output is kept for the INFLUX_ lines."""
    print(message, file=sys.stderr, flush=True)


class Progress:
    """Elapsed seconds and the current step: each second on a terminal, every 15 seconds otherwise."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.step = "starting"
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        end = "\r\033[K" if self._terminal else ""
        outcome = "done" if error is None else "stopped"
        print(f"{end}{self.title}: {outcome} after {self._elapsed()} s", file=sys.stderr, flush=True)

    def _elapsed(self) -> int:
        return int(time.monotonic() - self._started)

    def _show(self) -> None:
        interval = 1 if self._terminal else 15
        start, end = ("\r\033[K", "") if self._terminal else ("", "\n")
        while True:
            line = f"{self.title}: {self._elapsed()} s, {self.step}"
            print(f"{start}{line[:110]}", end=end, file=sys.stderr, flush=True)
            if self._ended.wait(interval):
                return
