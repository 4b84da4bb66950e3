"""What the demo prints: phases with elapsed time, progress, tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[int, int], None]


class DemoConsole:
    """Prints the phases of the demo."""

    def __init__(self) -> None:
        self.rich = Console(highlight=False)
        self.began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def say(self, text: str) -> None:
        """One line with the elapsed time before it."""
        self.rich.print(f"[dim]{self.elapsed:6.1f} s[/]  {text}")

    @contextmanager
    def progress(self, title: str) -> Iterator[Advance]:
        """Show a bar while a phase runs; call what it gives with (done, total)."""
        columns = (
            TextColumn("          {task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.rich, transient=True) as bars:
            bar = bars.add_task(title, total=None)
            yield lambda done, total: bars.update(bar, completed=done, total=total)
