"""The drivers: both act the same steps out the same way."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.client import tracing
from airflow_provider_influx_rollup.client.driver import ACTIONS, MAX_THREADS, adrive, drive
from airflow_provider_influx_rollup.client.retry import call_with_retries
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable, QueryFailed
from airflow_provider_influx_rollup.flux.query import ArrowQuery, DigestQuery, RowsQuery
from airflow_provider_influx_rollup.flux.write_points import FluxPoint, write_queries
from airflow_provider_influx_rollup.steps import influx as s
from airflow_provider_influx_rollup.steps import store, table, tasks
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.step import Step, Steps
from airflow_provider_influx_rollup.stores.actions import STORE_ACTIONS
from airflow_provider_influx_rollup.windows.interval import Interval

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Interval(NOW, NOW.replace(day=2))
EXTERN = {"type": "File"}

POINT = FluxPoint(measurement="m", tags=(("t", "x\\"),), field="v", kind="integer", value=1, time_ns=1)


class SmallQuery(RowsQuery[Any]):
    keeps_bytes = True

    def flux(self) -> str:
        return "small"

    def read(self, rows: Any) -> Any:
        return rows, "read"


class LargeQuery(ArrowQuery[Any]):
    def flux(self) -> str:
        return "large"

    def read(self, tables: Any) -> Any:
        return tables, "read"


class ComparedQuery(DigestQuery):
    def flux(self) -> str:
        return "compared"


EVERY_STEP: list[tuple[Step[Any], tuple[Any, ...] | None]] = [
    (s.Query("q", extern=EXTERN, now=NOW), ("query_rows", "q", EXTERN, NOW, False, False, False)),
    (SmallQuery(), (("query_rows", "small", False, True, True), "read")),
    (LargeQuery(), (("query_arrow", "large", True), "read")),
    (ComparedQuery(), ("query_digest", "compared")),
    (s.ParseScript("p"), ("parse_script", "p")),
    (s.Write("b", ["m v=1"], (POINT,)), None),
    (
        s.Delete("b", DAY, "m", {"t": "x"}, lacking=("k",)),
        ("delete", "b", DAY, '_measurement="m" AND "t"="x"', ("k",)),
    ),
    (s.CheckWritable("b"), ("check_writable", "b")),
    (s.ShowKeys("b", "m"), ("source_keys", "b", "m")),
    (s.FindBucket("b"), ("find_bucket", "b")),
    (s.EnsureBucket("b", 3600), ("ensure_bucket", "b", 3600)),
]


class Recorder:
    """Stands where the client does: returns what it was asked, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.threads: set[str] = set()
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*args: Any, **options: Any) -> Any:
            self.threads.add(threading.current_thread().name)
            if self.error is not None:
                raise self.error
            self.calls.append((name, *args, *options.values()))
            return self.calls[-1]

        return method


def run_blocking(steps: Any, client: Any, reports: list[s.Report]) -> Any:
    return drive(steps, client, reports.append)


def run_async(steps: Any, client: Any, reports: list[s.Report]) -> Any:
    return asyncio.run(adrive(steps, client, reports.append))


both = pytest.mark.parametrize("run", [run_blocking, run_async])


def steps_in(module: ModuleType) -> set[type[Any]]:
    """The steps that a module defines."""
    made = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Step)]
    return {one for one in made if one.__module__ == module.__name__}


def test_table_knows_every_step_when_a_new_one_is_added() -> None:
    assert set(STORE_ACTIONS) == steps_in(store) | steps_in(table)
    queries = {RowsQuery, ArrowQuery, DigestQuery}
    # what these do is tried on a server: the client has no method of its own for them
    native = steps_in(tasks) | {s.LookAtBucket, s.ApplyBucket, s.FindBucketById}
    assert set(ACTIONS) | {s.Report, s.Progressed, s.Gather} == steps_in(s) | steps_in(tasks) | queries
    acted = {type(step) for step, _ in EVERY_STEP} - {SmallQuery, LargeQuery, ComparedQuery}
    assert acted | queries | native | {s.Sleep} == set(ACTIONS)


@both
def test_each_step_calls_its_method_when_driven(run: Any) -> None:
    def verb() -> Steps[list[Any]]:
        answers = []
        for step, _ in EVERY_STEP:
            answers.append((yield step))
        answers.append((yield s.Report("hello", "warning")))
        return answers

    reports: list[s.Report] = []
    client = Recorder()
    answers = run(verb(), client, reports)
    assert answers == [*(expected for _, expected in EVERY_STEP), None]
    writes = [call for call in client.calls if call[0] in ("write_lines", "execute")]
    assert writes == [("write_lines", "b", ["m v=1"]), ("execute", next(write_queries("b", [POINT]))[0])]
    assert reports == [s.Report("hello", "warning")]


@both
def test_results_keep_their_order_when_gathered(run: Any) -> None:
    """The first step can only end after the second has: they run at the same time."""
    second_ended = threading.Event()

    class Meeting:
        def find_bucket(self, name: str) -> str:
            if name == "first":
                assert second_ended.wait(10)
            else:
                second_ended.set()
            return name

    def verb() -> Steps[list[str]]:
        return (yield s.Gather((s.FindBucket("first"), s.FindBucket("second"))))

    assert run(verb(), Meeting(), []) == ["first", "second"]


@both
def test_all_gathered_steps_end_when_one_fails(run: Any) -> None:
    ended = []

    class Failing:
        def find_bucket(self, name: str) -> str:
            if name.startswith("bad"):
                raise QueryFailed(name)
            ended.append(name)
            return name

    def verb() -> Steps[str]:
        try:
            yield s.Gather(tuple(s.FindBucket(name) for name in ("bad1", "good", "bad2", "fine")))
        except QueryFailed as error:
            return error.what
        return "no error"

    assert run(verb(), Failing(), []) == "bad1"
    assert sorted(ended) == ["fine", "good"]


@both
def test_gather_is_refused_when_it_holds_another(run: Any) -> None:
    def verb() -> Steps[None]:
        yield s.Gather((s.Gather((s.FindBucket("b"),)),))

    with pytest.raises(TypeError, match="Gather is not a step"):
        run(verb(), Recorder(), [])


@both
def test_driver_waits_when_the_verb_sleeps(run: Any) -> None:
    def verb() -> Steps[None]:
        yield s.Sleep(0.2)

    begin = time.monotonic()
    run(verb(), Recorder(), [])
    assert time.monotonic() - begin >= 0.2


def test_forked_child_has_threads_of_its_own_when_the_parent_had_some() -> None:
    def verb() -> Steps[list[Any]]:
        return (yield s.Gather((s.FindBucket("b"),)))

    expected = [("find_bucket", "b")]
    client: Any = Recorder()
    assert drive(verb(), client, print) == expected
    child = multiprocessing.get_context("fork").Process(target=drive, args=(verb(), client, print))
    child.start()
    child.join(20)
    if child.exitcode is None:
        child.kill()
    assert child.exitcode == 0


@both
def test_error_comes_out_when_the_verb_does_not_catch_it(run: Any) -> None:
    cleaned = []

    def verb() -> Steps[None]:
        try:
            yield s.FindBucket("b")
        finally:
            cleaned.append(True)

    error = QueryFailed("bad")
    with pytest.raises(QueryFailed) as caught:
        run(verb(), Recorder(error), [])
    assert caught.value is error
    assert cleaned == [True]


@both
def test_verb_goes_on_when_it_catches_the_error(run: Any) -> None:
    def verb() -> Steps[str]:
        try:
            yield s.FindBucket("b")
        except InfluxUnavailable as error:
            yield s.Report(f"caught {error.what}")
        return "went on"

    reports: list[s.Report] = []
    assert run(verb(), Recorder(InfluxUnavailable("down")), reports) == "went on"
    assert reports == [s.Report("caught down")]


@both
def test_type_error_is_thrown_in_when_the_step_is_unknown(run: Any) -> None:
    def verb() -> Steps[None]:
        yield Step()

    with pytest.raises(TypeError, match="Step is not a step"):
        run(verb(), Recorder(), [])


@both
def test_verb_is_closed_when_the_driver_is_interrupted(run: Any) -> None:
    class Interrupting:
        def find_bucket(self, name: str) -> None:
            raise SystemExit

    closed = []

    def verb() -> Steps[None]:
        try:
            yield s.FindBucket("b")
        except GeneratorExit:
            closed.append(True)
            raise

    with pytest.raises(SystemExit):
        run(verb(), Interrupting(), [])
    assert closed == [True]


def test_steps_run_in_a_few_threads_and_the_loop_goes_on_when_async() -> None:
    """As many steps as there are threads meet at a barrier: they run at once, and not in the loop's thread."""
    barrier = threading.Barrier(MAX_THREADS, timeout=10)

    class Meeting(Recorder):
        def find_bucket(self, name: str) -> str:
            self.threads.add(threading.current_thread().name)
            barrier.wait()
            return name

    def verb() -> Steps[Any]:
        return (yield s.FindBucket("b"))

    client: Any = Meeting()

    async def run_many() -> list[Any]:
        return await asyncio.gather(*(adrive(verb(), client, print) for _ in range(3 * MAX_THREADS)))

    assert asyncio.run(run_many()) == ["b"] * 3 * MAX_THREADS
    assert len(client.threads) == MAX_THREADS
    assert threading.current_thread().name not in client.threads


def test_verb_is_closed_when_the_task_is_cancelled() -> None:
    started, release, closed = threading.Event(), threading.Event(), []

    class Waiting:
        def find_bucket(self, name: str) -> None:
            started.set()
            release.wait(10)

    def verb() -> Steps[None]:
        try:
            yield s.FindBucket("b")
        finally:
            closed.append(True)

    client: Any = Waiting()

    async def cancel() -> None:
        task = asyncio.create_task(adrive(verb(), client, print))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == [True]
        release.set()

    asyncio.run(cancel())


class Unreachable:
    """Each step is two requests to a server that is down; the first ones meet, and go on together."""

    def __init__(self) -> None:
        self.busy = threading.Barrier(MAX_THREADS + 1, timeout=10)
        self.release, self.all_ended = threading.Event(), threading.Semaphore(0)
        self.begun = 0
        self.errors: set[str] = set()

    def attempt(self) -> None:
        self.begun += 1
        self.busy.wait()
        self.release.wait(10)
        raise InfluxUnavailable("down")

    def find_bucket(self, name: str) -> None:
        for _ in range(2):
            try:
                call_with_retries(self.attempt, deadline_seconds=60)
            except InfluxUnavailable as error:
                self.errors.add(error.what.split(" (")[0])
        self.all_ended.release()


def test_cancelled_steps_send_no_other_request_and_those_that_wait_never_begin() -> None:
    server: Any = Unreachable()

    def verb() -> Steps[None]:
        yield s.FindBucket("b")

    async def cancel() -> None:
        tasks = [asyncio.create_task(adrive(verb(), server, print)) for _ in range(3 * MAX_THREADS)]
        await asyncio.to_thread(server.busy.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(cancel())
    server.release.set()
    assert all(server.all_ended.acquire(timeout=10) for _ in range(MAX_THREADS))
    assert server.begun == MAX_THREADS
    assert server.errors == {"down", "the request was not sent: the task that it was for was cancelled"}


def test_verb_that_nobody_closed_leaves_no_window_to_the_next_one(mocker: MockerFixture) -> None:
    begun = mocker.patch.object(tracing, "_span", side_effect=lambda *_: nullcontext())

    def step() -> Steps[None]:
        yield s.FindBucket("b")

    def verb() -> Steps[None]:
        yield from step()
        yield from within(DAY, step())
        yield from step()

    abandoned = within(Interval(NOW.replace(year=2025), NOW), step())
    next(abandoned)
    drive(verb(), Recorder(), lambda _: None)  # type: ignore[arg-type]
    asyncio.run(adrive(verb(), Recorder(), lambda _: None))  # type: ignore[arg-type]
    windows = [
        attributes for name, attributes in (call.args for call in begun.mock_calls) if "window" in name
    ]
    assert [window["influx_rollup.window.start"] for window in windows] == ["2026-01-01T00:00:00Z"] * 2
    abandoned.close()
