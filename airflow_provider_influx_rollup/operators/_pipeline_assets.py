"""Assets of the stages that commit windows of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.assets.names import measurement_uri
from airflow_provider_influx_rollup.declared_values import is_nothing
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import longest_length
from airflow_provider_influx_rollup.operators._assets import AssetStageOperator
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.announce import Changed, Made
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle


class PipelineAssetsOperator(AssetStageOperator):
    """Base of the stages whose results name the pipelines, of which the ledger knows what they write."""

    asset_fields: ClassVar[Sequence[str]] = (
        *AssetStageOperator.asset_fields,
        "target_bucket",
        "measurement",
        "target_measurement",
    )

    def asset_uris(self) -> list[str]:
        """The target of each measurement, or of each tier; of a script its bucket; nothing when only the ledger knows them."""
        bucket: Any = getattr(self, "target_bucket", None)
        measurement: Any = getattr(self, "measurement", None)
        lifecycle: Lifecycle | None = getattr(self, "lifecycle", None)
        if lifecycle is not None:
            specs = lifecycle.of_measurement(str(measurement or lifecycle.names[0])).specs()
            return [self._uri(spec.target_bucket, spec.output_measurement) for spec in specs]
        if bucket is None:
            return []
        if getattr(self, "flux", None) is not None:
            return [self._uri(bucket, None)]
        names = [measurement] if isinstance(measurement, str) else list(measurement or ())
        return [self._uri(bucket, getattr(self, "target_measurement", None) or name) for name in names]

    def made(self, results: Sequence[Mapping[str, Any]]) -> list[Made]:
        """The windows of each pipeline that a result names, tiers too, and before them what was healed.

        :param results: what it has returned, one for each measurement
        """
        from airflow_provider_influx_rollup.lifecycle.announce.announce import Made

        found = []
        for one in (part for result in results for part in (result, *result.get("cascaded", ()))):
            if one["window"] is None:
                continue
            interval = Interval.from_json(one["window"])
            heal: Any = getattr(self, "heal", None)
            if not is_nothing(heal):
                # windows that lie in the length in part are healed too
                reach = longest_length(str(heal)) + longest_length(str(getattr(self, "every", heal)))
                interval = Interval(interval.start - reach, interval.stop)
            timezone = str(getattr(self, "timezone", "UTC"))
            found.append(
                Made(
                    pipeline=one["pipeline"], interval=interval, per=self.partition_length, timezone=timezone
                )
            )
        return found

    def receipts_bucket(self) -> str:
        """The ledger; a lifecycle declares its own."""
        lifecycle: Lifecycle | None = getattr(self, "lifecycle", None)
        return super().receipts_bucket() if lifecycle is None else lifecycle.ledger_bucket

    def uri_of(self, changed: Changed) -> str | None:
        """The asset of what a pipeline writes.

        :param changed: what has changed
        """
        return None if changed.place is None else self._uri(*changed.place)

    def _uri(self, bucket: str, measurement: str | None) -> str:
        return measurement_uri(bucket, measurement, influx_conn_id=self.influx_conn_id, org=self.org)
