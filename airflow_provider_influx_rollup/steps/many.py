"""Many independent verbs, a few of them at a time, as one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.step import Answer, Change
from airflow_provider_influx_rollup.steps.step import Steps

#: of all the verbs of one process together, however many tasks it has
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMany(Change["list[Answer | InfluxRollupError | None]"]):
    """Run independent verbs; the result is for each, in order, what it returned, its error, or None when it was not begun.

    Of what they report only warnings are told, as there may be thousands of them. An error that is not of this package ends
    the step. A ``RunMany`` inside another one would wait for its own place.

    :param verbs: each makes a verb, when its turn comes
    :param at_once: how many run at a time, 1 to 8
    :param enough: told what became of each as it ends; once it says yes, no other is begun, and those that run come to their end
    """

    verbs: tuple[Callable[[], Steps[Answer]], ...]
    at_once: int
    enough: Callable[[Answer | InfluxRollupError], bool]
