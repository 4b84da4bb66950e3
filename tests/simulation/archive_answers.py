"""What the server answers to the queries of archives, purges, restores and erasures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.flux.archive import LostText, LostTexts, SliceCounts
from airflow_provider_influx_rollup.flux.erase import CopiesRecords, PointEdges, TextRecord, TextRecords
from airflow_provider_influx_rollup.flux.ledger_read import ArchiveFolders
from airflow_provider_influx_rollup.ledger.archive_folders import ArchiveFolder
from airflow_provider_influx_rollup.ledger.copies import decode_copies
from airflow_provider_influx_rollup.steps.influx import ShowKeys, SourceKeys
from airflow_provider_influx_rollup.windows.interval import from_ns
from tests.simulation.influx import SimulatedInflux
from tests.simulation.ledger_rows import records
from tests.simulation.lines import Tags, Unsigned, Value
from tests.simulation.points import points_of, span_of

KINDS: dict[type[Value], str] = {
    float: "float",
    int: "integer",
    Unsigned: "unsigned",
    bool: "boolean",
    str: "string",
}


def _keys(influx: SimulatedInflux, step: ShowKeys) -> SourceKeys:
    tags: set[str] = set()
    kinds: dict[str, set[str]] = {}
    for (own, name), values in influx.bucket(step.bucket).measurements.get(step.measurement, {}).items():
        tags.update(key for key, _ in own)
        kinds.setdefault(name, set()).update(KINDS[type(value)] for value in values.values())
    return SourceKeys(tuple(sorted(tags)), {name: tuple(sorted(kinds[name])) for name in sorted(kinds)})


def _counts(influx: SimulatedInflux, query: SliceCounts) -> list[int]:
    return [
        sum(len(times) for _, _, times, _ in points_of(influx, query.source, *span_of(part)))
        for part in query.slices
    ]


def _lost_texts(_influx: SimulatedInflux, _query: LostTexts) -> list[LostText]:
    # no text of the simulator has a carriage return
    return []


def _edges(influx: SimulatedInflux, query: PointEdges) -> list[datetime]:
    times = [
        time
        for _, _, some, _ in points_of(influx, query.source, *span_of(query.interval))
        for time in (some[0], some[-1])
    ]
    return [from_ns(min(times)), from_ns(max(times))] if times else []


def _texts(
    influx: SimulatedInflux, query: TextRecords | CopiesRecords, measurement: str, name: str
) -> Iterator[tuple[Tags, int, str]]:
    start, stop = span_of(query.interval)
    series = influx.bucket(query.ledger_bucket).measurements.get(measurement, {})
    for (tags, field), values in sorted(series.items()):
        if field == name and query.tags.items() <= dict(tags).items():
            for time, value in sorted(values.items()):
                if start <= time < stop and value != "":
                    yield tags, time, str(value)


def _text_records(influx: SimulatedInflux, query: TextRecords) -> list[TextRecord]:
    found = _texts(influx, query, query.measurement, query.field)
    return [TextRecord(text, dict(tags), time) for tags, time, text in found]


def _copies(influx: SimulatedInflux, query: CopiesRecords) -> list[Any]:
    found = _texts(influx, query, "validation_copies", "changed_tags")
    return decode_copies([{**dict(tags), "_value": text} for tags, _, text in found])


def _folders(influx: SimulatedInflux, query: Any) -> list[ArchiveFolder]:
    rows = records(influx, query.ledger_bucket, "archive_folder", (0, 10**9))
    return [ArchiveFolder(row["bucket_id"], row["org"], row["bucket"]) for row in rows]


ARCHIVE_ANSWERS: dict[type[Any], Callable[[SimulatedInflux, Any], Any]] = {
    ShowKeys: _keys,
    SliceCounts: _counts,
    LostTexts: _lost_texts,
    PointEdges: _edges,
    TextRecords: _text_records,
    CopiesRecords: _copies,
    ArchiveFolders: _folders,
}
