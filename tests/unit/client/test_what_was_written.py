"""An error says that nothing was written when nothing could be: the driver knows which steps change something."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import QueryFailed
from airflow_provider_influx_rollup.step import Change
from airflow_provider_influx_rollup.steps import influx as s
from airflow_provider_influx_rollup.steps import many, store, table, tasks
from airflow_provider_influx_rollup.steps.step import Steps
from tests.unit.client.test_driver import DAY, Recorder, SmallQuery, both, steps_in

ONLY_READ = {
    *(
        "ParseScript",
        "CheckWritable",
        "ShowKeys",
        "FindBucket",
        "FindBucketById",
        "LookAtBucket",
        "Sleep",
        "Gather",
    ),
    *("Report", "Progressed"),
    # an empty bucket is no loss, and most often it is there
    "EnsureBucket",
    *("FingerprintSource", "FingerprintPart", "FingerprintPoints", "TallyMatching", "FindDoubled"),
    *("CompareParts", "ReadBytes", "ListFolder", "ReadTable", "ListTasks", "FindRun", "ListRuns"),
}


@both
@pytest.mark.parametrize(
    ("before", "written"),
    [
        (s.FindBucket("b"), "nothing"),
        (s.EnsureBucket("b"), "nothing"),
        (s.Gather((SmallQuery(), s.FindBucket("b"))), "nothing"),
        (s.Delete("b", DAY, "m"), None),
        (s.Gather((SmallQuery(), s.Write("b", ["m v=1"]))), None),
    ],
)
def test_error_says_that_nothing_was_written_unless_a_step_before_it_may_have(
    run: Any, before: Any, written: str | None
) -> None:
    def verb() -> Steps[None]:
        yield before
        raise QueryFailed("it failed")

    with pytest.raises(QueryFailed) as caught:
        run(verb(), Recorder(), [])
    assert caught.value.written == written


def test_each_step_that_is_no_change_is_known_to_change_nothing() -> None:
    """A new step has to say which it is."""
    found = {step for module in (s, many, store, table, tasks) for step in steps_in(module)}
    assert {step.__name__ for step in found if not issubclass(step, Change)} == ONLY_READ
