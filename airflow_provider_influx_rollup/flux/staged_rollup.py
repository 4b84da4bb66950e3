"""The Flux of a rollup that a task of InfluxDB computes: it puts its rows aside, and they are read from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.query import ArrowQuery
from airflow_provider_influx_rollup.flux.rollup import (
    RETURNED,
    Chain,
    RollupSource,
    render_chain,
    render_source,
)

if TYPE_CHECKING:
    import pyarrow as pa

# InfluxDB takes no task without a schedule: the next time is years away, and a run of it would do no harm
CRON = "0 0 29 2 *"


@dataclass(frozen=True, slots=True)
class StagedChains(ArrowQuery[list[tuple[Chain, Frame]]]):
    """What a run of a task has computed; the answer is that of the chains themselves.

    :param rollup: chains of which none is written
    :param bucket: where the rows are put aside
    :param measurement: their name, of this one run; the field of a chain is its number
    """

    rollup: RollupChains
    bucket: str
    measurement: str

    def task_flux(self, name: str) -> str:
        """The script of the task that computes them.

        :param name: of the task
        """
        statements = [
            f"{render_chain(self.rollup.source, run, chain)}\n"
            '  |> drop(columns: ["_start", "_stop"])\n'
            f'  |> set(key: "_measurement", value: {literals.string(self.measurement)})\n'
            f'  |> set(key: "_field", value: {literals.string(_field(number))})\n'
            f"  |> to(bucket: {literals.string(self.bucket)})"
            for run in self.rollup.runs
            for number, chain in enumerate(self.rollup.chains)
        ]
        option = f"option task = {{name: {literals.string(name)}, cron: {literals.string(CRON)}}}"
        return "\n\n".join([option, *statements]) + "\n"

    def flux(self) -> str:
        """The Flux that is sent."""
        place = RollupSource(self.bucket, self.measurement, {})
        statements = [
            f"{render_source(place, run.interval, [_field(number)])}\n"
            f'{RETURNED}  |> yield(name: "{run_number}:{number}")'
            for run_number, run in enumerate(self.rollup.runs)
            for number in range(len(self.rollup.chains))
        ]
        return "\n\n".join(statements) + "\n"

    def read(self, tables: list[pa.Table]) -> list[tuple[Chain, Frame]]:
        """Decode as the chains do."""
        return self.rollup.read(tables)


def _field(number: int) -> str:
    return f"c{number}"
