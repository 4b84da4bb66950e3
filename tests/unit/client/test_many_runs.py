"""Many verbs at once: how many run, what is kept, when no other is begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import MAX_THREADS, adrive, drive
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, InfluxUnavailable, QueryFailed
from airflow_provider_influx_rollup.steps import influx as s
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.many import RunMany
from airflow_provider_influx_rollup.steps.step import Steps

Drive = Callable[[Steps[Any], Any, Callable[[s.Report], None]], Any]


def drive_async(steps: Steps[Any], client: Any, report: Callable[[s.Report], None]) -> Any:
    return asyncio.run(adrive(steps, client, report))


both = pytest.mark.parametrize("driving", [drive, drive_async], ids=["blocking", "async"])


class Server:
    """Answers with what it is asked for, and knows how many asked at once; requests wait until as many as meet are there.

    :param meet: how many wait for each other
    """

    def __init__(self, meet: int = 1) -> None:
        self._meet = threading.Barrier(meet, timeout=10)
        self._lock = threading.Lock()
        self.active = self.most = 0
        self.asked: list[str] = []

    def find_bucket(self, name: str) -> str:
        with self._lock:
            self.asked.append(name)
            self.active += 1
            self.most = max(self.most, self.active)
        self._meet.wait()
        with self._lock:
            self.active -= 1
        if name.startswith("wrong"):
            raise QueryFailed(name)
        if name.startswith("broken"):
            raise KeyError(name)
        return name


def one(name: str) -> Steps[str]:
    yield from ask(s.Report(f"asks {name}"))
    yield from ask(s.Report(f"beware of {name}", "warning"))
    yield from ask(s.FindBucket(name))
    return name


def many(names: Sequence[str], at_once: int, enough: Callable[[Any], bool] = lambda _: False) -> Steps[Any]:
    verbs = tuple(partial(one, name) for name in names)
    return (yield from ask(RunMany(verbs=verbs, at_once=at_once, enough=enough)))


@both
def test_as_many_run_at_once_as_were_asked_for_and_answers_are_in_order(driving: Drive) -> None:
    server: Any = Server(meet=3)
    names = [str(number) for number in range(30)]
    assert driving(many(names, at_once=3), server, lambda _: None) == names
    assert server.most == 3


@both
def test_answers_are_kept_when_others_fail_and_only_warnings_are_told(driving: Drive) -> None:
    told: list[str] = []
    answers = driving(
        many(["a", "wrong", "b"], at_once=2), Server(), lambda report: told.append(report.message)
    )
    assert (answers[0], answers[2]) == ("a", "b")
    assert isinstance(answers[1], QueryFailed)
    assert sorted(told) == ["beware of a", "beware of b", "beware of wrong"]


@both
def test_no_other_is_begun_when_it_is_enough(driving: Drive) -> None:
    server: Any = Server()
    names = ["a", "wrong", "b", "c"]
    answers = driving(many(names, 1, lambda outcome: isinstance(outcome, InfluxRollupError)), server, print)
    assert [type(answer) for answer in answers] == [str, QueryFailed, type(None), type(None)]
    assert server.asked == ["a", "wrong"]


@both
def test_mistake_of_the_program_comes_out(driving: Drive) -> None:
    with pytest.raises(KeyError):
        driving(many(["a", "broken", "b"], at_once=1), Server(), print)


def test_batches_of_one_process_share_the_places_and_hold_no_thread_of_other_verbs() -> None:
    client: Any = Server(meet=8)

    async def several() -> list[Any]:
        names = [str(number) for number in range(16)]
        batches = [adrive(many(names, at_once=8), client, lambda _: None) for _ in range(MAX_THREADS + 4)]
        tasks = [asyncio.create_task(batch) for batch in batches]
        # a step of another verb has a thread, whatever the batches do
        other: Any = Server()
        await asyncio.wait_for(adrive(one("x"), other, lambda _: None), 10)
        return await asyncio.gather(*tasks)

    assert len(asyncio.run(several())) == MAX_THREADS + 4
    assert client.most == 8


def test_those_that_wait_never_begin_when_the_batch_is_cancelled() -> None:
    class Held:
        def __init__(self) -> None:
            self.begun = threading.Semaphore(0)
            self.release = threading.Event()
            self.asked = 0

        def find_bucket(self, name: str) -> None:
            self.asked += 1
            self.begun.release()
            self.release.wait(10)
            raise InfluxUnavailable(name)

    server: Any = Held()

    async def cancel() -> None:
        task = asyncio.create_task(adrive(many(["a", "b", "c", "d"], at_once=2), server, lambda _: None))
        for _ in range(2):
            assert await asyncio.to_thread(server.begun.acquire, timeout=10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.release.set()

    asyncio.run(cancel())
    assert server.asked == 2
