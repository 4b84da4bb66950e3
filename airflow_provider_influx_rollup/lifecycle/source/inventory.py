"""Expected series: seen before, listed, or named by a query; and those of them that report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.inventory import SeriesSource
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.series import Series, series_of
from airflow_provider_influx_rollup.shown_text import shown_text
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

Value = TypeVar("Value")
DEFAULT_LOOKBACK = "7d"
SEEN_BEFORE = "inventory"
#: what a DAG gives: None, a number, "inventory", tags of each series, {"flux": ...}, or a function of start and stop
ExpectedSeries = (
    int | str | Sequence[Mapping[str, str]] | Mapping[str, Any] | Callable[[datetime, datetime], Any] | None
)
KEYS = frozenset({"flux", "params", "lookback", "retire_after", "retired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Expected series of a measurement. Plain values, which travel as JSON.

    Without ``listed`` and ``flux``, those that were seen within the lookback before an interval.

    :param listed: tags of each series; an empty value means that the tag is absent
    :param flux: a query; the text columns of each row, but those that begin with ``_``, are the tags of a series
    :param params: values of ``params.<name>`` in the query
    :param lookback: how long before an interval a series may have been seen last, a Flux duration
    :param retire_after: how long a series that is not listed may be silent until it is retired, a Flux duration; None:
        until it leaves the lookback
    :param retired: tags of series that are given up; a series that has all tags of one of these is not expected
    :raises ConfigurationError: when a part is not possible
    """

    listed: tuple[Mapping[str, str], ...] | None = None
    flux: str | None = None
    params: Mapping[str, Any] | None = None
    lookback: str = DEFAULT_LOOKBACK
    retire_after: str | None = None
    retired: tuple[Mapping[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.flux is not None and not str(self.flux).strip():
            what = f"the query of expected series is {self.flux!r}, not Flux text"
            raise ConfigurationError(what, fix='give {"flux": "from(bucket: ...) |> ..."}')
        if self.listed is not None and not self.listed:
            what = "expected_series lists no series"
            raise ConfigurationError(what, fix="list at least one, or leave expected_series out")
        expected_from(self.listed or ())
        if any(not series for series in expected_from(self.retired)):
            what = "retired holds a series without tags, which would retire all"
            raise ConfigurationError(what, fix="give at least one tag of each series that is given up")
        Duration.of(self.lookback)
        if self.retire_after is not None:
            Duration.of(self.retire_after)

    @classmethod
    def of(
        cls,
        expected: object,
        *,
        lookback: str = DEFAULT_LOOKBACK,
        retire_after: str | None = None,
        retired: Iterable[Mapping[str, str]] = (),
    ) -> Inventory:
        """Read what a DAG gives as ``expected_series``.

        :param expected: None or ``"inventory"``: seen before; a list of tags; ``{"flux": ..., "params": ...}``; or
            ``{"lookback": ..., "retire_after": ..., "retired": ...}``; see ``called_inventory`` for a function
        :param lookback: for when ``expected`` has none; the others likewise
        :raises ConfigurationError: when it is none of these
        """
        given: dict[str, Any] = {"lookback": lookback, "retire_after": retire_after, "retired": retired}
        if isinstance(expected, cls):
            return expected
        if isinstance(expected, Mapping):
            unknown = sorted(str(key) for key in expected if key not in KEYS)
            if unknown:
                what = f"expected_series has no part {', '.join(unknown)}"
                fix = f"use {', '.join(sorted(KEYS))}, or a list of mappings of tags"
                raise ConfigurationError(what, fix=fix)
            given |= expected
        elif isinstance(expected, Iterable) and not isinstance(expected, str):
            given["listed"] = tuple(expected)
        elif expected is not None and expected != SEEN_BEFORE:
            what = f"expected_series={expected!r} is not possible"
            fix = f'use None, "{SEEN_BEFORE}", a list of mappings of tags, {{"flux": ...}}, or a function'
            raise ConfigurationError(what, fix=fix)
        given["retired"] = tuple(given["retired"] or ())
        return cls(**given)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Inventory:
        """Undo ``as_json``, also after a trip through JSON."""
        known = dict(values)
        known["listed"] = None if known.get("listed") is None else tuple(known["listed"])
        known["retired"] = tuple(known.get("retired") or ())
        return cls(**known)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def is_seen(self) -> bool:
        """Whether what was seen before is expected; else somebody names the series."""
        return self.listed is None and self.flux is None

    def without_retired(self, series: Iterable[Series]) -> tuple[Series, ...]:
        """The series that are not given up, in their order."""
        known = tuple(series)
        _, given_up = match_series(expected_from(self.retired), dict.fromkeys(known))
        return tuple(one for one in known if one not in given_up)


def called_inventory(expected: object, interval: Interval) -> Any:
    """``expected_series`` as plain values: what a user's function says of an interval, and lists as tuples.

    :param expected: a function is called with the start and the stop, aware UTC; it returns tags of each series, or a
        mapping that ``Inventory.of`` takes
    :raises ConfigurationError: when it returns no such thing
    """
    found = expected
    if callable(expected):
        function: Callable[[datetime, datetime], object] = expected
        found = function(interval.start, interval.stop)
        if not isinstance(found, Iterable) or isinstance(found, str):
            what = f"the function of expected_series returned {found!r}"
            raise ConfigurationError(what, window=interval, fix="return a list of mappings of tags")
    is_list = isinstance(found, Iterable) and not isinstance(found, str | Mapping)
    return tuple(found) if is_list else found  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSeries:
    """A measurement whose series are expected. Plain values, which travel as JSON.

    :param inventory_lookback: how long before an interval a series may have been seen last
    :param retire_after: how long a series that is not listed may be silent until it is retired; None retires it when
        it leaves the lookback
    :param retired: tags of series that are given up
    """

    bucket: str
    measurement: str
    inventory_lookback: str = DEFAULT_LOOKBACK
    retire_after: str | None = None
    retired: tuple[Mapping[str, str], ...] = ()
    fields: tuple[str, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Take back what ``dataclasses.asdict`` made, after a trip through JSON."""
        return cls(**series_from_json(values))

    @property
    def source(self) -> SeriesSource:
        """The points that are watched."""
        return SeriesSource(self.bucket, self.measurement, self.fields, self.tags or {})

    def inventory_of(self, expected: object) -> Inventory:
        """The expected series.

        :param expected: as ``Inventory.of`` takes it
        :raises ConfigurationError: when it is of no known shape
        """
        return Inventory.of(
            expected,
            lookback=self.inventory_lookback,
            retire_after=self.retire_after,
            retired=self.retired,
        )


def series_label(series: Series) -> str:
    """Text for messages: ``device=d1, site=a``."""
    return (
        ", ".join(f"{shown_text(key)}={shown_text(value)}" for key, value in series)
        or "the whole measurement"
    )


def expected_from(given: Iterable[Any]) -> tuple[Series, ...]:
    """The series that a user lists, each once, in order.

    :param given: tags of each series; an empty value means that the tag is absent
    :raises ConfigurationError: when one is not a mapping
    :raises InvalidName: when InfluxDB could not hold such a tag
    """
    listed: dict[Series, None] = {}
    for tags in given:
        if not isinstance(tags, Mapping):
            what = f"expected_series holds {tags!r}, which is not a mapping of tags"
            raise ConfigurationError(what, fix="list one mapping per series, such as {'device': 'd1'}")
        series = series_of(tags)
        for key, value in series:
            validate_name("tag", key)
            validate_name("tag value", value)
        listed[series] = None
    return tuple(listed)


def grouping_of(group_by: Sequence[str] | None, expected: Sequence[Series] | None) -> tuple[str, ...] | None:
    """The tag keys that tell series apart: as given, else those of the expected series, else None for all.

    :raises ConfigurationError: when an expected series has a tag that ``group_by`` lacks
    """
    if group_by is None:
        if expected is None:
            return None
        return tuple(sorted({key for series in expected for key, _ in series}))
    keys = tuple(dict.fromkeys(group_by))
    for series in expected or ():
        unknown = [key for key, _ in series if key not in keys]
        if unknown:
            what = (
                f"expected series {series_label(series)} has tags that group_by lacks: {', '.join(unknown)}"
            )
            raise ConfigurationError(what, fix="add them to group_by, or remove them from expected_series")
    return keys


def series_from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a spec of watched series after a trip through JSON: lists are tuples again."""
    known = dict(values)
    for name in ("group_by", "fields"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    if isinstance(known.get("expected"), list):
        known["expected"] = tuple(known["expected"])
    known["retired"] = tuple(known.get("retired") or ())
    if known.get("tags"):
        known["tags"] = {key: tuple(found) for key, found in known["tags"].items()}
    return known


def match_series(
    listed: Sequence[Series], reported: Mapping[Series, Value]
) -> tuple[tuple[Series, ...], dict[Series, Value]]:
    """Series that do not report, and what is known of those that satisfy one.

    :param listed: a series with the same or more tags satisfies one of these
    """
    satisfied = satisfied_by(listed, reported)
    missing = tuple(wanted for wanted in listed if not satisfied[wanted])
    return missing, {series: reported[series] for found in satisfied.values() for series in found}


def satisfied_by(listed: Iterable[Series], reported: Iterable[Series]) -> dict[Series, list[Series]]:
    """Which series satisfy each of those that are listed: those with the same or more tags."""
    # one look-up per grouping of keys, not one comparison per pair: both sides may have thousands
    wanted, reporting = tuple(listed), tuple(reported)
    projected: dict[tuple[str, ...], dict[Series, list[Series]]] = {}
    for keys in {tuple(key for key, _ in series) for series in wanted}:
        of_keys = projected.setdefault(keys, {})
        for series in reporting:
            of_keys.setdefault(tuple(tag for tag in series if tag[0] in keys), []).append(series)
    return {one: projected[tuple(key for key, _ in one)].get(one, []) for one in wanted}
