"""Progress of windows: how many are done, how fast it goes, and how long it may take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from airflow_provider_influx_rollup.steps.influx import Progressed

#: what was done longer ago tells little about now
RECENT_SECONDS = 300.0
#: between two lines of a log
TELL_EVERY = 30.0


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
    per_minute: float
    lost: int = 0

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

    def text(self, what: str = "windows committed", lost_are: str = "frozen") -> str:
        """One line for people.

        :param what: what is done
        :param lost_are: why what is lost cannot be done
        """
        told = [f"{self.share:.0%}: {self.committed:,} {what}, {self.needed:,} to do"]
        if self.lost:
            told.append(f"{self.lost:,} {lost_are}")
        if self.needed:
            left = self.seconds_left
            told.append(f"{self.per_minute:,.1f} a minute")
            told.append("time left unknown" if left is None else f"{timedelta(seconds=round(left))} left")
        return ", ".join(told)


class ProgressMeter:
    """Looks at the same windows again and again."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, seconds: float, committed: int, needed: int, lost: int = 0) -> Progress:
        """Take one look.

        :param seconds: of a clock that never goes back
        :param committed: windows that are done
        :param needed: windows that are to be done
        :param lost: windows that cannot be done any more
        """
        self._looks.append((seconds, committed))
        while len(self._looks) > 2 and self._looks[1][0] <= seconds - RECENT_SECONDS:
            self._looks.popleft()
        then, before = self._looks[0]
        per_minute = 60 * (committed - before) / (seconds - then) if seconds > then else 0.0
        return Progress(
            committed=committed,
            needed=needed,
            lost=lost,
            per_minute=max(0.0, per_minute),
        )


@dataclass(slots=True)
class _Part:
    """One part of a run, such as the windows of a tier.

    :param told: when the log heard of it last
    """

    total: int
    done: int
    told: float
    meter: ProgressMeter = field(default_factory=ProgressMeter)


class Pace:
    """What the log of a run hears of its progress: a line now and then, none when the run is short.

    Parts may be inside others, such as the windows of one pipeline of several: each is told of by itself.
    """

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}

    def line(self, step: Progressed, seconds: float) -> str | None:
        """The line for the log; None when the last one is young, and when all is done.

        :param step: how far it is
        :param seconds: of a clock that never goes back
        """
        if step.total < 2:
            # one thing is done or it is not
            return None
        to_do = max(0, step.total - step.done - step.refused)
        part = self._parts.get(step.message)
        if part is None or part.total != step.total or step.done < part.done:
            # another part of the run, such as the next tier, or another round
            part = self._parts[step.message] = _Part(step.total, step.done, seconds)
            part.meter.look(seconds, step.done, to_do, step.refused)
            return None
        part.done = step.done
        if not to_do or seconds - part.told < TELL_EVERY:
            return None
        part.told = seconds
        return part.meter.look(seconds, step.done, to_do, step.refused).text(step.message, "refused")
