"""The series of a block in groups, where one query has no memory for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.source.value_groups import in_groups
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.step import Steps

A = TypeVar("A")


def groups_of_block(job: RollupBlock, look: Callable[[RollupSource], Steps[A]]) -> Steps[list[A]]:
    """Look at all series of a block; of a single window in groups of them, where one query has too many.

    :param look: what is done for the series of a source
    :return: what the looks found, of which no two are of the same series
    :raises QueryLimitReached: when a block of several windows reaches the limit, of which fewer are tried then, or series
        that no tag tells apart
    """
    if len(job.windows) > 1:
        return [(yield from look(job.source))]
    return (yield from in_groups(job.source, job.read_interval, look))
