"""Erase series everywhere, as privacy requests ask for, with a certificate."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.assets.names import archive_uri, measurement_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.hooks.signing_key import load_signing_key, require_reference
from airflow_provider_influx_rollup.lineage.counted import Counted
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._held_assets import HeldAssetsOperator
from airflow_provider_influx_rollup.operators._options import texts, truth
from airflow_provider_influx_rollup.operators.archive import SourceArchiveOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.typed_arguments import TEXTS, VALUES_OR_JSON, Kind

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.signing_key import SigningKey
    from airflow_provider_influx_rollup.lifecycle.announce.held import Held
    from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseResult
    from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval

# of a certificate's SHA-256, as other checksums have
CHECKSUM_DIGITS = 16


class EraseSeriesOperator(HeldAssetsOperator, SourceArchiveOperator):
    """Erase the series that have some tags: from the bucket, from what pipelines made of them, and from every archive file.

    Of each archived window that holds them there is a new generation without them, proven equal otherwise, and the files of
    all older ones are removed. Pipelines that merge other series with them are computed again where all points are there.
    It ends with a certificate that names whom it was about only as a salted hash. A rerun resumes where a run was cut off, and
    does nothing when all is erased. The task waits for nothing, and never looks at the data interval.

    Returns ``{"window", "windows", "rows_in", "rows_out", "series", "checksum", "places", "erase_id", "computed_again",
    "kept", "named_in_specs", "certificate": {"number", "sha256"}, "new", "state", "path", "dry_run", "seconds", "pipeline"}``: ``rows_in``
    points of the bucket are erased, ``kept`` names pipelines that still hold something, ``named_in_specs`` those whose filter
    or script has a value of the tags; a list of these for a list of measurements. Tag values are in none of it; Airflow shows them among the task's rendered parameters.

    :param start: erase only from here on, aware or ISO 8601 with an offset; with ``stop``, or neither for all time
    :param stop: its stop, not included
    :param timezone: IANA zone in which a date without a time begins
    :param tags: what the series have, all of these: tag key and value, exactly; at least one
    :param confirm: the bucket's name again, so that nothing is erased by mistake; not needed with ``dry_run``
    :param pipelines: names of the only pipelines whose rows are erased; default: all that hold something of the series;
        an empty list: there are none, so that a ledger which knows none is not told in ``kept``
    :param quarantine_bucket: bucket, or a list, with copies of points of the measurement that the ledger does not know
    :param status_bucket: bucket, or a list, with the statuses of deadman checks
    :param require_archive: refuse when the path has no archive of the measurement; otherwise only the certificate is kept there
    :param signing_key: where the key is that signs the certificate: ``connection:<conn_id>`` (its password),
        ``variable:<key>`` or ``env:<NAME>``
    :raises ConfigurationError: when a parameter is not possible
    """

    verb: ClassVar[str] = "erase"
    own_kinds: ClassVar[Mapping[str, Kind]] = {
        "tags": VALUES_OR_JSON,
        "quarantine_bucket": TEXTS,
        "status_bucket": TEXTS,
    }
    asset_fields: ClassVar[Sequence[str]] = (*HeldAssetsOperator.asset_fields, "path")
    template_fields: Sequence[str] = (
        *SourceArchiveOperator.template_fields,
        "start",
        "stop",
        "timezone",
        "tags",
        "confirm",
        "pipelines",
        "quarantine_bucket",
        "status_bucket",
        "require_archive",
        "signing_key",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}
    ui_color = "#f4dcdc"

    def __init__(
        self,
        *,
        tags: Mapping[str, str] | str,
        start: str | date | None = None,
        stop: str | date | None = None,
        timezone: str = "UTC",
        confirm: str | None = None,
        pipelines: str | Sequence[str] | None = None,
        quarantine_bucket: str | Sequence[str] | None = None,
        status_bucket: str | Sequence[str] | None = None,
        require_archive: bool | str = True,
        signing_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.stop = stop
        self.timezone = timezone
        self.tags = tags
        self.confirm = confirm
        self.pipelines = pipelines
        self.quarantine_bucket = quarantine_bucket
        self.status_bucket = status_bucket
        self.require_archive = require_archive
        self.signing_key = signing_key
        if signing_key and is_plain(signing_key):
            require_reference(signing_key)
        if self.tells and self.partitions:
            what = f"partitions={self.partitions!r} is not possible: an erasure is about no windows"
            raise ConfigurationError(what, written="nothing", fix="leave partitions out here")
        self.settle_outlets()

    def asset_uris(self) -> list[str]:
        """The points of each measurement, and its folder in the archive."""
        return [uri for name in texts(self.measurement) for uri in self._uris_of(name)]

    def held(self) -> list[Held]:
        """What a certificate says is erased; nothing when there was nothing."""
        from airflow_provider_influx_rollup.lifecycle.announce.held import Held
        from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow

        results: list[EraseResult] = self.outcomes
        return [
            Held(
                uri=uri,
                pipeline=one.spec.pipeline,
                stage=self.verb,
                about=f"#{one.certificate.number}",
                windows=[
                    HeldWindow(
                        window=one.spec.span, rows_out=0, checksum=one.certificate.sha256[:CHECKSUM_DIGITS]
                    )
                ],
            )
            for name, one in zip(texts(self.measurement), results, strict=True)
            if one.certificate is not None
            for uri in self._uris_of(name)
        ]

    def _uris_of(self, measurement: str) -> list[str]:
        points = measurement_uri(self.bucket, measurement, influx_conn_id=self.influx_conn_id, org=self.org)
        return [points, archive_uri(self.path, self.bucket, measurement, org=self.org)]

    def execute(self, context: Context) -> Any:
        """Erase the series.

        :param context: Airflow's context
        :return: what was erased
        """
        with failing_by_permanence():
            self._require_confirmed()
            interval = self.span()
            specs = self.erase_specs(interval)
            key = load_signing_key(self.signing_key) if self.signing_key else None
        return self.run_each(context, [partial(self._steps, context, spec, key) for spec in specs])

    def span(self) -> Interval | None:
        """The interval that ``start`` and ``stop`` name; None for all time.

        :raises ConfigurationError: when only one of them is given
        """
        from airflow_provider_influx_rollup.windows.instants import read_instant
        from airflow_provider_influx_rollup.windows.interval import Interval

        if not self.start and not self.stop:
            return None
        if not self.start or not self.stop:
            what = "only one of start and stop is given"
            raise ConfigurationError(what, written="nothing", fix="give both, or none for all time")
        edges = {"start": self.start, "stop": self.stop}
        return Interval(*(read_instant(edge, name, self.timezone) for name, edge in edges.items()))

    def erase_specs(self, interval: Interval | None) -> list[EraseSpec]:
        """One erasure for each measurement.

        :param interval: None for all time
        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec

        return [
            EraseSpec(
                archive=archive,
                tags=_tags(self.tags),
                interval=interval,
                pipelines=None if self.pipelines is None else texts(self.pipelines),
                quarantine_buckets=texts(self.quarantine_bucket or ()),
                status_buckets=texts(self.status_bucket or ()),
                require_archive=truth("require_archive", self.require_archive),
            )
            for archive in self.specs()
        ]

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """It makes nothing of anything; the points and the archive are what it changes."""
        return [
            Flow((), [Measurement(self.bucket, name), self.folder_of(self.bucket, name)])
            for name in texts(self.measurement)
        ]

    def counted(self, result: Mapping[str, Any]) -> Counted:  # noqa: ARG002 - of its base
        """Nothing was written: the rows of its result are those that were erased."""
        return Counted()

    def _require_confirmed(self) -> None:
        if not self.is_dry_run and self.confirm != self.bucket:
            what = f"confirm is not the name of the bucket, {self.bucket!r}"
            fix = f"give confirm={self.bucket!r} to erase for good, or dry_run=True to see what would go"
            raise ConfigurationError(what, written="nothing", fix=fix)

    def _steps(
        self, context: Context, spec: EraseSpec, key: SigningKey | None, now: Callable[[], datetime]
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.archive.erasure import SALT_BYTES
        from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
        from airflow_provider_influx_rollup.stores.versions import software_versions

        versions = {} if self.is_dry_run else software_versions(self.hook.get_conn())
        by = EraseRun(
            info=run_info(context), now=now, versions=versions, salt=secrets.token_bytes(SALT_BYTES), key=key
        )
        return erase(spec, by, dry_run=self.is_dry_run)


def _tags(tags: object) -> dict[str, str]:
    """A mapping, also as the JSON that a parameter of a run renders to.

    :raises ConfigurationError: when it is none; what it is instead is not repeated
    """
    import json

    if isinstance(tags, str):
        try:
            tags = json.loads(tags)
        except ValueError:
            tags = None
    if not isinstance(tags, Mapping):
        what = "tags is no mapping of tag keys to values"
        raise ConfigurationError(what, written="nothing", fix='give tags={"customer": "42"}')
    return dict(tags)
