"""What the server answers to the queries of deadman checks and of sensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.flux.completeness import SeriesCount, SeriesCounts
from airflow_provider_influx_rollup.flux.deadman import LastStatuses, NewestStatus, WholeStatuses
from airflow_provider_influx_rollup.flux.inventory import LastSeen, SeriesSource, Watermark
from airflow_provider_influx_rollup.flux.ledger_read import LastLook
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.windows.interval import from_ns
from tests.simulation.influx import SimulatedInflux, nanoseconds
from tests.simulation.ledger_rows import Row, records
from tests.simulation.lines import Tags, Value
from tests.simulation.points import points_of, span_of

STATUS_FIELDS = {"_source_timestamp", "_checked_by"}
ALL_STATUS_FIELDS = STATUS_FIELDS | {"_message", "_status_timestamp", "dead"}


def _found(
    influx: SimulatedInflux, source: SeriesSource, span: tuple[int, int]
) -> Iterator[tuple[Tags, str, list[int], dict[int, Value]]]:
    known = RollupSource(source.bucket, source.measurement, source.tags)
    return points_of(influx, known, *span, source.fields)


def _last_seen(influx: SimulatedInflux, query: LastSeen) -> dict[Tags, datetime]:
    latest: dict[Tags, int] = {}
    for tags, _, times, _ in _found(influx, query.source, span_of(query.interval)):
        kept = tags if query.group_by is None else tuple(tag for tag in tags if tag[0] in query.group_by)
        latest[kept] = max(times[-1], latest.get(kept, times[-1]))
    return {tags: from_ns(time) for tags, time in latest.items()}


def _watermark(influx: SimulatedInflux, query: Watermark) -> datetime | None:
    times = [times[-1] for _, _, times, _ in _found(influx, query.source, span_of(query.interval))]
    return from_ns(max(times)) if times else None


def _counts(influx: SimulatedInflux, query: SeriesCounts) -> list[SeriesCount]:
    run = query.run
    counts: dict[tuple[int, Tags, str], int] = {}
    for tags, name, times, _ in _found(influx, query.source, span_of(run.interval)):
        for time in times:
            key = time - (time - run.offset_ns) % run.every_ns, tags, name
            counts[key] = counts.get(key, 0) + 1
    return [SeriesCount(from_ns(start), tags, name, count) for (start, tags, name), count in counts.items()]


def _statuses(influx: SimulatedInflux, query: LastStatuses | NewestStatus) -> Any:
    """The last status of each series and level: a level is a tag."""
    found = records(
        influx,
        query.status_bucket,
        "statuses",
        span_of(query.interval),
        {"_check_id": (query.check_id,)},
        STATUS_FIELDS,
    )
    last: dict[tuple[str, Tags], Row] = {}
    for row in found:
        tags = {k: v for k, v in row.items() if k not in ("_time", "_measurement", *STATUS_FIELDS)}
        for name in STATUS_FIELDS & row.keys():
            known = Row({"_time": row["_time"], "_field": name, "_value": row[name], **tags})
            last[name, tuple(sorted(tags.items()))] = known
    rows: Sequence[Row] = list(last.values())
    return query.read(rows)


def _whole_statuses(influx: SimulatedInflux, query: WholeStatuses) -> Any:
    place = query.status_bucket, "statuses", span_of(query.interval)
    rows: list[Row] = []
    for row in records(influx, *place, {"_check_id": (query.check_id,)}, ALL_STATUS_FIELDS):
        tags = {k: v for k, v in row.items() if k not in ("_time", "_measurement", *ALL_STATUS_FIELDS)}
        fields = ALL_STATUS_FIELDS & row.keys()
        rows += [Row({"_time": row["_time"], "_field": k, "_value": row[k], **tags}) for k in fields]
    return query.read(rows)


def _last_look(influx: SimulatedInflux, query: LastLook) -> Any:
    start = nanoseconds(query.interval.start)
    place = query.ledger_bucket, "window_look", (start, start + 1000)
    return query.read(records(influx, *place, {"watch": (query.watch,)}))


WATCH_ANSWERS: dict[type[Any], Callable[[SimulatedInflux, Any], Any]] = {
    LastSeen: _last_seen,
    Watermark: _watermark,
    SeriesCounts: _counts,
    LastStatuses: _statuses,
    NewestStatus: _statuses,
    WholeStatuses: _whole_statuses,
    LastLook: _last_look,
}
