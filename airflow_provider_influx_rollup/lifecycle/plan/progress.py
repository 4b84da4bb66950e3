"""Progress of windows: how many are done, how fast it goes, and how long it may take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.plan.coverage import CoverageResult, WindowState

#: what was done longer ago tells little about now
RECENT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look at the windows of pipelines.

    :param committed: windows that are done
    :param needed: windows that a run has to do and can do
    :param lost: windows that cannot be done any more
    :param per_minute: how many were committed in a minute lately; 0 when none was
    """

    committed: int
    needed: int
    lost: int
    per_minute: float

    @property
    def share(self) -> float:
        """Which part of what can be done is done."""
        possible = self.committed + self.needed
        return self.committed / possible if possible else 1.0

    @property
    def seconds_left(self) -> float | None:
        """How long it takes at this rate; None when that is unknown."""
        if not self.needed:
            return 0.0
        return 60 * self.needed / self.per_minute if self.per_minute > 0 else None


class ProgressMeter:
    """Looks at the same windows again and again."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, seconds: float, found: list[CoverageResult]) -> Progress:
        """Take one look.

        :param seconds: of a clock that never goes back
        :param found: the coverage of each pipeline
        """
        committed = sum(len(one.in_states(WindowState.COMMITTED)) for one in found)
        self._looks.append((seconds, committed))
        while len(self._looks) > 2 and self._looks[1][0] <= seconds - RECENT_SECONDS:
            self._looks.popleft()
        then, before = self._looks[0]
        per_minute = 60 * (committed - before) / (seconds - then) if seconds > then else 0.0
        return Progress(
            committed=committed,
            needed=sum(len(one.needed) for one in found),
            lost=sum(len(one.in_states(WindowState.FROZEN)) for one in found),
            per_minute=max(0.0, per_minute),
        )
