"""Records of points that a window lacked when it was committed and had when it was repaired, and of looks in between."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.windows.coverage import merge
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns, to_ns

LATENESS_MEASUREMENT = "lateness"
CHECK_MEASUREMENT = "lateness_check"
# a string field of InfluxDB holds 64 KiB
MAX_SERIES = 100
MAX_SERIES_BYTES = 60_000
MAX_SPANS = 1000

TagSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateArrival:
    """Points of one window that came after it was committed.

    InfluxDB does not keep when a point arrived. These came after the source was last known not to have them and before
    they were found, so how late they were lies between two bounds. Both are measured from the window's stop, as the
    setting ``lateness`` is.

    :param pipeline: name of the pipeline
    :param measurement: the source's measurement
    :param window: the window, in UTC
    :param generation: the window's generation with these points; one window has one record of each generation
    :param points: how many source points (field values)
    :param at_least_seconds: the least they were late, 0 or more
    :param at_most_seconds: the most they were late
    :param found_at: when they were found, UTC
    :param by_series: how many of them each series has, as far as known: sorted tags and points, most points first
    """

    pipeline: str
    measurement: str
    window: Interval
    generation: int
    points: int
    at_least_seconds: float
    at_most_seconds: float
    found_at: datetime
    by_series: tuple[tuple[TagSet, int], ...] = ()

    @property
    def points_of_unknown_series(self) -> int:
        """Points that ``by_series`` leaves out."""
        return self.points - sum(points for _, points in self.by_series)


@dataclass(frozen=True, slots=True)
class CleanCheck:
    """A look at windows that found them right: what was late for one of them later came after it.

    :param checked_at: before their source was read, UTC
    :param spans: the windows that were right, merged
    """

    pipeline: str
    checked_at: datetime
    spans: tuple[Interval, ...]


def encode_lateness(arrivals: Iterable[LateArrival]) -> list[str]:
    """One line for each repair of a window; the same repair always gives the same point.

    The time is the window's start plus the generation in nanoseconds: so reruns of one repair overwrite each other,
    and another repair does not.

    :param arrivals: in any order
    """
    lines = []
    for arrival in arrivals:
        tags = {"pipeline": arrival.pipeline, "measurement": arrival.measurement}
        fields: dict[str, int | float | str | bool] = {
            "window_start_ns": arrival.window.start_ns,
            "stop_ns": arrival.window.stop_ns,
            "generation": arrival.generation,
            "points": arrival.points,
            "at_least_seconds": float(arrival.at_least_seconds),
            "at_most_seconds": float(arrival.at_most_seconds),
            "found_at_ns": to_ns(arrival.found_at),
        }
        # left out when nothing is known, so that it does not hide what a better informed writer said of the same repair
        if arrival.by_series:
            fields["by_series"] = _series_text(arrival.by_series)
        time_ns = arrival.window.start_ns + arrival.generation
        lines.append(encode_line(LATENESS_MEASUREMENT, tags, fields, time_ns))
    return lines


def _series_text(by_series: Iterable[tuple[TagSet, int]]) -> str:
    """JSON of the series with the most points, as many as a field holds."""
    kept: list[str] = []
    size = 2
    for tags, points in sorted(by_series, key=lambda pair: (-pair[1], pair[0]))[:MAX_SERIES]:
        text = json.dumps([dict(tags), points], ensure_ascii=False)
        size += len(text.encode()) + 2
        if size > MAX_SERIES_BYTES:
            break
        kept.append(text)
    return f"[{', '.join(kept)}]"


def decode_lateness(rows: Iterable[Mapping[str, Any]]) -> list[LateArrival]:
    """Records from pivoted rows, by window and generation.

    :param rows: what ``LateArrivals`` returns
    """
    found = [_arrival(row) for row in rows]
    return sorted(found, key=lambda arrival: (arrival.pipeline, arrival.window, arrival.generation))


def _arrival(row: Mapping[str, Any]) -> LateArrival:
    return LateArrival(
        pipeline=row["pipeline"],
        measurement=row["measurement"],
        window=Interval(from_ns(row["window_start_ns"]), from_ns(row["stop_ns"])),
        generation=row["generation"],
        points=row["points"],
        at_least_seconds=row["at_least_seconds"],
        at_most_seconds=row["at_most_seconds"],
        found_at=from_ns(row["found_at_ns"]),
        by_series=tuple(
            (tuple(sorted(tags.items())), points) for tags, points in json.loads(row.get("by_series") or "[]")
        ),
    )


def encode_check(pipeline: str, clean: Iterable[Interval], checked_at: datetime) -> list[str]:
    """The line of a look at windows; none when no window was right. Its time is the clock's.

    :param clean: windows that were compared with their source, series by series, and were right as they were
    :param checked_at: before their source was read, UTC
    """
    spans = merge(clean)
    if not spans:
        return []
    kept = sorted(spans, key=lambda span: span.duration, reverse=True)[:MAX_SPANS]
    text = json.dumps([[span.start_ns, span.stop_ns] for span in sorted(kept)])
    return [encode_line(CHECK_MEASUREMENT, {"pipeline": pipeline}, {"spans": text}, to_ns(checked_at))]


def decode_checks(rows: Iterable[Mapping[str, Any]]) -> list[CleanCheck]:
    """Looks at windows, the last one first.

    :param rows: what ``CleanChecks`` returns
    """
    checks = [
        CleanCheck(
            row["pipeline"],
            row["_time"],
            tuple(Interval(from_ns(start), from_ns(stop)) for start, stop in json.loads(row["_value"])),
        )
        for row in rows
    ]
    return sorted(checks, key=lambda check: check.checked_at, reverse=True)
