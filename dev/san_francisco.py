"""Hourly temperatures of San Francisco in 2010: a public data set that the package vega_datasets ships."""

from __future__ import annotations

import pandas as pd
from vega_datasets import local_data

MEASUREMENT = "temperature"
FIELD = "fahrenheit"
TAGS = ("city",)
CITY = "San Francisco"
TIMEZONE = "America/Los_Angeles"


def load_points() -> pd.DataFrame:
    """The temperatures with UTC times: columns ``_time``, ``city``, ``fahrenheit``.

    The file has wall-clock times. The 02:00 that the clocks skip in March is the instant 03:00 (which the
    file lacks); the 01:00 that they show twice in November is the first of the two.
    """
    table = local_data.sf_temps()
    local = table["date"].dt.tz_localize(TIMEZONE, ambiguous=[True] * len(table), nonexistent="shift_forward")
    time = local.dt.tz_convert("UTC").astype("datetime64[ns, UTC]")
    return pd.DataFrame({"_time": time, "city": CITY, FIELD: table["temp"].astype(float)})


def encode_lines(points: pd.DataFrame) -> list[str]:
    """Line protocol with nanosecond times."""
    city = CITY.replace(" ", "\\ ")
    times = points["_time"].astype("int64")
    return [
        f"{MEASUREMENT},city={city} {FIELD}={value!r} {time}"
        for value, time in zip(points[FIELD].tolist(), times, strict=True)
    ]
