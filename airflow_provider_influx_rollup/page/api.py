"""The answers of the page's JSON API, for whichever web framework asks; they are read-only, and each is small JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup import __version__
from airflow_provider_influx_rollup.airflow_compat import AirflowNotFoundException
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxError, InfluxRollupError
from airflow_provider_influx_rollup.page.access import Access, RunKey
from airflow_provider_influx_rollup.settings import page_connections
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.overview.judge import PipelineWindows
    from airflow_provider_influx_rollup.lifecycle.overview.scheduled import Scheduled
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.page.server import PageServer

USUAL_CELLS, MOST_CELLS = 400, 1000
USUAL_SPAN = timedelta(days=7)
#: windows that one comparison with the source may have
MOST_VERIFIED = 1000
BAD_REQUEST, NOT_FOUND, BAD_GATEWAY = 400, 404, 502


class PageError(Exception):
    """A request that cannot be answered.

    :param status: HTTP's
    :param told: for the user
    """

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status
        self.told = told


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    :param conn_id: the connection, which the user may read
    :param values: of the query string; several of one name are kept
    """

    conn_id: str
    values: Mapping[str, Sequence[str]]
    access: Access

    def text(self, name: str) -> str | None:
        """The first value of a parameter; None when there is none."""
        return next((value for value in self.values.get(name, ()) if value), None)

    def required(self, name: str) -> str:
        """The first value of a parameter.

        :raises PageError: when there is none
        """
        found = self.text(name)
        if found is None:
            raise PageError(BAD_REQUEST, f"The parameter {name} is missing.")
        return found

    def number(self, name: str, usual: int, most: int) -> int:
        """A whole number from 1 to ``most``.

        :raises PageError: when it is none
        """
        text = self.text(name)
        if text is None:
            return usual
        if not text.isdecimal() or not 1 <= int(text[:9]) <= most:
            raise PageError(BAD_REQUEST, f"The parameter {name} has to be a whole number from 1 to {most}.")
        return int(text)


def connections(access: Access) -> dict[str, Any]:
    """The connections that the user may look at, and what the page needs to know of this Airflow."""
    from airflow_provider_influx_rollup.lifecycle.overview.heat_map import state_rows

    return {
        "connections": access.readable_connections(page_connections()),
        "states": state_rows(),
        "version": __version__,
        "can_backfill": access.is_three,
    }


def answer(name: str, request: Request) -> dict[str, Any]:
    """The answer of one of ``ANSWERS``.

    :raises PageError: when there is none
    """
    from airflow_provider_influx_rollup.page.server import connected

    try:
        return ANSWERS[name](request, connected(request.conn_id, request.text("ledger")))
    except AirflowNotFoundException as error:
        raise PageError(NOT_FOUND, f"Airflow has no connection {request.conn_id!r}.") from error
    except InfluxError as error:
        raise PageError(BAD_GATEWAY, str(error)) from error
    except InfluxRollupError as error:
        raise PageError(BAD_REQUEST, str(error)) from error


def _pipelines(request: Request, server: PageServer) -> dict[str, Any]:  # noqa: ARG001 - as all answers
    from airflow_provider_influx_rollup.lifecycle.overview.heat_map import pipeline_rows

    return {"ledger": server.ledger_bucket, "pipelines": pipeline_rows(_specs(server))}


def _grid(request: Request, server: PageServer) -> dict[str, Any]:
    from airflow_provider_influx_rollup.lifecycle.overview.heat_map import heat_map, rows_of
    from airflow_provider_influx_rollup.lifecycle.overview.overview import look_at_windows

    now = server.client.now()
    interval = _interval(request, server)
    asked = request.values.get("pipeline")
    specs = rows_of(_specs(server), asked or None)
    found = server.drive(look_at_windows(specs, server.ledger_bucket, interval, now)) if specs else []
    found = [_with_failed(one, request, server) for one in found]
    cells = request.number("cells", USUAL_CELLS, MOST_CELLS)
    return {"interval": interval.as_json(), "now": format_instant(now), "rows": heat_map(found, cells)}


def _with_failed(found: PipelineWindows, request: Request, server: PageServer) -> PipelineWindows:
    """The windows whose run has failed, as Airflow knows it."""
    from airflow_provider_influx_rollup.lifecycle.overview.unfinished import failed_windows, unfinished

    receipts = server.drive(unfinished(found))
    keys = {
        RunKey(dag_id=one.dag_id, run_id=one.run_id, task_id=one.task_id, map_index=one.map_index)
        for one in receipts
        if one.dag_id and one.run_id
    }
    failed = request.access.failed_runs(keys) if keys else set()
    names = {(key.dag_id, key.run_id, key.task_id, key.map_index) for key in failed}
    return failed_windows(found, receipts, names)


def _window(request: Request, server: PageServer) -> dict[str, Any]:
    from airflow_provider_influx_rollup.lifecycle.overview.window_story import window_story

    specs = _specs(server)
    spec = _spec(request, specs, server)
    start = read_instant(request.required("start"), "start")
    story = server.drive(window_story(spec, specs, start, server.client.now())).as_json()
    runs = [one for one in (*story["history"], story["receipt"], *story["archives"]) if one is not None]
    for receipt in runs:
        receipt["run_url"] = _run_url(receipt, request.access)
    return story


def _run_url(receipt: Mapping[str, Any], access: Access) -> str | None:
    if not receipt["dag_id"] or not receipt["run_id"]:
        return None
    key = RunKey(
        dag_id=receipt["dag_id"],
        run_id=receipt["run_id"],
        task_id=receipt["task_id"],
        map_index=receipt["map_index"],
    )
    return access.run_url(key)


def _plan(request: Request, server: PageServer) -> dict[str, Any]:
    """What a backfill of an interval would do and cost, and the commands for it."""
    from airflow_provider_influx_rollup.lifecycle.overview.commands import commands_for
    from airflow_provider_influx_rollup.lifecycle.plan.plan import plan_windows

    spec = _spec(request, _specs(server), server)
    interval = _whole_windows(_interval(request, server), spec)
    plan = server.drive(plan_windows(spec, interval, server.client.now())).as_json()
    dag = _dag_of(spec, server)
    is_three = request.access.is_three
    commands = commands_for(spec, interval, request.conn_id, dag, is_three=is_three)
    dates = None if dag is None else dag.logical_dates(interval, spec.grid.grid(), is_three=is_three)
    dag_id = None if dag is None else dag.dag_id
    backfill = None if dates is None else dates.as_json()
    return {"plan": plan, "dag_id": dag_id, "backfill": backfill, "commands": commands}


def _dag_of(spec: RollupSpec, server: PageServer) -> Scheduled | None:
    from airflow_provider_influx_rollup.flux.pipeline_runs import NewestRuns
    from airflow_provider_influx_rollup.lifecycle.overview.scheduled import Scheduled
    from airflow_provider_influx_rollup.steps.ask import ask

    windows = server.drive(ask(NewestRuns(spec.ledger_bucket, spec.pipeline_name)))
    return Scheduled.of(windows)


def _verify(request: Request, server: PageServer) -> dict[str, Any]:
    """Windows that differ from their source now; nothing is written."""
    from airflow_provider_influx_rollup.lifecycle.overview.dirty import dirty_windows

    spec = _spec(request, _specs(server), server)
    interval = _whole_windows(_interval(request, server), spec)
    windows = len(spec.grid.grid().windows(interval))
    if windows > MOST_VERIFIED:
        told = f"{windows:,} windows are too many to be compared here, where {MOST_VERIFIED:,} are allowed."
        raise PageError(BAD_REQUEST, f"{told} Choose fewer, or use influx-rollup verify.")
    return server.drive(dirty_windows(spec, interval, server.client.now))


def _lateness(request: Request, server: PageServer) -> dict[str, Any]:
    """How late the points of a pipeline were, and which setting would have caught them."""
    from airflow_provider_influx_rollup.lifecycle.lateness.lateness import LatenessSpec, report_lateness

    spec = _spec(request, _specs(server), server)
    if spec.source_tier is not None:
        told = "what is late for a tier was late for the tier below, which a report is about"
        return {"rows": [], "notes": [told]}
    asked = LatenessSpec(pipelines=(spec.pipeline_name,), ledger_bucket=server.ledger_bucket)
    report = report_lateness(asked, _interval(request, server), server.client.now())
    return server.drive(report).as_json()


def _silent(request: Request, server: PageServer) -> dict[str, Any]:
    """Series of a pipeline's source that have stopped."""
    from airflow_provider_influx_rollup.lifecycle.overview.silent import silent_series

    spec = _spec(request, _specs(server), server)
    return server.drive(silent_series(spec, server.client.now()))


ANSWERS: Mapping[str, Callable[[Request, PageServer], dict[str, Any]]] = {
    "pipelines": _pipelines,
    "grid": _grid,
    "window": _window,
    "plan": _plan,
    "verify": _verify,
    "lateness": _lateness,
    "silent": _silent,
}


def _specs(server: PageServer) -> dict[str, RollupSpec]:
    from airflow_provider_influx_rollup.lifecycle.pipeline.registry import read_stored, rollups_in_force
    from airflow_provider_influx_rollup.steps.ask import ask
    from airflow_provider_influx_rollup.steps.influx import FindBucket

    if server.drive(ask(FindBucket(server.ledger_bucket))) is None:
        told = f"There is no bucket {server.ledger_bucket!r} for the ledger, or the token may not read it."
        raise PageError(
            NOT_FOUND, f"{told} Run a rollup first, or name the ledger in [influx_rollup] ledger_bucket."
        )
    return rollups_in_force(server.drive(read_stored(server.ledger_bucket)))


def _spec(request: Request, specs: Mapping[str, RollupSpec], server: PageServer) -> RollupSpec:
    name = request.required("pipeline")
    if name not in specs:
        raise PageError(NOT_FOUND, f"The ledger {server.ledger_bucket!r} knows no pipeline {name!r}.")
    return specs[name]


def _interval(request: Request, server: PageServer) -> Interval:
    """From ``from`` to ``to``; to now, and a week, where they are not given."""
    start, stop = request.text("from"), request.text("to")
    until = server.client.now() if stop is None else read_instant(stop, "to")
    since = until - USUAL_SPAN if start is None else read_instant(start, "from")
    if since >= until:
        what = f"from {format_instant(since)} is not before to {format_instant(until)}"
        raise ConfigurationError(what, fix="give an earlier from or a later to")
    return Interval(since, until)


def _whole_windows(interval: Interval, spec: RollupSpec) -> Interval:
    grid = spec.grid.grid()
    return Interval(grid.floor(interval.start), grid.ceil(interval.stop))
