"""Drive many verbs, a few at a time, blocking or async: no thread of the others waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any

from airflow_provider_influx_rollup.client.abandonment import Abandonment, giving_up_after
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.steps.many import MOST_AT_ONCE, RunMany
from airflow_provider_influx_rollup.steps.step import Steps

DriveOne = Callable[[Steps[Any]], Any]
Submit = Callable[[Callable[[], Any]], Any]


class _Rolling:
    """The verbs of a step: which run, and what became of the others.

    :param step: which verbs
    :param drive_one: drives one verb to its end
    :param submit: begins something in a thread, and returns its future
    """

    def __init__(self, step: RunMany[Any], drive_one: DriveOne, submit: Submit) -> None:
        self._step = step
        self._drive_one = drive_one
        self._submit = submit
        self._abandoned = Abandonment()
        self._waiting = iter(enumerate(step.verbs))
        self._is_enough = False
        self._running: dict[Any, int] = {}
        self.outcomes: list[Any] = [None] * len(step.verbs)

    def running(self) -> list[Any]:
        """The futures of those that run, after others were begun where there is a place."""
        while not self._is_enough and len(self._running) < self._step.at_once:
            number, verb = next(self._waiting, (0, None))
            if verb is None:
                break
            future = self._submit(partial(copy_context().run, self._run, verb))
            self._running[future] = number
        return list(self._running)

    def _run(self, verb: Callable[[], Steps[Any]]) -> Any:
        with giving_up_after(self._abandoned):
            try:
                return self._drive_one(verb())
            except InfluxRollupError as error:
                return error

    def take(self, ended: set[Any]) -> None:
        """Keep what became of some.

        :param ended: their futures
        """
        for future in ended:
            outcome = self.outcomes[self._running.pop(future)] = future.result()
            self._is_enough = self._step.enough(outcome) or self._is_enough

    def abandon(self) -> None:
        """Nobody waits any more: end the requests of those that run."""
        self._abandoned.set()
        for future in self._running:
            future.cancel()


def run_many(step: RunMany[Any], drive_one: DriveOne) -> list[Any]:
    """Act the step out, and wait for it.

    :param drive_one: drives one verb to its end
    """
    rolling = _Rolling(step, drive_one, threads().submit)
    try:
        while running := rolling.running():
            rolling.take(wait(running, return_when=FIRST_COMPLETED).done)
    finally:
        rolling.abandon()
    return rolling.outcomes


async def arun_many(step: RunMany[Any], drive_one: DriveOne) -> list[Any]:
    """Act the step out without blocking the event loop, nor holding one of the threads of other verbs.

    :param drive_one: drives one verb to its end
    """
    loop = asyncio.get_running_loop()
    rolling = _Rolling(step, drive_one, lambda acting: loop.run_in_executor(threads(), acting))
    try:
        while running := rolling.running():
            rolling.take((await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))[0])
    finally:
        rolling.abandon()
    return rolling.outcomes


@lru_cache(maxsize=1)
def threads() -> ThreadPoolExecutor:
    """Threads of the many verbs of all tasks of this process together."""
    return ThreadPoolExecutor(max_workers=MOST_AT_ONCE, thread_name_prefix="influx-rollup-many")
