"""Core errors -> what Airflow does with the task: fail for good, or retry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_influx_rollup import exceptions
from airflow_provider_influx_rollup.airflow_compat import AirflowException, AirflowFailException
from airflow_provider_influx_rollup.exceptions import InfluxRollupError


@contextmanager
def failing_by_permanence() -> Iterator[None]:
    """Turn permanent errors into AirflowFailException (no retry); the others are left to Airflow's retries.

    :raises AirflowFailException: with the error's name and whole message
    """
    try:
        yield
    except InfluxRollupError as error:
        if error.permanent:
            what = f"{type(error).__name__}: {error}"
            raise AirflowFailException(what) from error
        raise


@contextmanager
def asking_first() -> Iterator[None]:
    """Let errors of what is asked before a verb begins say that nothing was written.

    :raises InfluxRollupError: as it came
    """
    try:
        yield
    except InfluxRollupError as error:
        error.written = error.written or "nothing by this request"
        raise


def error_event(error: InfluxRollupError) -> dict[str, Any]:
    """The event that a trigger sends for an error: class name, whole message, whether it is permanent.

    :param error: what the verb raised in the triggerer
    """
    return {
        "status": "error",
        "error": type(error).__name__,
        "message": str(error),
        "permanent": error.permanent,
    }


def result_of_event(event: Mapping[str, Any] | None) -> Any:
    """The result that a trigger's event carries.

    :param event: ``{"status": "success", "result"}`` or what ``error_event`` made
    :raises AirflowFailException: when the event carries a permanent error
    :raises InfluxRollupError: of the original class, when it carries a transient one
    :raises AirflowException: when the event is of neither form
    """
    status = event.get("status") if isinstance(event, Mapping) else None
    if event is not None and status == "success" and "result" in event:
        return event["result"]
    if event is not None and status == "error" and {"error", "message", "permanent"} <= event.keys():
        _raise_again(str(event["error"]), str(event["message"]), permanent=bool(event["permanent"]))
    what = f"the trigger sent an event that is neither a result nor an error: {event!r}"
    raise AirflowException(what)


def seconds_of_event(event: Mapping[str, Any] | None) -> float:
    """How long the verb worked in the triggerer; 0 when the event does not say so, as those of 0.2 and before.

    :param event: what a trigger fired
    """
    seconds = event.get("seconds") if isinstance(event, Mapping) else None
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def requests_of_event(event: Mapping[str, Any] | None) -> dict[str, int]:
    """What the verb has asked of InfluxDB in the triggerer; nothing when the event does not say so, as those of 0.2.

    :param event: what a trigger fired
    """
    requests = event.get("requests") if isinstance(event, Mapping) else None
    return dict(requests) if isinstance(requests, Mapping) else {}


def _raise_again(name: str, message: str, *, permanent: bool) -> None:
    what = f"{name}: {message}"
    if permanent:
        raise AirflowFailException(what)
    error_class = getattr(exceptions, name, None)
    if isinstance(error_class, type) and issubclass(error_class, InfluxRollupError):
        raise error_class(message)
    raise AirflowException(what)
