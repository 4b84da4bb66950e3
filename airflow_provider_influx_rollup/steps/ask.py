"""Ask the driver for the answer of a step, with its type; a bare ``yield`` would be ``Any``."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from airflow_provider_influx_rollup.step import Step
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.steps.step import Steps

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def ask(step: Step[A]) -> Steps[A]:
    """Yield a step, and return what the driver sends back.

    :raises Exception: the error of the step, which the driver throws in here
    """
    answer: A = yield step
    return answer


@overload
def gather(first: Step[A], second: Step[B], /) -> Steps[tuple[A, B]]: ...
@overload
def gather(first: Step[A], second: Step[B], third: Step[C], /) -> Steps[tuple[A, B, C]]: ...
@overload
def gather(*steps: Step[A]) -> Steps[tuple[A, ...]]: ...
def gather(*steps: Step[Any]) -> Steps[Any]:
    """Yield steps that do not depend on each other, to be acted out at the same time; return their answers, in order.

    :raises Exception: the first error, after all the steps have ended
    """
    return tuple((yield Gather(steps)))
