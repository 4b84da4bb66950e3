"""A stage as people see it from outside: its span, its metrics, and one line in the log that machines read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import Stats
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.metrics import PREFIX, tell_requests

#: what of a result the line has, in this order
LOGGED = (
    "pipeline",
    "windows",
    "rows",
    "rows_in",
    "rows_out",
    "bytes",
    "series",
    "generation",
    "state",
    "healed",
    "dirty_total",
)


class Observed:
    """A stage that runs.

    :ivar result: its small JSON result, once there is one
    :ivar requests: what it has asked of InfluxDB, by the names of metrics
    :param code: which code of DAGs it was made of
    """

    def __init__(self, code: Mapping[str, str]) -> None:
        self.code = code
        self.result: Mapping[str, Any] = {}
        self.requests: Mapping[str, int] = {}


@contextmanager
def observed(
    verb: str, tell: Callable[[str], object], *, code: Mapping[str, str], elsewhere_seconds: float = 0.0
) -> Iterator[Observed]:
    """Time a verb, count how it ended, and say it in one line; names of metrics hold the verb only, so that they stay few.

    :param verb: name of the stage
    :param tell: called with the line
    :param code: which code of DAGs it was made of
    :param elsewhere_seconds: how long it has worked in the triggerer
    """
    began = time.monotonic() - elsewhere_seconds
    outcome = "failed"
    seen = Observed(code)
    try:
        yield seen
        outcome = "success"
    except InfluxRollupError as error:
        outcome = "failed" if error.permanent else "retryable"
        raise
    finally:
        seconds = time.monotonic() - began
        Stats.timing(f"{PREFIX}.{verb}.duration", timedelta(seconds=seconds))
        Stats.incr(f"{PREFIX}.{verb}.{outcome}")
        tell_requests(verb, seen.requests)
        tell(stage_line(verb, outcome, seconds, seen))


def stage_line(verb: str, outcome: str, seconds: float, seen: Observed) -> str:
    """One line of ``key=value`` pairs; values with blanks are quoted.

    :param outcome: ``success``, ``failed`` or ``retryable``
    """
    pairs: dict[str, object] = {"stage": verb, "outcome": outcome, "seconds": round(seconds, 3)}
    window = seen.result.get("window")
    if isinstance(window, Mapping):
        pairs |= {"start": window["start"], "stop": window["stop"]}
    pairs |= {name: seen.result[name] for name in LOGGED if isinstance(seen.result.get(name), str | int)}
    pairs |= {name: count for name, count in seen.requests.items() if count}
    pairs |= seen.code
    return "influx_rollup " + " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items())


def _quoted(value: object) -> str:
    text = str(value)
    if text and not any(character in text for character in ' ="\\\n\r\t'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
