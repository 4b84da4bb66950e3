"""Several rollups of one task: what fails in one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.exceptions import InfluxRollupError


def each_in_turn(
    runs: Sequence[Callable[[], dict[str, Any]]], *, fails_fast: bool, tell: Callable[[str], object]
) -> list[dict[str, Any]]:
    """Run one after another and return their results.

    :param runs: each raises what Airflow is to see
    :param fails_fast: whether the first error ends it; an error that the others would meet too does so anyway
    :param tell: called with each error that does not end it
    :raises AirflowFailException: at the end, when all errors are permanent
    :raises InfluxRollupError: at the end, when one of them may pass
    """
    from airflow_provider_influx_rollup.lifecycle.run.window_errors import is_of_windows

    results: list[dict[str, Any]] = []
    errors: list[Exception] = []
    for run in runs:
        try:
            results.append(run())
        except (AirflowFailException, InfluxRollupError) as error:
            cause = error if isinstance(error, InfluxRollupError) else error.__cause__
            is_separate = isinstance(cause, InfluxRollupError) and is_of_windows(cause)
            if len(runs) == 1 or fails_fast or not is_separate:
                raise
            tell(str(error))
            errors.append(error)
    if errors:
        raise next((error for error in errors if isinstance(error, InfluxRollupError)), errors[0])
    return results
