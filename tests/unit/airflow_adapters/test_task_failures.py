from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_influx_rollup import exceptions
from airflow_provider_influx_rollup.airflow_compat import AirflowException, AirflowFailException
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxRollupError,
    InfluxUnavailable,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.task_failures import (
    error_event,
    failing_by_permanence,
    result_of_event,
)

ERRORS = [
    found
    for found in vars(exceptions).values()
    if isinstance(found, type) and issubclass(found, InfluxRollupError)
]


def raise_as_task(error: Exception) -> None:
    with failing_by_permanence():
        raise error


@pytest.mark.parametrize("error_class", ERRORS)
def test_retry_is_decided_by_permanence_when_a_task_raises(error_class: type[InfluxRollupError]) -> None:
    error = error_class("it broke", written="nothing", fix="mend it")
    wanted = AirflowFailException if error_class.permanent else error_class
    with pytest.raises(wanted) as caught:
        raise_as_task(error)
    for part in ("it broke", "Written: nothing", "To do: mend it"):
        assert part in str(caught.value)


def test_cause_and_name_are_kept_when_a_permanent_error_is_turned() -> None:
    error = WindowMisaligned("03:30 is between two windows")
    with pytest.raises(AirflowFailException, match=r"^WindowMisaligned: 03:30") as caught:
        raise_as_task(error)
    assert caught.value.__cause__ is error


def test_foreign_errors_pass_unchanged_when_a_task_raises_them() -> None:
    with pytest.raises(KeyError):
        raise_as_task(KeyError("x"))


def through_json(event: dict[str, Any]) -> dict[str, Any]:
    restored: dict[str, Any] = json.loads(json.dumps(event))
    return restored


def test_result_comes_back_when_the_event_says_success() -> None:
    assert result_of_event({"status": "success", "result": {"rows_in": 3}}) == {"rows_in": 3}


def test_transient_error_comes_back_in_its_class_when_a_trigger_sent_it() -> None:
    error = InfluxUnavailable("refused", written="nothing", fix="start it", http_status=503)
    with pytest.raises(InfluxUnavailable) as caught:
        result_of_event(through_json(error_event(error)))
    assert str(caught.value) == str(error)


def test_permanent_error_fails_the_task_when_a_trigger_sent_it() -> None:
    with pytest.raises(AirflowFailException, match="BucketNotFound: no bucket"):
        result_of_event(through_json(error_event(BucketNotFound("no bucket"))))


@pytest.mark.parametrize("name", ["NoSuchError", "annotations", "Interval"])
def test_transient_error_is_an_airflow_error_when_its_class_is_unknown(name: str) -> None:
    event = {"status": "error", "error": name, "message": "it broke", "permanent": False}
    with pytest.raises(AirflowException, match=f"{name}: it broke") as caught:
        result_of_event(event)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(
    "event", [None, {}, {"status": "success"}, {"status": "error"}, {"status": "running"}, "success"]
)
def test_event_is_refused_when_it_is_neither_a_result_nor_an_error(event: Any) -> None:
    with pytest.raises(AirflowException, match="neither a result nor an error"):
        result_of_event(event)
