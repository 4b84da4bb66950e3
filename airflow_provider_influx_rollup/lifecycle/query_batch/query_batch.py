"""Ask many questions, a few at a time: answers are kept whatever becomes of the others, and failures are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from airflow_provider_influx_rollup.lifecycle.query.query import QueryAnswer, run_query
from airflow_provider_influx_rollup.lifecycle.query_batch.batch_result import BatchResult
from airflow_provider_influx_rollup.lifecycle.query_batch.enough import Enough
from airflow_provider_influx_rollup.lifecycle.query_batch.spec import FAIL_FAST, QueryBatchSpec, Question
from airflow_provider_influx_rollup.lifecycle.run.window_errors import about_window
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.many import RunMany
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

#: questions for each that runs at a time, before what came is cut to what is small: the rest of a block waits for its slowest
IN_A_BLOCK = 16


def run_queries(spec: QueryBatchSpec, interval: Interval) -> Steps[BatchResult]:
    """Ask every question of a batch.

    What failed for a reason that may pass is asked once more at the end, one after another: a query that had too little
    memory beside others may have enough alone. No error of a question comes out; the result has them.

    :param interval: of the run
    :raises WindowMisaligned: when the windows do not tile it
    """
    result = BatchResult(window=interval, questions=spec.questions(interval))
    fails_fast = spec.on_query_error == FAIL_FAST
    yield from _ask_all(result, range(len(result.questions)), spec.max_parallel, fails_fast=fails_fast)
    again = [number for number, error in sorted(result.failed.items()) if not error.permanent]
    if again and result.reason is None:
        yield from ask(
            Report(
                f"asked once more, one after another, as it may pass: {len(again)} of {len(result.questions)}"
            )
        )
        result.asked_again = len(again)
        yield from _ask_all(result, again, 1, fails_fast=fails_fast)
    for number, error in sorted(result.failed.items()):
        yield from ask(Report(f"{result.questions[number].name}: {error}", "warning"))
    told = f"{interval}: {result.answered} of {len(result.questions)} queries are answered, with {result.rows} rows"
    yield from ask(Report(told))
    return result


def _ask_all(result: BatchResult, numbers: Sequence[int], at_once: int, *, fails_fast: bool) -> Steps[None]:
    """Ask some questions in blocks, until all are asked or it is enough."""
    enough = Enough(fails_fast=fails_fast, at_once=at_once)
    size = IN_A_BLOCK * at_once
    for first in range(0, len(numbers), size):
        block = numbers[first : first + size]
        verbs = tuple(partial(_answer, result.questions[number]) for number in block)
        outcomes = yield from ask(RunMany(verbs=verbs, at_once=at_once, enough=enough))
        for number, outcome in zip(block, outcomes, strict=True):
            if outcome is not None:
                result.add(number, outcome)
        yield from ask(Progressed("queries asked", done=first + len(block), total=len(numbers)))
        if enough.reason is not None:
            result.reason = enough.reason
            return


def _answer(question: Question) -> Steps[QueryAnswer]:
    with about_window(question.window):
        return (yield from run_query(question.query, question.window))


def steps_from_job(
    job: Mapping[str, Any],
    clock: Callable[[], datetime],  # noqa: ARG001 - as all verbs; questions know no present time
) -> Steps[BatchResult]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` as JSON and ``intervals``, exactly one
    :param clock: not used
    """
    (bounds,) = job["intervals"]
    return run_queries(QueryBatchSpec(**job["spec"]), Interval.from_json(bounds))
