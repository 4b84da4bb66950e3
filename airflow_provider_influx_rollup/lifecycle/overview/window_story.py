"""All that the ledger knows of one window: receipt, history, archives, certificates, and the Flux that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.flux.certificates import CertificatesOf, KnownCertificate
from airflow_provider_influx_rollup.flux.ledger_read import ArchiveFolders, ReceiptsOf
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import STAGE as ARCHIVE
from airflow_provider_influx_rollup.lifecycle.archive_files.place import folder_of_id
from airflow_provider_influx_rollup.lifecycle.ledger.history import read_history
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.overview.overview import earlier_by_an_archive
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import parents_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.explain import ExplainedRollup, explain_chain
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.source.field_types import known_types
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

MAX_HISTORY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStory:
    """One window of a pipeline.

    :param history: every change of it, the oldest first; the last one is its receipt, but for what is told of it since
    :param archives: receipts of archives of its source whose windows overlap it
    :param explained: how it is computed; None when that cannot be told, and ``not_explained`` says why
    """

    spec: RollupSpec
    window: Interval
    receipt: Receipt | None
    history: tuple[Receipt, ...]
    archives: tuple[Receipt, ...]
    certificates: tuple[KnownCertificate, ...]
    purges: tuple[PurgeMark, ...]
    explained: ExplainedRollup | None
    not_explained: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pipeline": self.spec.pipeline_name,
            "window": self.window.as_json(),
            "receipt": None if self.receipt is None else receipt_json(self.receipt),
            "history": [receipt_json(one) for one in self.history[-MAX_HISTORY:]],
            "history_total": len(self.history),
            "archives": [receipt_json(one) for one in self.archives],
            "certificates": [_plain(one) for one in self.certificates],
            "purges": [{"window": one.window.as_json(), "what": one.text()} for one in self.purges],
            "explained": None if self.explained is None else self.explained.as_json(),
            "not_explained": self.not_explained,
        }


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain values."""
    return _plain(receipt)


def _plain(record: Any) -> dict[str, Any]:
    return {field.name: _value(getattr(record, field.name)) for field in fields(record)}


def _value(value: Any) -> Any:
    if isinstance(value, Interval):
        return value.as_json()
    return format_instant(value) if isinstance(value, datetime) else value


def window_story(
    spec: RollupSpec, specs: Mapping[str, RollupSpec], start: datetime, now: datetime
) -> Steps[WindowStory]:
    """Tell of the window that starts at an instant, or in whose cell the instant lies.

    :param spec: of the pipeline, as the ledger knows it
    :param specs: all that are in force, by name
    :param start: aware UTC
    :param now: the time now, aware UTC
    """
    window, of_run = window_from(spec, start)
    source = yield from ask(FindBucket(spec.source_bucket))
    history = yield from read_history(spec, of_run, now)
    folders = yield from ask(ArchiveFolders(spec.ledger_bucket))
    folder = None if source is None else folder_of_id(folders, source.id)
    buckets = list(dict.fromkeys([spec.source_bucket, *([folder.bucket] if folder else [])]))
    archived_from = Interval(earlier_by_an_archive(window.start), window.stop)
    names = [f"{bucket}/{spec.measurement}->archive" for bucket in buckets]
    found, certificates = yield from gather(
        ReceiptsOf(spec.ledger_bucket, spec.pipeline_name, ROLLUP, Interval.of_starts([window])),
        CertificatesOf(spec.ledger_bucket, buckets, spec.measurement, window),
    )
    archives = yield from gather(
        *[ReceiptsOf(spec.ledger_bucket, name, ARCHIVE, archived_from) for name in names]
    )
    purges = yield from overlapping_marks(spec.ledger_bucket, spec.source_bucket, spec.measurement, window)
    explained, why = yield from _explained(spec, specs, window, source)
    return WindowStory(
        spec=spec,
        window=window,
        receipt=next(iter(found), None),
        history=tuple(one for one in history if one.window.start == window.start),
        archives=tuple(one for some in archives for one in some if one.window.overlaps(window)),
        certificates=tuple(certificates),
        purges=tuple(purges),
        explained=explained,
        not_explained=why,
    )


def window_from(spec: RollupSpec, start: datetime) -> tuple[Interval, Interval]:
    """The window that starts with the cell of an instant, and the interval of a run that has just this window."""
    grid = spec.grid.grid()
    cell = grid.window_at(start)
    for _ in range(grid.cells_per_window - 1):
        cell = grid.window_at(cell.stop)
    return grid.windows(cell)[0], cell


def _explained(
    spec: RollupSpec, specs: Mapping[str, RollupSpec], window: Interval, source: Bucket | None
) -> Steps[tuple[ExplainedRollup | None, str]]:
    """How the window is computed, by the types that the fields of the raw points have now."""
    chain = [spec]
    while below := [one for one in parents_of(chain[0], specs) if one not in chain]:
        chain.insert(0, below[0])
    if chain[0].source_tier is not None or (chain[0] is spec and source is None):
        return None, "the pipelines or the bucket that it is made of are not there any more"
    try:
        types = yield from known_types(chain[0].source_bucket, chain[0].measurement)
        told = explain_chain(chain, {spec.pipeline_name: window}, types)
    except InfluxRollupError as error:
        return None, error.what
    return told[-1], ""
