"""The simulator and a real server side by side: the same steps on both, and their answers in a form that can be compared."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from tests.simulation.influx import SimulatedInflux

NUMBERS = itertools.count()


class Both:
    """Two servers.

    :param measurement: another one for each example, so that examples share their buckets
    """

    def __init__(self, client: InfluxClient, buckets: tuple[str, ...]) -> None:
        self.client = client
        self.simulated = SimulatedInflux(lambda: datetime.now(UTC))
        for name in buckets:
            self.simulated.ensure(name)
        self.measurement = f"m{uuid.uuid4().hex[:8]}_{next(NUMBERS)}"

    def do(self, step: Any) -> None:
        """A write or a delete; both servers refuse it, or none."""
        real, simulated = self._on_each(step)
        assert error_of(real) == error_of(simulated), (step, real, simulated)

    def require_equal(self, query: Any) -> Any:
        """Ask both; the simulator's answer, in comparable form."""
        real, simulated = (comparable(one) for one in self._on_each(query))
        assert simulated == real, f"{query!r}\nthe simulator: {simulated}\nInfluxDB:      {real}"
        return simulated

    def ask(self, query: Any) -> tuple[Any, Any]:
        """The answers of the server and of the simulator, as they are."""
        real, simulated = self._on_each(query)
        return real, simulated

    def _on_each(self, step: Any) -> list[Any]:
        answers: list[Any] = []
        for one in (lambda: act(step, self.client), lambda: self.simulated.act(step)):
            try:
                answers.append(one())
            except InfluxRollupError as error:
                answers.append(error)
        return answers


def error_of(answer: Any) -> str:
    """The name of an error; empty when there is none."""
    return type(answer).__name__ if isinstance(answer, Exception) else ""


def comparable(answer: Any) -> Any:
    """Frames as the set of their points, mappings and lists in order; the type of each value counts."""
    if isinstance(answer, Exception):
        return error_of(answer)
    if isinstance(answer, list | tuple) and any(isinstance(part, Frame) for part in answer):
        points = [point for frame in answer for point in points_in(frame)]
        return sorted(points, key=repr)
    if isinstance(answer, Mapping):
        return {key: comparable(value) for key, value in sorted(answer.items())}
    if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
        # what chains have computed
        return sorted(((part[0], comparable([part[1]])) for part in answer), key=repr)
    return answer


def points_in(frame: Frame) -> list[tuple[Any, ...]]:
    """Tags, field, time, start of the window, type and value of each point."""
    starts = frame.start_ns if frame.start_ns is not None else np.full(len(frame), -1)
    return [
        (
            frame.tag_sets[frame.series[row]],
            frame.fields[frame.field[row]],
            int(frame.time_ns[row]),
            int(starts[row]),
            frame.values.dtype.kind,
            value.hex() if isinstance(value, float) else value,
        )
        for row, value in enumerate(frame.values.tolist())
    ]
