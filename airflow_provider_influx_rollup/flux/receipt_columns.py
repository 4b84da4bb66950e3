"""Single fields of the receipts of many pipelines at once, as columns: what a look at very many windows needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.ledger_rows import chain, is_any, pivoted, records_of
from airflow_provider_influx_rollup.flux.query import ArrowQuery, LedgerQuery
from airflow_provider_influx_rollup.ledger.codec import CLAIM_FIELDS, RECEIPT_MEASUREMENT, state_of
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.ledger.text_columns import TextColumn, text_columns
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptTexts(ArrowQuery[Mapping[str, TextColumn]]):
    """A text of each receipt whose window starts in an interval, by pipeline; one without any is left out.

    :param pipelines: at least one
    :param name: of the field
    :param usual: by pipeline, the value that is not told of: the storage engine leaves it out
    """

    ledger_bucket: str
    pipelines: Sequence[str]
    stage: str
    starts: Interval
    name: str
    usual: Mapping[str, str] = field(default_factory=dict)

    def flux(self) -> str:
        chosen = [is_any("stage", [self.stage]), is_any("_field", [self.name])]
        return chain(
            *records_of(self.ledger_bucket, self.starts, RECEIPT_MEASUREMENT, *chosen, self._wanted()),
            '|> keep(columns: ["_time", "_value", "pipeline"])',
        )

    def _wanted(self) -> str:
        if not self.usual:
            return is_any("pipeline", self.pipelines)
        return " or ".join(self._wanted_of(one) for one in self.pipelines)

    def _wanted_of(self, pipeline: str) -> str:
        chosen = f"r.pipeline == {literals.string(pipeline)}"
        usual = self.usual.get(pipeline)
        return f"({chosen})" if usual is None else f"({chosen} and r._value != {literals.string(usual)})"

    def read(self, tables: list[pa.Table]) -> Mapping[str, TextColumn]:
        return text_columns(tables)


@dataclass(frozen=True, slots=True)
class CommittedOfStage(LedgerQuery[list[tuple[str, Interval]]]):
    """The COMMITTED windows of a stage that start in an interval: pipeline and window."""

    ledger_bucket: str
    stage: str
    starts: Interval

    def flux(self) -> str:
        chosen = is_any("stage", [self.stage]), is_any("_field", ("state", "stop_ns", *CLAIM_FIELDS))
        return pivoted(self.ledger_bucket, self.starts, RECEIPT_MEASUREMENT, *chosen)

    def read(self, rows: Sequence[Row]) -> list[tuple[str, Interval]]:
        return [
            (row["pipeline"], Interval(row["_time"], from_ns(row["stop_ns"])))
            for row in rows
            if state_of(row) is State.COMMITTED
        ]
