"""Drives a verb by answers that a test has written, one for each step, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from airflow_provider_influx_rollup.steps.step import Step, Steps

Result = TypeVar("Result")
Answers = Sequence[tuple[type[Step[Any]], Any]]


@dataclass
class Script(Generic[Result]):
    """A verb, and what each of its steps is answered.

    :param verb: what is driven
    :param answers: the type that each step must have, and its answer; an exception is thrown into the verb
    :param asked: the steps that the verb has yielded
    """

    verb: Steps[Result]
    answers: Answers
    asked: list[Step[Any]] = field(default_factory=list)

    def run(self) -> Result:
        """Drive the verb to its end.

        :raises AssertionError: when it asks another step than the script has, more of them, or fewer
        :raises Exception: what the verb raises; ``asked`` then ends with the last step that it had asked
        """
        answers = iter(self.answers)
        answer: Any = None
        while True:
            try:
                if isinstance(answer, BaseException):
                    step = self.verb.throw(answer)
                else:
                    step = self.verb.send(answer)
            except StopIteration as end:
                left = [kind.__name__ for kind, _ in answers]
                assert not left, f"the verb ended without {left}"
                result: Result = end.value
                return result
            self.asked.append(step)
            kind, answer = next(answers, (None, None))
            assert kind is not None, f"the script is at its end, and the verb asks {step}"
            assert isinstance(step, kind), f"{kind.__name__} was to be asked, not {step}"
