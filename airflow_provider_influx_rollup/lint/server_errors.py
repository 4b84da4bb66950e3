"""Messages of the server about a script, as findings at the places that they name."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.flux.syntax import Stage, resolved, string_value
from airflow_provider_influx_rollup.lint.finding import Finding, start_of
from airflow_provider_influx_rollup.lint.rules import MISSING_BUCKET, NO_RANGE, SEMANTICS, SYNTAX
from airflow_provider_influx_rollup.lint.script import Script
from airflow_provider_influx_rollup.rejections import (
    Told,
    cure_of_place,
    failed_place,
    is_unbounded,
    parse_failure,
    unseen_bucket,
)


def syntax_error(error: InfluxRejected, own_place: tuple[int, int] | None) -> Finding:
    """The finding of a script that the server could not parse.

    :param own_place: where the script cannot be read without a server, which is the token itself
    """
    line, column, text = parse_failure(error)
    message = f"InfluxDB cannot parse the script: {text}"
    return SYNTAX.found_at(own_place or (line, column), message, "correct the text here")


def compile_findings(failures: Iterable[Told]) -> list[Finding]:
    """The findings of a script that the server could not compile."""
    return [SEMANTICS.found_at((line, column), text, cure_of_place(text)) for line, column, text in failures]


def run_finding(error: InfluxRejected, script: Script) -> Finding:
    """The finding of a script that compiles and that the server would not run."""
    name = unseen_bucket(error)
    if name is not None:
        text = f"the token sees no bucket {name!r}"
        fix = "create the bucket, correct its name, or let the token read it"
        return MISSING_BUCKET.found_at(_place_of_bucket(name, script), text, fix)
    if is_unbounded(error):
        place = next((start_of(chain[0].call) for chain in script.reads), (1, 1))
        fix = "add |> range(start: v.timeRangeStart, stop: v.timeRangeStop) after from()"
        return NO_RANGE.found_at(place, "a bucket is read without range()", fix)
    place = failed_place(error) or _last_place(script)
    return SEMANTICS.found_at(place, error.what, cure_of_place(error.what))


def _place_of_bucket(name: str, script: Script) -> tuple[int, int]:
    """Place where a script first names a bucket."""
    for chain in script.chains:
        for stage in chain:
            argument = stage.arguments.get("bucket")
            if string_value(argument, stage.scope) == name:
                # a value of params is not in the script
                places = (resolved(argument, stage.scope), argument, stage.call)
                return start_of(next(one for one in places if one is not None and "location" in one))
    return (1, 1)


def _last_place(script: Script) -> tuple[int, int]:
    stages: list[Stage] = [chain[-1] for chain in script.chains]
    return start_of(stages[-1].call) if stages else (1, 1)
