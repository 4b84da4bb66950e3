"""Commits of the pipelines that write to the same points, as records of values put aside have them."""

from __future__ import annotations

from airflow_provider_influx_rollup.lifecycle.target.neighbours import seen_by_both


def test_a_commit_that_one_record_lacks_is_not_known() -> None:
    assert seen_by_both({"a": "1", "b": "1"}, {"a": "1", "b": "2"}) == {"a": "1"}
    assert seen_by_both({"a": "1"}, {}) == {}
    assert seen_by_both({"a": "1"}, {"a": "1"}) == {"a": "1"}
