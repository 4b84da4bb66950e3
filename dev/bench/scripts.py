"""The Flux that users would write instead."""

from __future__ import annotations

from dev.bench.data import SOURCE_BUCKET, DataSet, target_bucket

AGGREGATES = ("count", "sum", "min", "max")
IMPORTS = 'import "influxdata/influxdb"\nimport "timezone"\n'


def source(data_set: DataSet) -> str:
    """``from |> range |> filter`` of a data set."""
    return (
        f'from(bucket: "{SOURCE_BUCKET}")'
        f" |> range(start: {data_set.start:%Y-%m-%dT%H:%M:%SZ}, stop: {data_set.stop:%Y-%m-%dT%H:%M:%SZ})"
        f' |> filter(fn: (r) => r._measurement == "{data_set.measurement}")'
    )


def write(name: str, target: str) -> str:
    """The end of a chain: one field into the target."""
    return (
        ' |> drop(columns: ["_start", "_stop", "_field"])'
        f' |> rename(columns: {{_value: "temperature_{name}"}})'
        f' |> influxdb.wideTo(bucket: "{target_bucket(target)}") |> yield(name: "{name}")'
    )


def shared_variable(data_set: DataSet) -> str:
    """One variable for the points, several aggregates of it."""
    chains = [
        f'data |> aggregateWindow(every: 1h, fn: {name}, createEmpty: false, timeSrc: "_start"){write(name, "shared")}'
        for name in AGGREGATES
    ]
    return IMPORTS + f"data = {source(data_set)}\n" + "\n".join(chains)


def window_reduce(data_set: DataSet) -> str:
    """All aggregates in one ``reduce``."""
    return IMPORTS + (
        f"{source(data_set)} |> window(every: 1h)"
        " |> reduce(identity: {n: 0, s: 0.0, lo: 1000000.0, hi: -1000000.0}, fn: (r, accumulator) => ({"
        "n: accumulator.n + 1, s: accumulator.s + r._value,"
        " lo: if r._value < accumulator.lo then r._value else accumulator.lo,"
        " hi: if r._value > accumulator.hi then r._value else accumulator.hi}))"
        ' |> duplicate(column: "_start", as: "_time") |> drop(columns: ["_start", "_stop", "_field"])'
        ' |> rename(columns: {n: "t_count", s: "t_sum", lo: "t_min", hi: "t_max"})'
        f' |> influxdb.wideTo(bucket: "{target_bucket("reduced")}")'
    )


def with_location(data_set: DataSet) -> str:
    """Local days by ``location``."""
    chains = [
        f"{source(data_set)} |> aggregateWindow(every: 1d, fn: {name}, createEmpty: false,"
        f' timeSrc: "_start", location: timezone.location(name: "America/Los_Angeles")){write(name, "located")}'
        for name in AGGREGATES
    ]
    return IMPORTS + "\n".join(chains)


def sliding(data_set: DataSet) -> str:
    """Sliding windows by ``period``."""
    chains = [
        f"{source(data_set)} |> window(every: 1h, period: 3h) |> {name}()"
        f' |> duplicate(column: "_stop", as: "_time"){write(name, "slid")}'
        for name in AGGREGATES
    ]
    return IMPORTS + "\n".join(chains)


def not_pushed(data_set: DataSet) -> str:
    """Standard deviation, median and 99th percentile in the server."""
    functions = {
        "stddev": "stddev()",
        "median": 'quantile(q: 0.5, method: "exact_mean")',
        "p99": 'quantile(q: 0.99, method: "exact_mean")',
    }
    chains = [
        f'{source(data_set)} |> window(every: 1h) |> {call} |> duplicate(column: "_start", as: "_time"){write(name, "raw")}'
        for name, call in functions.items()
    ]
    return IMPORTS + "\n".join(chains)
