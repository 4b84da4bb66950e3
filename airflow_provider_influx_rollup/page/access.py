"""What the page has to ask the Airflow that serves it: who may see what, and what became of runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

#: types of connections that lead to an InfluxDB 2
CONNECTION_TYPES = ("influx_rollup", "influxdb")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """A task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


class Access(Protocol):
    """The rights of the user of one request."""

    @property
    def is_three(self) -> bool:
        """Whether this is Airflow 3.x, which has an API for backfills."""

    def readable_connections(self, configured: Sequence[str]) -> list[str]:
        """Connections to InfluxDB 2 that the user may read, by id.

        :param configured: ids that are offered wherever Airflow keeps them; none: those of the metadata database
        """

    def failed_runs(self, keys: Collection[RunKey]) -> set[RunKey]:
        """Those of some task instances that have failed and that the user may read."""

    def run_url(self, key: RunKey) -> str | None:
        """Where Airflow's UI shows a task instance, from the root of the site; None when the user may not read it."""
