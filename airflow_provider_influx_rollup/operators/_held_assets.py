"""Assets of the stages that leave no receipts of windows: what was told of them is a note of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators._assets import AssetStageOperator

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.announce import Changed
    from airflow_provider_influx_rollup.lifecycle.announce.held import Held
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.steps.step import Steps


class HeldAssetsOperator(AssetStageOperator):
    """Base of these stages: they tell of the windows whose rows are others than were told of.

    :raises ConfigurationError: (when the DAG is parsed) when partitions are asked for that the ledger knows nothing of
    """

    asset_fields: ClassVar[Sequence[str]] = (*AssetStageOperator.asset_fields, "measurement", "bucket")

    def held(self) -> list[Held]:
        """What the places of its assets hold after its run."""
        raise NotImplementedError

    def announcing(self, run: RunInfo) -> Steps[list[Changed]]:
        """Find what other DAGs are to hear of, and note that they have.

        :param run: who tells it
        """
        from airflow_provider_influx_rollup.lifecycle.announce.held import announce_held

        return announce_held(self.receipts_bucket(), self.held(), run)

    def uri_of(self, changed: Changed) -> str | None:
        """The asset of some windows.

        :param changed: what has changed
        """
        return changed.uri

    def settle_outlets(self) -> None:
        """Name the assets, when all other parameters are there.

        :raises ConfigurationError: when partitions are not possible
        """
        if self.partition_length is not None:
            what = f"partitions={self.partitions!r} needs receipts of windows, and {self.verb} leaves none"
            fix = "use partitions=True, which is one for each changed window"
            raise ConfigurationError(what, written="nothing", fix=fix)
        super().settle_outlets()
