"""Which questions a batch asks: scripts by their names, each for several parameters and several windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec
from airflow_provider_influx_rollup.shown import shown
from airflow_provider_influx_rollup.steps.many import MOST_AT_ONCE
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

FAIL_AT_END, FAIL_FAST, SKIP = "fail_at_end", "fail_fast", "skip"
ON_QUERY_ERROR = (FAIL_AT_END, FAIL_FAST, SKIP)
MAX_PARALLEL = 4
FIRST_ROWS = 10
MOST_QUESTIONS = 100_000

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One query of a batch.

    :param name: of its script, of its parameters, or ``<script>/<parameters>``
    """

    name: str
    query: QuerySpec
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBatchSpec:
    """Many questions.

    :param queries: the scripts, by their names
    :param params: values of ``params.<name>`` of all of them
    :param params_each: values besides these, by the name of each set: every script is asked with each; None: once
    :param every: length of the windows that the interval is cut into, a Flux duration; None: it is one window
    :param offset: shift of their grid, a Flux duration
    :param timezone: where its days begin
    :param first_rows: most rows of each answer that are returned
    :param max_parallel: most questions that are asked at a time, 1 to 8
    :param on_query_error: ``"fail_at_end"``, ``"fail_fast"`` or ``"skip"``
    :raises ConfigurationError: when something is not possible
    """

    queries: Mapping[str, str]
    params: Params | None = None
    params_each: Mapping[str, Params] | None = None
    every: str | None = None
    offset: str = "0s"
    timezone: str = "UTC"
    first_rows: int = FIRST_ROWS
    max_parallel: int = MAX_PARALLEL
    on_query_error: str = FAIL_AT_END

    def __post_init__(self) -> None:
        if not self.queries or self.params_each == {}:
            what = f"a batch without {'params_each' if self.queries else 'a query'} asks nothing"
            raise ConfigurationError(what, written="nothing", fix="give at least one, or leave the task out")
        if isinstance(self.max_parallel, bool) or not 1 <= self.max_parallel <= MOST_AT_ONCE:
            what = f"max_parallel={self.max_parallel!r} is not possible"
            fix = f"give a whole number from 1 to {MOST_AT_ONCE}, which one process asks at most"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if self.on_query_error not in ON_QUERY_ERROR:
            what = f"on_query_error={self.on_query_error!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(ON_QUERY_ERROR)}")
        for query in self._queries():
            # a wrong script or number of rows is told before anything is asked
            QuerySpec(query[1], None, self.first_rows)

    def questions(self, interval: Interval) -> list[Question]:
        """The questions, in order of scripts, parameters and windows.

        :param interval: of the run
        :raises WindowMisaligned: when the windows do not tile it
        :raises ConfigurationError: when there are too many
        """
        windows = [interval]
        if self.every is not None:
            windows = Grid.of(self.every, self.offset, self.timezone).tile(interval)
        queries = list(self._queries())
        if len(queries) * len(windows) > MOST_QUESTIONS:
            what = f"{len(queries):,} queries of {len(windows):,} windows are more than {MOST_QUESTIONS:,} questions"
            fix = "give a longer every, or several tasks"
            raise ConfigurationError(what, window=interval, written="nothing", fix=fix)
        return [
            Question(name, QuerySpec(flux, params, self.first_rows), window)
            for name, flux, params in queries
            for window in windows
        ]

    def _queries(self) -> Iterator[tuple[str, str, Params]]:
        for name, flux in self.queries.items():
            if self.params_each is None:
                yield name, flux, self.params or {}
                continue
            for which, params in self.params_each.items():
                own = which if len(self.queries) == 1 else f"{name}/{which}"
                yield own, flux, {**(self.params or {}), **params}


def named_params(params_each: object) -> dict[str, Params] | None:
    """Sets of parameters by their names; those of a list are called after their values, such as ``site=a``.

    :param params_each: as a DAG gives it
    :raises ConfigurationError: when it is neither, or two have one name
    """
    if params_each is None:
        return None
    if isinstance(params_each, Mapping):
        sets = [(str(name), params) for name, params in params_each.items()]
    elif isinstance(params_each, Sequence) and not isinstance(params_each, str):
        sets = [(_name_of(params), params) for params in params_each]
    else:
        what = f"params_each={shown(params_each)} is not possible"
        fix = 'give a list such as [{"site": "a"}, {"site": "b"}], or a mapping from names to such parameters'
        raise ConfigurationError(what, written="nothing", fix=fix)
    named = dict(sets)
    wrong = [name for name, params in sets if not isinstance(params, Mapping)]
    if wrong or len(named) < len(sets):
        what = "params_each has " + (f"no parameters in {wrong[0]!r}" if wrong else "one set twice")
        fix = 'each set is parameters by their names, such as {"site": "a"}'
        raise ConfigurationError(what, written="nothing", fix=fix)
    return named


def _name_of(params: object) -> str:
    if not isinstance(params, Mapping):
        return shown(params)
    return ", ".join(f"{name}={value}" for name, value in params.items())
