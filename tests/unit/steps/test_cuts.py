"""What live tests skip as equal to another cut, against what each kind of step says of itself."""

from __future__ import annotations

from inspect import getmembers, isclass

from airflow_provider_influx_rollup.step import Change, Step
from airflow_provider_influx_rollup.steps import influx, store
from tests.scenes.cuts import READS


def test_no_step_that_changes_something_is_among_those_that_only_read() -> None:
    steps = {
        name: one
        for module in (influx, store)
        for name, one in getmembers(module, isclass)
        if issubclass(one, Step)
    }
    # a script may write, a query of the package does not: both have this kind
    named = READS - {"Query"}
    assert named <= set(steps)
    assert not [name for name in named if issubclass(steps[name], Change)]
