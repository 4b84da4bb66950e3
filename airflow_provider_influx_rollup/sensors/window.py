"""Wait until windows are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context, PokeReturnValue, was_rescheduled
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.sensors._base import InfluxSensor
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.triggers.window_ready import WindowReadyTrigger
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
    from airflow_provider_influx_rollup.lifecycle.source.inventory import ExpectedSeries
    from airflow_provider_influx_rollup.windows.interval import Interval


class WindowCompleteSensor(InfluxSensor):
    """Wait until the data of a data interval is complete.

    It succeeds when the interval's stop + lateness has passed, the data is there, and with ``upstream`` the
    upstream rollup has COMMITTED the identical windows. With several windows in the interval all must be
    complete. Every look logs what is missing. Permanent errors (wrong token, no such bucket) fail for good,
    transient ones are logged and the wait continues.

    A series here is a tag set; its points are those of its most frequent field.

    Returns ``{"window", "windows", "rows", "series", "missing_series", "missing_series_count", "watermark",
    "completeness", "upstream", "upstream_incomplete", "incomplete", "incomplete_count", "state"}``; ``state`` is
    ``complete`` or ``partial``.

    :param bucket: bucket of the data
    :param measurement: its measurement
    :param every: length of a window, a Flux duration; default: the interval is one window
    :param offset: shift of the grid, a Flux duration
    :param timezone: IANA zone in which days, weeks, months and years of the grid begin
    :param lateness: how long after a window's stop its data may still come, a Flux duration
    :param expected_series: None: any point is enough; a number: this many series report; ``"inventory"``: all
        that reported within ``inventory_lookback`` before the interval; tags of each series, which a series
        with more tags satisfies too; ``{"flux": query, "params": values}``, whose rows name them; or a function of the
        interval's start and stop that returns them
    :param cadence: how often a series has a point, a Flux duration such as ``10s``; with a list or the
        inventory it is asked of the listed series only
    :param min_completeness: share of the points that ``cadence`` promises that is enough, above 0, at most 1
    :param min_series: share of the expected series that is enough, above 0, at most 1
    :param watermark: how far past the interval's stop points must have come by their own time, of each expected series, a
        Flux duration such as ``0s``; default: that is not asked
    :param quiet_for: how long no new point may have come, by the clock, a Flux duration; it takes looks at least so far
        apart, which the ledger remembers
    :param accept_partial_after: how long after stop + lateness what is there is enough, a Flux duration; needs
        ``pipeline``
    :param pipeline: name of the pipeline that rolls up a part; its receipts say what is lacking, until a later look or
        a reconcile finds the source complete
    :param inventory_lookback: a Flux duration
    :param retire_after: how long before the interval a series of the inventory may be silent until it is not expected any
        more, a Flux duration; default: the lookback
    :param retired: tags of series that are given up; a series that has all tags of one of these is not expected
    :param upstream: name of the pipeline whose rollup must have COMMITTED the windows
    :param ledger_bucket: bucket of the receipts; default: ``[influx_rollup] ledger_bucket``
    :param fields: fields that count, names or globs; default: all
    :param tags: tag values to keep, per tag key
    :param start: start of the interval, aware or ISO 8601 with an offset; default: the run's data interval
    :param stop: its stop, not included
    :param window: length of the interval where the run names one instant only
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :param deferrable: wait in the triggerer; default: ``[influx_rollup] default_deferrable``
    """

    template_fields: Sequence[str] = (
        "bucket",
        "measurement",
        "every",
        "offset",
        "timezone",
        "lateness",
        "expected_series",
        "cadence",
        "watermark",
        "quiet_for",
        "accept_partial_after",
        "pipeline",
        "inventory_lookback",
        "retire_after",
        "retired",
        "upstream",
        "ledger_bucket",
        "fields",
        "tags",
        "start",
        "stop",
        "window",
        "influx_conn_id",
        "org",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("expected_series", "retired", "tags"), "json"
    )
    ui_color = "#e4f0f8"

    def __init__(
        self,
        *,
        bucket: str,
        measurement: str,
        every: DurationLike | None = None,
        lateness: DurationLike = "0s",
        expected_series: ExpectedSeries = None,
        cadence: DurationLike | None = None,
        min_completeness: float = 1.0,
        min_series: float = 1.0,
        watermark: DurationLike | None = None,
        quiet_for: DurationLike | None = None,
        accept_partial_after: DurationLike | None = None,
        pipeline: str | None = None,
        inventory_lookback: DurationLike = "7d",
        retire_after: DurationLike | None = None,
        retired: Sequence[Mapping[str, str]] = (),
        upstream: str | None = None,
        ledger_bucket: str | None = None,
        fields: Sequence[str] | None = None,
        tags: Mapping[str, str | Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.measurement = measurement
        self.every = declared_duration(every)
        self.lateness = declared_duration(lateness)
        # Airflow 3 would call a function among the template fields with its own arguments
        self.expected_function = expected_series if callable(expected_series) else None
        self.expected_series = None if callable(expected_series) else expected_series
        self.cadence = declared_duration(cadence)
        self.min_completeness = min_completeness
        self.min_series = min_series
        self.watermark = declared_duration(watermark)
        self.quiet_for = declared_duration(quiet_for)
        self.accept_partial_after = declared_duration(accept_partial_after)
        self.pipeline = pipeline
        self.inventory_lookback = declared_duration(inventory_lookback)
        self.retire_after = declared_duration(retire_after)
        self.retired = retired
        self.upstream = upstream
        self.ledger_bucket = ledger_bucket if ledger_bucket is not None else read_settings().ledger_bucket
        self.fields = fields
        self.tags = tags

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """The points that it waits for."""
        return [Flow([Measurement(self.bucket, self.measurement)])]

    @cached_property
    def _looked_up(self) -> set[str]:
        """The upstream pipelines that the ledger was asked for in this wait."""
        return set()

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll once; the first poll of a wait says whether the ledger knows ``upstream``.

        :param context: Airflow's context
        :return: False, or the return value
        :raises AirflowFailException: for permanent errors
        """
        # a task that was rescheduled is another process at each poll
        again = self.reschedule and was_rescheduled(context, run_info(context).first_try)
        if self.upstream is not None and again:
            self._looked_up.add(self.upstream)
        return super().poke(context)

    def _look(self, interval: Interval) -> dict[str, Any] | None:
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows

        spec = self.spec(interval)
        client = self.hook.get_conn()
        found = drive(check_windows(spec, interval, client.now, self._looked_up), client, self._report)
        return None if found is None else found.as_json()

    def _trigger(self, interval: Interval, deadline: datetime) -> WindowReadyTrigger:
        return WindowReadyTrigger(
            spec=asdict(self.spec(interval)),
            interval=interval.as_json(),
            poke_interval_seconds=float(self.poke_interval),
            deadline=deadline.isoformat(),
            influx_conn_id=self.influx_conn_id,
            org=self.org,
        )

    def _why_late(self, event: Mapping[str, Any]) -> str | None:
        if event.get("status") != "timeout":
            return None
        window = event.get("window", {})
        return (
            f"[{window.get('start')}, {window.get('stop')}) was not complete at {event.get('deadline')}; "
            "the triggerer's log of this task says what was missing"
        )

    def spec(self, interval: Interval) -> CompletenessSpec:
        """The definition of complete, as plain values.

        :param interval: what a function of ``expected_series`` is called with
        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
        from airflow_provider_influx_rollup.lifecycle.source.inventory import called_inventory

        return CompletenessSpec(
            bucket=self.bucket,
            measurement=self.measurement,
            every=flux_text(self.every),
            offset=flux_text(self.offset),
            timezone=self.timezone,
            lateness=flux_text(self.lateness),
            expected=called_inventory(self.expected_function or self.expected_series, interval),
            cadence=flux_text(self.cadence),
            min_completeness=self.min_completeness,
            min_series=self.min_series,
            watermark=flux_text(self.watermark),
            quiet_for=flux_text(self.quiet_for),
            accept_partial_after=flux_text(self.accept_partial_after),
            pipeline=self.pipeline,
            inventory_lookback=flux_text(self.inventory_lookback),
            retire_after=flux_text(self.retire_after),
            retired=tuple(self.retired or ()),
            upstream=self.upstream,
            ledger_bucket=self.ledger_bucket,
            fields=None if self.fields is None else _listed(self.fields),
            tags={key: _listed(values) for key, values in (self.tags or {}).items()},
        )


def _listed(names: str | Sequence[str]) -> tuple[str, ...]:
    """A tuple of names; one text is one name."""
    return (names,) if isinstance(names, str) else tuple(names)
