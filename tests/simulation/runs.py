"""A run of a verb, or a writer, whose steps are acted out one by one, rightly or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, InfluxUnavailable
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Report, Sleep, Write
from tests.simulation.world import World

#: what may become of a step: nothing is done; it is done, and the answer is an error; it is done twice
FAILS, LOST, TWICE = "f", "l", "d"


@dataclass
class Act:
    """A step of a writer.

    :param text: for people
    """

    text: str
    do: Callable[[World], None]


class Run:
    """One run.

    :param make: its steps; called when it begins
    :param end: how it ended: "" while it has not, "ok", "died", or its error
    """

    def __init__(self, world: World, name: str, make: Callable[[], Any]) -> None:
        self.world, self.name, self.make = world, name, make
        self.end = ""
        self.error: InfluxRollupError | None = None
        self.pending: Any = None
        self.result: Any = None
        self.version = 0
        self._steps: Any = None
        self._answers: dict[int, Any] = {}
        self._open: list[int] = []
        self._failed: Exception | None = None

    def advance(self, part: int = 0, fate: str = "") -> str:
        """Act the next step out, or a part of it; what was done, for people."""
        if self._steps is None:
            self.version = len(self.world.history) - 1
            self._steps = self.make()
            self._go_on(lambda: next(self._steps))
            return "begins"
        step = self.pending
        if not isinstance(step, Gather):
            answer, error = self._act(step, fate)
            self._answer(answer, error)
            return told(step, fate)
        number = self._open.pop(part % len(self._open))
        self._answers[number], error = self._act(step.steps[number], fate)
        self._failed = self._failed or error
        if not self._open:
            self._answer([self._answers[one] for one in range(len(step.steps))], self._failed)
        return told(step.steps[number], fate)

    def finish(self) -> None:
        """Act out all that is left, rightly."""
        while not self.end:
            self.advance()

    def die(self) -> None:
        """Never act another step out."""
        if self._steps is not None:
            self._steps.close()
        self.end = "died"

    def _act(self, step: Any, fate: str) -> tuple[Any, Exception | None]:
        if isinstance(step, Report):
            return None, None
        if isinstance(step, Sleep):
            self.world.sleep(step.seconds)
            return None, None
        if isinstance(step, Act):
            step.do(self.world)
            return None, None
        if fate == FAILS:
            return None, unavailable()
        try:
            answer = self.world.influx.act(step)
            if fate == TWICE and isinstance(step, Write | Delete):
                answer = self.world.influx.act(step)
        except InfluxRollupError as error:
            return None, error
        if isinstance(step, Write) and step.bucket == "ledger":
            self.world.look_at_ledger(self.version)
        return (None, unavailable()) if fate == LOST else (answer, None)

    def _answer(self, answer: Any, error: Exception | None) -> None:
        self._go_on(lambda: self._steps.throw(error) if error is not None else self._steps.send(answer))

    def _go_on(self, step: Callable[[], Any]) -> None:
        try:
            self.pending = step()
            while isinstance(self.pending, Gather) and not self.pending.steps:
                self.pending = self._steps.send([])
        except StopIteration as ended:
            self.end, self.result = "ok", ended.value
            return
        except InfluxRollupError as error:
            self.end, self.error = f"{type(error).__name__}: {error.what[:160]}", error
            return
        if isinstance(self.pending, Gather):
            self._answers, self._open, self._failed = {}, list(range(len(self.pending.steps))), None


def unavailable() -> InfluxUnavailable:
    """What the client says when it has tried long enough."""
    what = "no answer from the simulated server"
    return InfluxUnavailable(what)


def told(step: Any, fate: str) -> str:
    """A step in few words."""
    text = step.text if isinstance(step, Act) else type(step).__name__
    if isinstance(step, Write):
        lines = list(step.lines)
        kinds = sorted({line.split(",")[0].split(" ")[0] for line in lines})
        text = f"Write {len(lines)} lines ({', '.join(kinds)}) to {step.bucket}"
    elif isinstance(step, Delete):
        text = f"Delete {step.measurement} {dict(step.tags)} in {step.interval} of {step.bucket}"
    elif isinstance(step, Report):
        text = f"Report: {step.message[:100]}"
    suffix = {"": "", FAILS: " FAILS", LOST: " is done, ITS ANSWER IS LOST", TWICE: " is done TWICE"}
    return text + suffix[fate]
