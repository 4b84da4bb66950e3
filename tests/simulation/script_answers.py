"""What the server does with the one script of a user that the simulator knows: it is parsed, planned, and run.

The script reads all its points, and then writes all its rows: others may do something between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from airflow_provider_influx_rollup.flux.plan import PLAN_COLUMN
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query
from airflow_provider_influx_rollup.windows.interval import from_ns
from tests.simulation.influx import SimulatedInflux, nanoseconds
from tests.simulation.ledger_rows import Row
from tests.simulation.lines import Line
from tests.simulation.points import points_of, span_of


@dataclass(frozen=True)
class KnownScript:
    """The sums of one field, under another name.

    :param into: measurement of the rows
    """

    source: str
    measurement: str
    target: str
    into: str

    def text(self) -> str:
        """Flux."""
        return f"""from(bucket: "{self.source}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "{self.measurement}" and r._field == "temp")
  |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start", createEmpty: false)
  |> set(key: "_measurement", value: "{self.into}")
  |> to(bucket: "{self.target}")
"""


SCRIPTED = "scripted"
KNOWN = KnownScript("raw", "m", "rolled", SCRIPTED)
SCRIPT = KNOWN.text()
PLAN = 'digraph {\n  "ReadWindowAggregateByTime1"\n  "set2"\n  "ReadWindowAggregateByTime1" -> "set2"\n}'
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_run(step: Any) -> bool:
    """Whether a step runs the script, and not over a time without points to see its plan."""
    return isinstance(step, Query) and step.now is not None and step.now > EPOCH


def rows_of_script(influx: SimulatedInflux, query: Query, known: KnownScript = KNOWN) -> list[Line]:
    """The points that the script is about to write."""
    assert query.flux == known.text(), query.flux
    start, stop = window_of(query)
    source = RollupSource(known.source, known.measurement, {})
    return [
        Line(known.into, tags, (("temp", float(sum(values[time] for time in times))),), start)  # type: ignore[misc]
        for tags, _, times, values in points_of(influx, source, start, stop, ("temp",))
    ]


def write_rows(influx: SimulatedInflux, lines: Sequence[Line], known: KnownScript = KNOWN) -> list[Row]:
    """Store them, and return them as ``to()`` does."""
    influx.write(known.target, lines)
    return [_row(dict(line.tags), line.fields[0], line) for line in lines]


def _row(tags: Mapping[str, str], field: tuple[str, Any], line: Line) -> Row:
    about = {"_measurement": line.measurement, "_field": field[0], "_value": field[1]}
    return Row({"_time": from_ns(line.time_ns), **about, **tags})


def window_of(query: Query) -> tuple[int, int]:
    """Start and stop of ``v``, in nanoseconds."""
    assert query.extern is not None
    values = {
        one["key"]["name"]: one["value"]
        for one in query.extern["body"][0]["assignment"]["init"]["properties"]
    }
    start, stop = (
        nanoseconds(datetime.fromisoformat(values[name]["value"]))
        for name in ("timeRangeStart", "timeRangeStop")
    )
    return start, stop


def _planned(_influx: SimulatedInflux, query: Query) -> list[Row]:
    assert query.flux == SCRIPT, query.flux
    return [Row({PLAN_COLUMN: PLAN})]


def _there(influx: SimulatedInflux, query: PointsThere) -> list[Row]:
    source = RollupSource(query.bucket, query.measurement, {})
    return [
        _row(dict(tags), (name, values[time]), Line(query.measurement, tags, (), time))
        for tags, name, times, values in points_of(influx, source, *span_of(query.interval))
        for time in times
    ]


@lru_cache(maxsize=16)
def _parsed(text: str) -> dict[str, Any]:
    """As the server parses it, which other tests show."""
    package: dict[str, Any] = parse_flux(text)
    return package


SCRIPT_ANSWERS: dict[type[Any], Callable[[SimulatedInflux, Any], Any]] = {
    ParseScript: lambda _influx, step: _parsed(step.flux),
    Query: _planned,
    PointsThere: _there,
}
