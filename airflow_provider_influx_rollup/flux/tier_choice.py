"""A Flux function that reads the tier that fits a time range and a resolution, for dashboards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.flux import literals

#: aggregates of raw points that the storage engine computes
RAW_FUNCTIONS = ("count", "sum", "mean", "min", "max", "first", "last")
OF_EVERY_ROW = ("_start", "_stop", "_measurement", "_field", "_time", "_value")
#: what merges the rows of several windows into one
MERGED_BY = {"count": "sum", "sum": "sum", "min": "min", "max": "max", "first": "first", "last": "last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableTier:
    """A tier, or the raw points, as the function knows it.

    :param every_ns: length of its windows, the nominal one of days and months; 0 for raw points
    :param kept_ns: how long the bucket keeps them; 0 forever
    :param merges: whether longer windows can be made of its windows: they are fixed, and begin at the epoch
    """

    bucket: str
    every_ns: int
    kept_ns: int
    merges: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFunction:
    """The function ``tiers``, and what it stands on.

    :param raw: the raw points
    :param tiers: from the finest to the coarsest
    :param measurement: the default of the parameter
    :param tags: tag values of the raw points that the tiers keep
    :param group_by: tag keys that the tiers keep; None keeps all
    """

    raw: ReadableTier
    tiers: Sequence[ReadableTier]
    measurement: str
    tags: Mapping[str, Sequence[str]]
    group_by: Sequence[str] | None

    def flux(self) -> str:
        """The definition, for the head of a script."""
        default = literals.string(self.measurement)
        return "\n".join(
            (
                f"tiers = (start, stop, resolution, field, aggregate, measurement={default}) => {{",
                "    covers = (t) => t.kept == 0 or int(v: start) >= int(v: now()) - t.kept",
                "    fits = (t) => covers(t) and t.every <= int(v: resolution)",
                *(f"    {self._name(index)} = {_record(one)}" for index, one in enumerate(self._all)),
                f"    chosen = {self._choice()}",
                "    isRaw = chosen.every == 0",
                "    isMerged = isRaw or chosen.merges and int(v: resolution) % chosen.every == 0",
                "    length = int(v: resolution)",
                "    down = (t) => (int(v: t) / length - (if int(v: t) % length < 0 then 1 else 0)) * length",
                "    from_ = if isMerged then time(v: down(t: start)) else time(v: start)",
                "    to_ = if isMerged then time(v: 0 - down(t: time(v: 0 - int(v: stop)))) else time(v: stop)",
                '    name = field + "_" + aggregate',
                "    stored = if isRaw then field else name",
                "    rows = from(bucket: chosen.bucket)",
                "        |> range(start: from_, stop: to_)",
                "        |> filter(fn: (r) => r._measurement == measurement)",
                "        |> filter(fn: (r) => r._field == stored)",
                *_lines(self._raw_filters()),
                "",
                "    return if isRaw then",
                *self._branches(self._raw_branches(), "rows"),
                "    else if isMerged then",
                *self._branches(self._merged_branches(), "rows"),
                "    else",
                "        rows",
                "}",
            )
        )

    @property
    def _all(self) -> list[ReadableTier]:
        return [self.raw, *self.tiers]

    def _name(self, index: int) -> str:
        return f"tier{index}" if index else "raw"

    def _choice(self) -> str:
        """The coarsest that fits; else the finest that reaches back so far; else the one that reaches back furthest."""
        names = [self._name(index) for index in range(len(self._all))]
        kept = [one.kept_ns or float("inf") for one in self._all]
        furthest = names[max(range(len(names)), key=lambda index: kept[index])]
        fitting = [f"if fits(t: {name}) then {name}" for name in reversed(names)]
        covering = [f"if covers(t: {name}) then {name}" for name in names[1:]]
        return "\n        else ".join([*fitting, *covering, furthest])

    def _raw_filters(self) -> Iterable[str]:
        for key, values in self.tags.items():
            some = " or ".join(f"r[{literals.string(key)}] == {literals.string(value)}" for value in values)
            yield f"|> filter(fn: (r) => not isRaw or ({some}))"

    def _raw_branches(self) -> dict[str, str]:
        grouped = ""
        if self.group_by is not None:
            keys = literals.strings([*OF_EVERY_ROW, *self.group_by])
            # first and last take rows in the order that they come in
            grouped = f' |> keep(columns: {keys}) |> sort(columns: ["_time"])'
        window = 'createEmpty: false, timeSrc: "_start"'
        return {
            name: f"rows{grouped} |> aggregateWindow(every: resolution, fn: {name}, {window})"
            ' |> set(key: "_field", value: name)'
            for name in RAW_FUNCTIONS
        }

    def _merged_branches(self) -> dict[str, str]:
        window = 'createEmpty: false, timeSrc: "_start"'
        return {
            name: f"rows |> aggregateWindow(every: resolution, fn: {function}, {window})"
            for name, function in MERGED_BY.items()
        }

    def _branches(self, branches: Mapping[str, str], otherwise: str) -> list[str]:
        lines = [f'        if aggregate == "{name}" then {rows} else' for name, rows in branches.items()]
        return [*lines, f"        {otherwise}"]


def _record(one: ReadableTier) -> str:
    return literals.record(
        {
            "bucket": literals.string(one.bucket),
            "every": literals.integer(one.every_ns),
            "kept": literals.integer(one.kept_ns),
            "merges": literals.boolean(one.merges),
        }
    )


def _lines(texts: Iterable[str]) -> list[str]:
    return [f"        {text}" for text in texts]
