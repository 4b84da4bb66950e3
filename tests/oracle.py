"""The independent oracle: rollups in pandas, and a reader of the target with nothing but HTTP and csv.

Shares no code with the product, so that an error in one is not in the other.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Time: TypeAlias = str | pd.Timestamp
Window = tuple[pd.Timestamp, pd.Timestamp]
RELATIVE_TOLERANCE = 1e-9
# whose floats depend on the order of the additions
TOLERANT = (
    "sum",
    "mean",
    "median",
    "stddev",
    "integral",
    "spread",
    "increase",
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
)
PANDAS_NAMES = {"distinct": "nunique"}
NOT_TAGS = frozenset({"", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement"})
COLUMNS = ("_time", "_field", "_value", "type")


def windows(start: Time, stop: Time, every: str, period: str | None = None) -> list[Window]:
    """Fixed windows ``[start, stop)`` in UTC; with a period, windows that reach back from each stop."""
    edges = pd.date_range(start, stop, freq=every, tz="UTC")
    pairs = list(itertools.pairwise(edges))
    if period is None:
        return pairs
    return [(end - pd.Timedelta(period), end) for _, end in pairs]


def local_days(first: str, last: str, timezone: str) -> list[Window]:
    """Calendar days of a zone, first and last inclusive, as UTC windows of 23, 24 or 25 hours."""
    midnights = pd.date_range(first, pd.Timestamp(last) + pd.Timedelta(days=1), freq="D").tz_localize(
        timezone
    )
    edges = midnights.tz_convert("UTC")
    return list(itertools.pairwise(edges))


def rollup(
    points: pd.DataFrame,
    tags: Sequence[str],
    spans: Sequence[Window],
    aggregates: Mapping[str, Sequence[str]],
    group_by: Sequence[str] | None = None,
) -> pd.DataFrame:
    """What the target must hold.

    :param points: ``_time`` (UTC), the tags, one column per field; a missing value was never sent
    :param spans: half-open windows; they may overlap
    :param aggregates: aggregate names for each field
    :param group_by: tags that stay; None keeps all
    :return: columns: the tags that stay, ``_time`` (ns of the window's start), ``_field``, ``_value``, ``type``
    """
    keys = [*(tags if group_by is None else group_by)]
    parts = [_field_rollup(points, keys, spans, field, names) for field, names in aggregates.items()]
    return pd.concat(parts, ignore_index=True)[[*keys, *COLUMNS]]


def _field_rollup(
    points: pd.DataFrame, keys: list[str], spans: Sequence[Window], field: str, names: Sequence[str]
) -> pd.DataFrame:
    rows = points[["_time", *keys, field]].dropna(subset=[field]).rename(columns={field: "_value"})
    # ties on the same time: the first is the smallest, the last the largest value
    rows = rows.sort_values(["_time", "_value"], kind="stable", ignore_index=True)
    rows["_ns"] = rows["_time"].astype("datetime64[ns, UTC]").astype("int64")
    rows = _spread_over_windows(rows, spans)
    grouped = rows.groupby([*keys, "_window"], sort=False, observed=True)
    parts = []
    for name in names:
        values = _aggregate(rows, grouped, keys, PANDAS_NAMES.get(name, name)).dropna()
        part = values.rename("_value").reset_index().rename(columns={"_window": "_time"})
        part["_value"] = part["_value"].astype(object)
        parts.append(part.assign(_field=f"{field}_{name}", type=_type_name(values.dtype)))
    return pd.concat(parts, ignore_index=True)


def _spread_over_windows(rows: pd.DataFrame, spans: Sequence[Window]) -> pd.DataFrame:
    """One copy of a row for each window it lies in; ``_window`` is the window's start in ns."""
    edges = np.array([[start.as_unit("ns").value, stop.as_unit("ns").value] for start, stop in spans])
    first, after = (np.searchsorted(rows["_ns"].to_numpy(), edges[:, side], side="left") for side in (0, 1))
    positions = np.concatenate([np.arange(a, b) for a, b in zip(first, after, strict=True)])
    copied = rows.iloc[positions].reset_index(drop=True)
    copied["_window"] = np.repeat(edges[:, 0], after - first)
    return copied


def _aggregate(rows: pd.DataFrame, grouped: Any, keys: list[str], name: str) -> pd.Series[Any]:
    values = grouped["_value"]
    if name in ("count", "sum", "min", "max", "mean", "median", "nunique"):
        return getattr(values, name)()
    if name in ("first", "last"):
        chosen = grouped.head(1) if name == "first" else grouped.tail(1)
        return chosen.set_index([*keys, "_window"])["_value"]
    if name == "stddev":
        return values.std(ddof=1)
    if name == "spread":
        return values.max() - values.min()
    if name == "integral":
        return _integral(rows, grouped, keys)
    if name in ("increase", "resets"):
        kind = rows["_value"].dtype if name == "increase" else "int64"
        return values.agg(_increase if name == "increase" else _resets).astype(kind)
    if name.startswith("p"):
        return values.quantile(float(name[1:]) / 100, interpolation="linear")
    message = f"the oracle does not know {name!r}"
    raise ValueError(message)


def _integral(rows: pd.DataFrame, grouped: Any, keys: list[str]) -> pd.Series[Any]:
    """Trapezoids between a window's own points, in value seconds; one point alone has no area."""
    value = rows["_value"].astype(float)
    before = grouped["_value"].shift().astype(float)
    seconds = (rows["_ns"] - grouped["_ns"].shift()) / 1e9
    area = ((value + before) / 2 * seconds).fillna(0.0)
    return area.groupby([rows[key] for key in [*keys, "_window"]], sort=False, observed=True).sum()


def _increase(part: pd.Series[Any]) -> Any:
    """What a counter grew by: the difference, or after a drop the value itself, which counts from zero."""
    pairs = itertools.pairwise(part.tolist())
    return sum((b - a if b >= a else max(b, 0) for a, b in pairs), start=part.iloc[0] * 0)


def _resets(part: pd.Series[Any]) -> int:
    """How often a value is lower than the one before it."""
    return sum(b < a for a, b in itertools.pairwise(part.tolist()))


def _type_name(dtype: Any) -> str:
    kinds = {"f": "double", "i": "long", "u": "unsignedLong", "b": "boolean"}
    return kinds.get(getattr(dtype, "kind", "O"), "string")


# --- the reader -------------------------------------------------------------------------------------------


def query(url: str, org: str, token: str, flux: str) -> list[dict[str, Any]]:
    """Run Flux over plain HTTP; one dict of typed values per row.

    :raises RuntimeError: when the server answers with an error, also in the middle of its answer
    """
    dialect = {"annotations": ["datatype", "group", "default"], "header": True}
    body = json.dumps({"query": flux, "type": "flux", "dialect": dialect}).encode()
    request = urllib.request.Request(
        f"{url}/api/v2/query?org={urllib.parse.quote(org)}",
        data=body,
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "text/csv"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        text = io.TextIOWrapper(answer, encoding="utf-8", newline="")
        return list(_rows(csv.reader(text)))


def _rows(records: Iterable[list[str]]) -> Iterable[dict[str, Any]]:
    types: list[str] = []
    defaults: list[str] = []
    header: list[str] | None = None
    for record in records:
        if not record:
            continue
        if record[0].startswith("#"):
            types = record if record[0] == "#datatype" else types
            defaults = record if record[0] == "#default" else defaults
            header = None
        elif header is None:
            header = record
            if "error" in header:
                types = defaults = []
        elif "error" in header:
            message = f"the server said: {record}"
            raise RuntimeError(message)
        else:
            yield _typed(header, types, defaults, record)


def _typed(header: list[str], types: list[str], defaults: list[str], record: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, kind, default, cell in zip(header[1:], types[1:], defaults[1:], record[1:], strict=True):
        text = cell or default
        if text == "" and kind != "string":
            continue
        row[name] = _value(kind, text)
        if name == "_value":
            row["type"] = kind
    return row


def _value(kind: str, text: str) -> Any:
    if kind in ("long", "unsignedLong"):
        return int(text)
    if kind == "double":
        return float(text)
    if kind == "boolean":
        return text == "true"
    if kind.startswith("dateTime"):
        return pd.Timestamp(text).as_unit("ns").value
    return text


def read_target(
    url: str, org: str, token: str, bucket: str, measurement: str, start: str, stop: str
) -> pd.DataFrame:
    """All rows of a measurement in ``[start, stop)``, in the columns of ``rollup``."""
    flux = f"""from(bucket: {_text(bucket)}) |> range(start: {start}, stop: {stop})
        |> filter(fn: (r) => r._measurement == {_text(measurement)})
        |> drop(columns: ["_start", "_stop"])"""
    rows = query(url, org, token, flux)
    tags = sorted({name for row in rows for name in row} - NOT_TAGS - {"type"})
    # objects: one column of floats and integers would turn large integers into floats
    return pd.DataFrame(rows, columns=[*tags, *COLUMNS], dtype=object)


def _text(text: str) -> str:
    """Flux string literals escape as JSON ones for the names of tests, but for the start of an expression."""
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")


def count_points(url: str, org: str, token: str, bucket: str, start: str, stop: str) -> int:
    """How many stored values a bucket has: every series key counts, also two of one tag set.

    One count for each type, as the server cannot merge values of different types.
    """
    flux = f"""from(bucket: {json.dumps(bucket)}) |> range(start: {start}, stop: {stop})
        |> count() |> group() |> sum()"""
    return sum(row["_value"] for row in query(url, org, token, flux))


# --- the comparison ---------------------------------------------------------------------------------------


def compare(target: pd.DataFrame, expected: pd.DataFrame, most: int = 20) -> list[str]:
    """All differences between the target and what it must hold, each as one line.

    Integers, strings, booleans, counts and selected floats are exact; computed floats to a relative 1e-9.

    :param most: how many differences to describe; one more line says how many there are in all
    """
    tags = sorted((set(target.columns) | set(expected.columns)) - set(COLUMNS))
    found, wanted = _by_key(target, tags), _by_key(expected, tags)
    differences: list[str] = []
    for name, indexed in (("target", target), ("oracle", expected)):
        doubled = len(indexed) - len(_by_key(indexed, tags))
        if doubled:
            differences.append(f"{doubled} rows of the {name} have the series and time of another one")
    differences += [
        f"missing: {_show(tags, key)} = {wanted[key][0]!r}" for key in wanted.keys() - found.keys()
    ]
    differences += [
        f"too much: {_show(tags, key)} = {found[key][0]!r}" for key in found.keys() - wanted.keys()
    ]
    for key in wanted.keys() & found.keys():
        if not _same(str(key[-1]), found[key], wanted[key]):
            differences.append(f"differs: {_show(tags, key)}: target {found[key]!r}, oracle {wanted[key]!r}")
    if len(differences) > most:
        return [*sorted(differences)[:most], f"... {len(differences)} differences in all"]
    return sorted(differences)


def _by_key(table: pd.DataFrame, tags: list[str]) -> dict[tuple[Any, ...], tuple[Any, str]]:
    columns = [
        table[tag].where(table[tag].notna(), "").tolist() if tag in table else [""] * len(table)
        for tag in tags
    ]
    keys = zip(*columns, table["_time"].tolist(), table["_field"].tolist(), strict=True)
    return dict(zip(keys, zip(table["_value"].tolist(), table["type"].tolist(), strict=True), strict=True))


def _show(tags: list[str], key: tuple[Any, ...]) -> str:
    series = ",".join(f"{tag}={value}" for tag, value in zip(tags, key, strict=False))
    return f"{series} {pd.Timestamp(key[-2], tz='UTC').isoformat()} {key[-1]}"


def _same(field: str, found: tuple[Any, str], wanted: tuple[Any, str]) -> bool:
    if found[1] != wanted[1]:
        return False
    if found[1] != "double" or field.rpartition("_")[2] not in TOLERANT:
        return bool(found[0] == wanted[0])
    return math.isclose(found[0], wanted[0], rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)
