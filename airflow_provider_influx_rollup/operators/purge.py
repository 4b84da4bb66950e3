"""Delete archived windows, with a proof and a certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.assets.names import measurement_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration, is_plain
from airflow_provider_influx_rollup.hooks.signing_key import load_signing_key, require_reference
from airflow_provider_influx_rollup.lineage.counted import Counted
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._options import texts
from airflow_provider_influx_rollup.operators._store_assets import StoreAssetsOperator
from airflow_provider_influx_rollup.operators._window import WINDOW_FIELDS, WindowStageOperator
from airflow_provider_influx_rollup.operators.archive import SourceArchiveOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.signing_key import SigningKey
    from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval


class PurgeWindowOperator(WindowStageOperator, StoreAssetsOperator, SourceArchiveOperator):
    """Delete raw points whose archive is proven now, and which nothing needs any more.

    A window is deleted only if the files of its newest archive are read back and right, the bucket still holds exactly
    what they were made of, every pipeline of ``require_pipelines`` is COMMITTED and right over it, it ended ``min_age``
    ago and has not changed for ``quiet_for``. Otherwise ``PurgeRefused`` names what is missing. What was made of a
    purged window stays as it is: no rollup or reconcile writes it, until the points are restored. The task waits for
    nothing: what is too young is refused.

    Returns ``{"window", "windows", "rows_in", "rows_out", "series", "checksum", "generation", "new", "state",
    "certificates": [{"window", "number", "sha256"}], "refused", "path", "dry_run", "seconds", "pipeline"}``; ``rows_in``
    were deleted, ``rows_out`` came while they were and are still there. A list of these for a list of measurements.

    :param every: length of a window of the archive, a Flux duration; default: the data interval is one window
    :param require_pipelines: pipelines that must hold what is made of the points, by their names in the ledger; higher
        tiers too
    :param min_age: how long ago a window must have ended, a Flux duration; default: ``30d``, with a ``delay`` in months
        the delay
    :param quiet_for: how long ago its newest archive must have been made, and still equal the bucket
    :param delay: purge the windows that ended so much before: those whose end + delay lies in the run's interval, a Flux
        duration such as ``30d`` or ``1mo``; without ``every`` windows are as long as that interval
    :param signing_key: where the key is that signs certificates: ``connection:<conn_id>`` (its password),
        ``variable:<key>`` or ``env:<NAME>``; a secret for HMAC-SHA256, or the PEM of a private Ed25519 key
    :raises ConfigurationError: when a parameter is not possible
    """

    verb: ClassVar[str] = "purge"
    # points may have been restored, and purged again
    counts = "rows_in"
    of_anyone = True
    template_fields: Sequence[str] = (
        *SourceArchiveOperator.template_fields,
        *WINDOW_FIELDS,
        "every",
        "require_pipelines",
        "min_age",
        "quiet_for",
        "delay",
        "signing_key",
    )
    ui_color = "#f8e4e4"

    def __init__(
        self,
        *,
        require_pipelines: str | Sequence[str],
        every: DurationLike | None = None,
        min_age: DurationLike | None = None,
        quiet_for: DurationLike = "1d",
        delay: DurationLike | None = None,
        signing_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.every = declared_duration(every)
        self.require_pipelines = require_pipelines
        self.min_age = declared_duration(min_age)
        self.quiet_for = declared_duration(quiet_for)
        self.delay = declared_duration(delay)
        self.signing_key = signing_key
        if signing_key and is_plain(signing_key):
            require_reference(signing_key)
        self.settle_outlets()

    def uri_of_measurement(self, measurement: str) -> str:
        """The asset of the points."""
        return measurement_uri(self.bucket, measurement, influx_conn_id=self.influx_conn_id, org=self.org)

    def execute(self, context: Context) -> Any:
        """Purge the windows of the run.

        :param context: Airflow's context
        :return: what was deleted
        """
        interval = self.interval(context)
        with failing_by_permanence():
            windows = self.windows(interval)
            specs = self.purge_specs()
            if not windows:
                self.log.info(
                    "No window ended %s before the interval %s: nothing to purge", self.delay, interval
                )
            key = load_signing_key(self.signing_key) if self.signing_key else None
        return self.run_each(context, [partial(self._steps, context, spec, windows, key) for spec in specs])

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """The archive is what proves it; the points are what it changes."""
        return [
            Flow([self.folder_of(self.bucket, name)], [Measurement(self.bucket, name)])
            for name in texts(self.measurement)
        ]

    def counted(self, result: Mapping[str, Any]) -> Counted:  # noqa: ARG002 - of its base
        """Nothing was written: the rows of its result are those that were deleted."""
        return Counted()

    def windows(self, interval: Interval) -> list[Interval]:
        """The windows to purge.

        :param interval: of the run
        :return: without ``delay`` those of the interval; with it those whose end + delay lies in it, often none where windows
            are longer than the interval, or months have no such day
        :raises WindowMisaligned: when there is no delay, and the grid does not tile the interval
        """
        from airflow_provider_influx_rollup.windows.delayed import Like, delayed
        from airflow_provider_influx_rollup.windows.duration import Duration
        from airflow_provider_influx_rollup.windows.grid import Grid

        grid = Grid.of(self.every, self.offset, self.timezone) if self.every else None
        if self.delay:
            delay = Duration.of(self.delay, allow_zero=True)
            return delayed(grid or Like(interval, self.timezone), interval, delay, self.timezone)
        return grid.tile(interval) if grid else [interval]

    def purge_specs(self) -> list[PurgeSpec]:
        """One purge for each measurement.

        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.purge.spec import DEFAULT_MIN_AGE, PurgeSpec
        from airflow_provider_influx_rollup.windows.duration import Duration

        required = texts(self.require_pipelines)
        # a month is 28 days at least, so that 30 days have not always passed after one
        delay = flux_text(self.delay) or "0s"
        is_months = bool(Duration.of(delay, allow_zero=True).months)
        min_age = flux_text(self.min_age) or (delay if is_months else DEFAULT_MIN_AGE)
        return [
            PurgeSpec(
                archive=archive,
                require_pipelines=required,
                min_age=min_age,
                quiet_for=flux_text(self.quiet_for),
                timezone=self.timezone,
            )
            for archive in self.specs()
        ]

    def _steps(
        self,
        context: Context,
        spec: PurgeSpec,
        windows: Sequence[Interval],
        key: SigningKey | None,
        now: Callable[[], datetime],
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.lifecycle.purge.purge import purge

        return purge(spec, windows, run_info(context), now, key=key, dry_run=self.is_dry_run)
