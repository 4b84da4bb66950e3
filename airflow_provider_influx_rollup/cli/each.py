"""One pipeline after the other: an error of one does not keep the others from their turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.exit_codes import RIGHT, WRONG, code_of_error
from airflow_provider_influx_rollup.cli.output import words_of
from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    InfluxUnauthorized,
    InfluxUnavailable,
    InvalidDuration,
    OrgNotFound,
    WindowUndefined,
)

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec

Work = Callable[["RollupSpec"], tuple[dict[str, Any], bool]]

# of the call or the connection, and so of all pipelines
OF_ALL = (InfluxUnavailable, InfluxUnauthorized, OrgNotFound, WindowUndefined, InvalidDuration)


def for_each(specs: Sequence[RollupSpec], output: Output, work: Work) -> tuple[list[dict[str, Any]], int]:
    """Do something with each pipeline.

    :param work: returns the JSON of a pipeline, and whether it is right
    :return: the JSON of all, and the worst exit code
    :raises InfluxRollupError: when it is of all pipelines, or there is only one
    """
    answers: list[dict[str, Any]] = []
    code = RIGHT
    for spec in specs:
        try:
            answer, is_right = work(spec)
            code = max(code, RIGHT if is_right else WRONG)
        except InfluxRollupError as error:
            if len(specs) == 1 or isinstance(error, OF_ALL):
                raise
            name = type(error).__name__
            message = words_of(error)
            output.note(f"{spec.pipeline_name}: {name}: {message}")
            told = {"name": name, "message": message, "is_permanent": error.permanent}
            answer = {"pipeline": spec.pipeline_name, "error": told}
            code = max(code, code_of_error(error))
        answers.append(answer)
    return answers, code
