"""Drive a verb: act out the steps it yields, blocking or async, by the same table."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_influx_rollup.client import many_runs
from airflow_provider_influx_rollup.client.abandonment import Abandonment, giving_up_after
from airflow_provider_influx_rollup.client.task_actions import TASK_ACTIONS
from airflow_provider_influx_rollup.client.tracing import WindowSpans, step_span
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, QueryFailed
from airflow_provider_influx_rollup.flux.bucket_ids import with_empty_list, without_list
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.query import ArrowQuery, DigestQuery, RowsQuery
from airflow_provider_influx_rollup.flux.write_points import FluxPoint, write_queries
from airflow_provider_influx_rollup.rejections import organization_without_list
from airflow_provider_influx_rollup.step import Step
from airflow_provider_influx_rollup.steps.current_window import working_on
from airflow_provider_influx_rollup.steps.influx import (
    ApplyBucket,
    CheckWritable,
    Delete,
    EnsureBucket,
    FindBucket,
    FindBucketById,
    Gather,
    LookAtBucket,
    ParseScript,
    Progressed,
    Query,
    Report,
    ShowKeys,
    Sleep,
    Write,
)
from airflow_provider_influx_rollup.steps.many import RunMany
from airflow_provider_influx_rollup.steps.progress import Pace
from airflow_provider_influx_rollup.steps.step import Steps

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

Result = TypeVar("Result")
Reporter = Callable[[Report], None]
Actions = Mapping[type[Any], Callable[["InfluxClient", Any], Any]]

MAX_THREADS = 8
# what an error says was written that does not say itself, when no step before it could
NOTHING = "nothing"


def _rows(client: InfluxClient, query: RowsQuery[Any]) -> Any:
    rest = without_list(query)
    if rest is None:
        return _read(client, query)
    if client.buckets.are_listed:
        try:
            return _read(client, query)
        except QueryFailed as error:
            if organization_without_list(error) is None:
                raise
            client.buckets.are_listed = False
    return with_empty_list(query, _read(client, rest))


def _read(client: InfluxClient, query: RowsQuery[Any]) -> Any:
    rows = client.query_rows(query.flux(), as_sent=query.as_sent, keeps_bytes=query.keeps_bytes, is_own=True)
    return query.read(rows)


#: the action of a step is that of the first of its classes
ACTIONS: Actions = {
    RowsQuery: _rows,
    ArrowQuery: lambda client, query: query.read(client.query_arrow(query.flux(), is_own=True)),
    DigestQuery: lambda client, query: client.query_digest(query.flux()),
    Query: lambda client, step: client.query_rows(
        step.flux,
        extern=step.extern,
        now=step.now,
        as_sent=step.as_sent,
        keeps_bytes=step.keeps_bytes,
        is_own=step.extern is None,
    ),
    ParseScript: lambda client, step: client.parse_script(step.flux),
    Write: lambda client, step: _write(client, step.bucket, step.lines, step.points),
    Delete: lambda client, step: client.delete(
        step.bucket, step.interval, delete_predicate(step.measurement, step.tags), step.lacking
    ),
    CheckWritable: lambda client, step: client.check_writable(step.bucket),
    ShowKeys: lambda client, step: client.source_keys(step.bucket, step.measurement),
    FindBucket: lambda client, step: client.find_bucket(step.name),
    FindBucketById: lambda client, step: client.buckets.of_id(step.id),
    EnsureBucket: lambda client, step: client.ensure_bucket(step.name, step.retention_seconds),
    LookAtBucket: lambda client, step: client.buckets.look(step.name),
    ApplyBucket: lambda client, step: client.buckets.apply(step),
    Sleep: lambda _client, step: time.sleep(step.seconds),
    **TASK_ACTIONS,
}


def _write(client: InfluxClient, bucket: str, lines: Iterable[str], points: Iterable[FluxPoint]) -> None:
    client.write_lines(bucket, lines)
    for flux, _ in write_queries(bucket, points):
        client.execute(flux)


class _Run(Generic[Result]):
    """A running verb: iterates over its steps; each is answered before the next.

    :param steps: the verb
    """

    def __init__(self, steps: Steps[Result]) -> None:
        self._steps = steps
        self._error: Exception | None = None
        self._may_have_written = False
        self.windows = WindowSpans()
        self._pace = Pace()
        self.answer: Any = None
        self.result: Result

    def __iter__(self) -> Iterator[Step[Any]]:
        # a verb that nobody closed has left its window behind in this thread
        with working_on(None):
            try:
                while True:
                    answer, error = self.answer, self._error
                    self.answer = self._error = None
                    step = self._steps.send(answer) if error is None else self._steps.throw(error)
                    self.windows.follow()
                    self._may_have_written |= step.may_write
                    yield step
            except StopIteration as end:
                self.result = end.value
            except InfluxRollupError as error:
                if not self._may_have_written:
                    error.written = error.written or NOTHING
                raise
            finally:
                self.windows.end()

    def report(self, step: Report, report: Reporter) -> None:
        """Tell people what a verb tells, of its progress a line now and then."""
        if not isinstance(step, Progressed):
            report(step)
        elif line := self._pace.line(step, time.monotonic()):
            report(Report(line))

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Act a step out in here; its error is thrown into the verb, and comes out unless it is caught there."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- the verb decides
            self._error = error


def drive(steps: Steps[Result], client: InfluxClient, report: Reporter, actions: Actions = ACTIONS) -> Result:
    """Run a verb to its end and return its result.

    An error of a step is thrown into the verb, which may react; what it does not catch comes out here.

    :param report: called with each ``Report``
    :param actions: how each step is acted out; verbs that keep files need more than the client's
    """
    run = _Run(steps)
    with closing(steps):
        for step in run:
            with run.answering():
                if isinstance(step, Report):
                    run.report(step, report)
                elif isinstance(step, RunMany):
                    run.answer = many_runs.run_many(step, _driving_one(client, report, actions))
                else:
                    run.answer = act(step, client, actions)
    return run.result


async def adrive(
    steps: Steps[Result], client: InfluxClient, report: Reporter, actions: Actions = ACTIONS
) -> Result:
    """Run a verb like ``drive`` without blocking the event loop: each step runs in one of a few threads.

    When the task is cancelled the verb is closed. A step that waits for a thread is dropped; the request of one that runs
    is ended, and the server cancels its query: it sends no other request and tries none again.

    :param report: called in the event loop's thread with each ``Report``
    :param actions: how each step is acted out
    """
    run = _Run(steps)
    loop = asyncio.get_running_loop()
    abandoned = Abandonment()
    try:
        for step in run:
            with run.answering():
                if isinstance(step, Report):
                    run.report(step, report)
                elif isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, RunMany):
                    run.answer = await many_runs.arun_many(step, _driving_one(client, report, actions))
                else:
                    # in a copy of what is set here, such as whose requests are counted
                    acting = partial(copy_context().run, _act_until, abandoned, step, client, actions)
                    run.answer = await loop.run_in_executor(_threads(), acting)
    finally:
        abandoned.set()
        run.windows.end()
        steps.close()
    return run.result


def _driving_one(client: InfluxClient, report: Reporter, actions: Actions) -> many_runs.DriveOne:
    """Drives one verb of many, of whose reports people are told the warnings."""

    def warn(told: Report) -> None:
        if told.level == "warning":
            report(told)

    return lambda steps: drive(steps, client, warn, actions)


def _act_until(abandoned: Abandonment, step: Step[Any], client: InfluxClient, actions: Actions) -> Any:
    with giving_up_after(abandoned):
        return act(step, client, actions)


def act(step: Step[Any], client: InfluxClient, actions: Actions = ACTIONS) -> Any:
    """Act one step out and return its result.

    :raises TypeError: when the step is of no known type
    """
    return _gather(step, client, actions) if isinstance(step, Gather) else _act_alone(step, client, actions)


def _act_alone(step: Step[Any], client: InfluxClient, actions: Actions) -> Any:
    action = next((actions[kind] for kind in type(step).__mro__ if kind in actions), None)
    if action is None:
        message = f"{type(step).__name__} is not a step that this driver knows"
        raise TypeError(message)
    with step_span(step):
        return action(client, step)


def _gather(step: Gather[Any], client: InfluxClient, actions: Actions) -> list[Any]:
    """Act independent steps out at the same time; all of them end before the first error is raised.

    A Gather inside a Gather is refused: waiting in these threads for these threads could last forever.
    """
    # each in its own copy of what this thread has set, such as when to give up
    futures = [
        _gather_threads().submit(copy_context().run, _act_alone, inner, client, actions)
        for inner in step.steps
    ]
    wait(futures)
    return [future.result() for future in futures]


@lru_cache(maxsize=1)
def _gather_threads() -> ThreadPoolExecutor:
    """Apart from the threads of the async driver, which would wait for these and could use them up."""
    return ThreadPoolExecutor(max_workers=MAX_THREADS, thread_name_prefix="influx-rollup-gather")


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    """Threads of all verbs of this process together, so that many triggers do not make many threads."""
    return ThreadPoolExecutor(max_workers=MAX_THREADS, thread_name_prefix="influx-rollup")


def _forget_threads() -> None:
    """A forked child has the pools but not their threads, and would wait forever."""
    _gather_threads.cache_clear()
    _threads.cache_clear()
    many_runs.threads.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
