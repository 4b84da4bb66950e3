"""A run of a verb whose steps are acted out one by one; those that a Gather has in it in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.steps.influx import Gather


class SteppedRun:
    """One run.

    :param pending: the step that is to be acted out; a Gather stays until all that it has in it is done
    :param waiting: numbers of the steps of a Gather that are to be acted out
    :param end: how it ended: "" while it has not, "ok", "died", or its error
    """

    def __init__(self) -> None:
        self.pending: Any = None
        self.waiting: list[int] = []
        self.end = ""
        self.error: InfluxRollupError | None = None
        self.result: Any = None
        self._steps: Any = None
        self._answers: dict[int, Any] = {}
        self._failed: Exception | None = None

    def begin(self, steps: Any) -> None:
        """Come to the first step."""
        self._steps = steps
        self._go_on(lambda: next(steps))

    def die(self) -> None:
        """Never act another step out."""
        if self._steps is not None:
            self._steps.close()
        self.end = "died"

    def answer(self, answer: Any, error: Exception | None) -> None:
        """The step is acted out: come to the next one."""
        self._go_on(lambda: self._steps.throw(error) if error is not None else self._steps.send(answer))

    def answer_part(self, number: int, answer: Any, error: Exception | None) -> None:
        """One step of a Gather is acted out; the verb hears of it with the last one."""
        self.waiting.remove(number)
        self._answers[number] = answer
        self._failed = self._failed or error
        if not self.waiting:
            self.answer([self._answers[one] for one in range(len(self._answers))], self._failed)

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
            self._answers, self.waiting, self._failed = {}, list(range(len(self.pending.steps))), None
