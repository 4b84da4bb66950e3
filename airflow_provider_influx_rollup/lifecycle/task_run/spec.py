"""The spec of running a task, and which of its runs count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.steps.tasks import TaskRun

# InfluxDB tells when a run was asked for to the second, and its clock is known to the second
CLOCK_MARGIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A task to run.

    :param name: of the task
    :param began: when this try began, RFC 3339: a run that was asked for since then is this try's, also after a restart of the
        triggerer
    :param is_retry: whether an earlier try has failed: its run is asked for again
    """

    name: str
    began: str
    is_retry: bool = False

    def __post_init__(self) -> None:
        name: object = self.name  # a template may have given anything
        if not isinstance(name, str) or not name.strip():
            what = f"name={name!r} is no task"
            raise ConfigurationError(what, written="nothing", fix="give the name of the script's option task")

    def as_json(self) -> dict[str, Any]:
        """For the triggerer."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunSpec:
        """The same again."""
        return cls(**values)

    def is_own(self, run: TaskRun) -> bool:
        """Whether this try has asked for a run."""
        if run.requested_at is None or run.requested_at < self._began - CLOCK_MARGIN:
            return False
        # a failure around the beginning may be of either try; asking again is right for both
        is_doubtful = self.is_retry and run.requested_at <= self._began + CLOCK_MARGIN
        return not (is_doubtful and run.has_failed)

    @property
    def _began(self) -> datetime:
        return datetime.fromisoformat(self.began).astimezone(UTC)
