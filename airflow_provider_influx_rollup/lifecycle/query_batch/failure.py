"""The one error of a batch, which names what failed; made of its result, as the triggerer hands that over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.exceptions import QueriesFailed
from airflow_provider_influx_rollup.lifecycle.query_batch.spec import SKIP
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.windows.interval import Interval

MOST_CAUSES_TOLD = 10


def failure_of(result: Mapping[str, Any], on_query_error: str, *, kept: str) -> QueriesFailed | None:
    """The error that a task ends with; None when it succeeds.

    With ``"skip"`` that is so when something was answered, and everything was asked.

    :param result: what ``BatchResult.as_json`` gave
    :param on_query_error: of the task
    :param kept: where the answers are
    """
    if not result["failed"] and not result["not_asked"]:
        return None
    if on_query_error == SKIP and result["answered"] and not result["not_asked"]:
        return None
    what = f"{result['failed']} of {result['queries']} queries failed"
    if result["not_asked"]:
        what += f", and {result['not_asked']} were not asked, as {result['reason_not_asked']}"
    causes = _causes(result)
    unlisted = result["failed"] - len(result["failures"])
    told = few(causes, MOST_CAUSES_TOLD, between=". ", in_all=len(causes) + unlisted)
    error = QueriesFailed(
        f"{what}. {told}",
        window=Interval.from_json(result["window"]),
        written=f"nothing, unless a script writes; {result['answered']} answers are {kept}",
        fix=next((failure["to_do"] for failure in result["failures"] if failure["to_do"]), None),
    )
    # one cause that may pass is reason enough to try again
    error.permanent = not result["may_pass"]
    return error


def _causes(result: Mapping[str, Any]) -> list[str]:
    """Failures of a kind that follow each other, told by the first one's words."""
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for failure in result["failures"]:
        kinds.setdefault((failure["query"], failure["error"]), []).append(failure)
    return [
        f"{name}, {_windows(failures)}: {error}: {failures[0]['message'].rstrip('. ')}"
        for (name, error), failures in kinds.items()
    ]


def _windows(failures: list[Mapping[str, Any]]) -> str:
    windows = [Interval.from_json(failure["window"]) for failure in failures]
    if len(windows) == 1:
        return str(windows[0])
    return f"{len(windows)} windows in {Interval.spanning(windows)}"
