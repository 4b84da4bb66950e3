"""Assets of the stages of an archive, whose receipts are their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_influx_rollup.operators._assets import AssetStageOperator
from airflow_provider_influx_rollup.operators._options import texts
from airflow_provider_influx_rollup.operators._store import StoreStageOperator
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.announce import Changed, Made


class StoreAssetsOperator(AssetStageOperator, StoreStageOperator):
    """Base of the stages that commit windows of measurements of an archive."""

    asset_fields: ClassVar[Sequence[str]] = (
        *AssetStageOperator.asset_fields,
        "measurement",
        "path",
        "bucket",
        "source_bucket",
        "target_bucket",
        "target_measurement",
    )

    #: the rows of a receipt that are news whatever was told before
    counts: ClassVar[Literal["rows_in", "rows_out"] | None] = None
    #: whether a run tells of windows of earlier ones, which nobody has told of
    of_anyone: ClassVar[bool] = False

    @abstractmethod
    def uri_of_measurement(self, measurement: str) -> str:
        """The asset of what the stage writes of a measurement."""

    def asset_uris(self) -> list[str]:
        """The assets of its measurements."""
        return [self.uri_of_measurement(name) for name in texts(self.measurement)]

    def made(self, results: Sequence[Mapping[str, Any]]) -> list[Made]:
        """The windows of each measurement.

        :param results: what it has returned, one for each measurement
        """
        from airflow_provider_influx_rollup.lifecycle.announce.announce import Made

        return [
            Made(
                pipeline=str(one["pipeline"]),
                interval=Interval.from_json(one["window"]),
                stage=self.verb,
                per=self.partition_length,
                timezone=str(getattr(self, "timezone", "UTC")),
                counts=self.counts,
                of_anyone=self.of_anyone,
            )
            for one in results
            if one["window"] is not None
        ]

    def uri_of(self, changed: Changed) -> str | None:
        """The asset of a measurement, by the order of the results.

        :param changed: what has changed
        """
        names = [str(one["pipeline"]) for one in self.lineage_results]
        return self.asset_uris()[names.index(changed.pipeline)]
