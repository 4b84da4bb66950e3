"""Say that a pipeline is late, from a deadline of Airflow or any callback."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.notifications._status import StatusNotifier
from airflow_provider_influx_rollup.settings import read_settings


class WatermarkNotifier(StatusNotifier):
    """A status in the schema of InfluxDB's checks when a pipeline is behind, and one of recovery when it no longer is.

    It looks into the ledger when it is called, so that a deadline that passed while the windows were committed is no alarm. Its
    parameters are plain values, and it runs in the triggerer too, as deadline alerts of Airflow 3.1 and later want it.

    :param pipeline: name in the ledger
    :param within: how long ago the last committed window may have ended, a Flux duration
    :param level: of the alarm: ``crit``, ``warn`` or ``info``
    :param status_bucket: bucket of the statuses
    :param ledger_bucket: default: ``[influx_rollup] ledger_bucket``
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :raises ConfigurationError: when the level is unknown, or ``within`` is no duration
    """

    template_fields: Sequence[str] = (*StatusNotifier.template_fields, "pipeline", "within", "ledger_bucket")

    def __init__(
        self, *, pipeline: str, within: str, ledger_bucket: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.within = within
        self.ledger_bucket = ledger_bucket if ledger_bucket is not None else read_settings().ledger_bucket

    def notify(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        """Look, and write a status if there is something to say.

        :param context: not used: the ledger is what counts
        :raises InfluxError: when the server refuses or cannot be reached
        """
        from airflow_provider_influx_rollup.client.driver import drive

        client = InfluxRollupHook(self.influx_conn_id, org=self.org).get_conn()
        self._told(drive(self._steps(client.now()), client, self._report))

    async def async_notify(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        """The same on an event loop.

        :param context: not used
        :raises InfluxError: when the server refuses or cannot be reached
        """
        from airflow_provider_influx_rollup.client.driver import adrive

        client = await InfluxRollupHook(self.influx_conn_id, org=self.org).aget_conn()
        now = await asyncio.to_thread(client.now)
        self._told(await adrive(self._steps(now), client, self._report))

    def _steps(self, now: Any) -> Any:
        from airflow_provider_influx_rollup.lifecycle.statuses.watermark import WatermarkSpec, tell_watermark

        spec = WatermarkSpec(
            pipeline=self.pipeline,
            within=self.within,
            level=self.level,
            status_bucket=self.status_bucket,
            ledger_bucket=self.ledger_bucket,
        )
        return tell_watermark(spec, now)

    def _told(self, message: str | None) -> None:
        if message is None:
            self.log.info("%s is not late", self.pipeline)
        else:
            self.log.warning("%s", message)
